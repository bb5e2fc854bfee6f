// Texts to begin with, and settings that suit them. They are ours; two are made by a few rules.

/** Whole numbers below n, the same in every run. */
function numbers(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const pickOf = (below) => (list) => list[below(list.length)];

function weather() {
  const below = numbers(7);
  const pick = pickOf(below);
  const days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
  const skies = ["rain", "sun", "fog", "snow", "thunder", "a clear sky", "drizzle"];
  const winds = ["no wind", "a light wind", "a strong wind", "a storm"];
  const sides = ["north", "south", "east", "west"];
  const ends = [
    "Take an umbrella.",
    "Leave the coat at home.",
    "The boats stay in the harbour.",
    "Good weather for a walk.",
    "The roads may be slippery.",
    "The children can play outside.",
    "Water the garden in the evening.",
  ];
  const reports = Array.from({ length: 200 }, (_, i) => {
    const wind = pick(winds);
    const from = wind === "no wind" ? "" : ` from the ${pick(sides)}`;
    return (
      `${days[i % 7]}: ${pick(skies)} in the morning, ${pick(skies)} in the afternoon, ${wind}${from}, ` +
      `${below(25)} degrees. ${pick(ends)}\n`
    );
  });
  return reports.join("");
}

function formulas() {
  const below = numbers(3);
  const pick = pickOf(below);
  const words = ["one", "two words", "a list", "the end", "no", "yes", "left or right"];
  const value = (depth) => {
    const kind = depth > 3 ? below(2) : below(6);
    if (kind === 0) return pick(["a", "b", "x", "y", "n"]);
    if (kind === 1) return String(below(100));
    if (kind === 2) return `"${pick(words)}"`;
    if (kind === 3) return `[${list(depth + 1)}]`;
    if (kind === 4) return `(${value(depth + 1)} ${pick(["+", "-", "*"])} ${value(depth + 1)})`;
    return `${pick(["max", "sum", "join", "sort"])}(${list(depth + 1)})`;
  };
  const list = (depth) => Array.from({ length: 1 + below(3) }, () => value(depth)).join(", ");
  return Array.from({ length: 400 }, () => `let ${pick(["a", "b", "x", "y", "n"])} = ${value(0)};\n`).join("");
}

const LIGHTHOUSE = `The lighthouse stood where the land ended and the water began. Every evening the keeper climbed the
stairs, and every evening he counted them: one hundred and twelve. He lit the lamp, he cleaned the glass, and he looked
at the sea. Sometimes the sea looked back.

"Good evening," said the keeper to the sea.

The sea said nothing. It came to the rocks, and it went away from the rocks, and it came to the rocks again. It had been
there before the lighthouse, and it would be there after the lighthouse, and it did not count anything.

One night a fog came up from the south. The keeper lit the lamp, but the light went no further than his hand. He rang
the bell. He rang it once, he rang it twice, he rang it all through the night, and in the morning there was a boat in
the harbour that had not been there before.

"We heard the bell," said the woman in the boat. "We did not see the light. We heard the bell, and we came to the bell."

"Then the bell is the better light," said the keeper.

The woman laughed. She had come from the other side of the water, with three baskets of apples and a letter. The letter
was for the keeper. It was from his brother, who kept the lighthouse on the other side. It said: "Every evening I climb
the stairs, and every evening I count them: one hundred and eleven. Have you ever counted yours?"

The keeper read the letter once, he read it twice, and then he climbed the stairs and counted them again. One hundred
and twelve. He wrote an answer, and he gave it to the woman, and the woman took it over the water. The answer said:
"Count again, and count the last one. It is the one from which you see the sea."

In the winter the boat came back with another letter. It said: "You were right."
`;

const joined = LIGHTHOUSE.split("\n\n")
  .map((paragraph) => paragraph.trim().replaceAll("\n", " "))
  .join("\n\n");

/** name, text, and settings of the page's controls by their ids. */
export const TEXTS = [
  {
    name: "Three sentences",
    text: "hey how are you\ngood i am fine\nhave a nice day\n",
    settings: {
      reading: "lines",
      cell: "gru",
      units: 16,
      layers: 1,
      rate: 0.01,
      most: 300,
      pace: 30,
      temperature: 0.5,
    },
  },
  {
    name: "The lighthouse",
    text: `${joined}\n`,
    settings: {
      reading: "text",
      cell: "lstm",
      units: 80,
      layers: 1,
      rate: 0.005,
      most: 2000,
      pace: 0,
      temperature: 0.6,
    },
  },
  {
    name: "Weather reports",
    text: weather(),
    settings: {
      reading: "lines",
      cell: "gru",
      units: 64,
      layers: 1,
      rate: 0.005,
      most: 1000,
      pace: 0,
      temperature: 0.7,
    },
  },
  {
    name: "Formulas",
    text: formulas(),
    settings: {
      reading: "text",
      cell: "lstm",
      units: 80,
      layers: 1,
      rate: 0.005,
      most: 3000,
      pace: 0,
      temperature: 0.7,
    },
  },
];

/** What suits most texts. */
export const OWN = { cell: "lstm", units: 80, layers: 1, rate: 0.005, most: 3000, pace: 0, temperature: 0.7 };
