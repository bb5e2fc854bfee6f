// A text coloured by the values of a hidden unit, and the search for a unit that follows something in the text.

const VOWELS = "aeiou";
const DEPTH = { "(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1 };

/** What a unit may follow: name, and of the letters a number each, which is what is known after that letter. */
export const FEATURES = [
  ["ends of words", (letters) => letters.map((letter) => Number(/\s/.test(letter)))],
  ["the place in a word", (letters) => counted(letters, (letter) => /[^\p{L}\p{N}]/u.test(letter))],
  ["the place in a line", (letters) => counted(letters, (letter) => letter === "\n")],
  ["vowels", (letters) => letters.map((letter) => Number(VOWELS.includes(letter.toLowerCase())))],
  [
    "quotes: inside or outside",
    (letters) => summed(letters, (letter, inside) => (letter === '"' ? 1 - 2 * inside : 0)),
  ],
  [
    "the depth of brackets",
    (letters) => summed(letters, (letter, depth) => (letter === "\n" ? -depth : Math.max(-depth, DEPTH[letter] ?? 0))),
  ],
];

/** How many letters since the last one that ends. */
function counted(letters, ends) {
  let count = 0;
  return letters.map((letter) => (count = ends(letter) ? 0 : count + 1));
}

function summed(letters, change) {
  let sum = 0;
  return letters.map((letter) => (sum += change(letter, sum)));
}

/** -1 to 1; 0 where one of both is constant. */
function correlation(a, b) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; ++i) {
    const [da, db] = [a[i] - meanA, b[i] - meanB];
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa > 1e-9 && bb > 1e-9 ? ab / Math.sqrt(aa * bb) : 0;
}

export class Heat {
  #box;
  #readout;
  #look = null; // { letters, layers, width, values, next } of the worker
  #column = 0; // of the unit, of all layers'
  #at = 0; // the letter whose value is shown

  constructor(box, readout) {
    this.#box = box;
    this.#readout = readout;
    box.addEventListener("pointerover", ({ target }) => {
      const at = [...box.children].indexOf(target);
      if (at >= 0) this.#point(at);
    });
    box.addEventListener("keydown", (event) => this.#move(event));
  }

  get layers() {
    return this.#look?.layers ?? [];
  }

  /** Show another text. */
  show(look) {
    this.#look = look;
    this.#box.replaceChildren(
      ...look.letters.map((letter) => {
        const span = document.createElement("span");
        span.textContent = letter === "\n" ? "\u21b5\n" : letter;
        return span;
      }),
    );
    this.#at = Math.min(this.#at, look.letters.length - 1);
    this.#box.setAttribute("aria-valuemax", String(look.letters.length));
  }

  /** Colour by a unit of a layer, both from 0. Returns the value that has the strongest colour. */
  colour(layer, unit) {
    this.#column = this.layers.slice(0, layer).reduce((sum, size) => sum + size, 0) + unit;
    const values = this.#valuesOf(this.#column);
    const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    [...this.#box.children].forEach((span, i) => {
      const share = values[i] / largest;
      span.className = `${share < 0 ? "minus" : "plus"}${share > 0.5 ? " up" : share < -0.5 ? " down" : ""}`;
      span.style.setProperty("--share", Math.abs(share).toFixed(3));
    });
    this.#point(this.#at);
    return largest;
  }

  /** The unit that follows a feature best: { layer, unit, correlation }; null: the text does not have it. */
  find(feature) {
    const follows = FEATURES[feature][1](this.#look.letters);
    let best = { correlation: 0 };
    this.layers.forEach((size, layer) => {
      const first = this.layers.slice(0, layer).reduce((sum, one) => sum + one, 0);
      for (let unit = 0; unit < size; ++unit) {
        const found = correlation(this.#valuesOf(first + unit), follows);
        if (Math.abs(found) > Math.abs(best.correlation)) best = { layer, unit, correlation: found };
      }
    });
    return best.correlation === 0 ? null : best;
  }

  #valuesOf(column) {
    const { letters, values, width } = this.#look;
    return Array.from(letters, (_, i) => values[i * width + column]);
  }

  #move(event) {
    if (!this.#look) return;
    const last = this.#look.letters.length - 1;
    const places = {
      ArrowRight: this.#at + 1,
      ArrowLeft: this.#at - 1,
      ArrowDown: this.#at + 10,
      ArrowUp: this.#at - 10,
      Home: 0,
      End: last,
    };
    const place = places[event.key];
    if (place === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#point(Math.max(0, Math.min(last, place)));
  }

  #point(at) {
    this.#box.children[this.#at]?.classList.remove("at");
    this.#at = at;
    this.#box.children[at].classList.add("at");
    const { letters, values, width, next } = this.#look;
    const named = (letter) => ({ "\n": "end of line", " ": "space" })[letter] ?? `'${letter}'`;
    const value = values[at * width + this.#column].toFixed(2).replace("-", "\u2212");
    const follows = next[at].map(([letter, share]) => `${named(letter)} ${Math.round(100 * share)}\u00a0%`).join(", ");
    const text = `${named(letters[at])}: ${value}. Next, says the network: ${follows}`;
    this.#readout.textContent = text;
    this.#box.setAttribute("aria-valuenow", String(at + 1));
    this.#box.setAttribute("aria-valuetext", text);
  }
}
