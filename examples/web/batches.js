// A text cut into what each update reads.

const CHARACTERS = 512; // of the lines in one update, about
const PIECES = 8; // that are read side by side
const WINDOW = 64; // characters through which gradients flow
const LEAST = 32; // characters of a text that is read as one

/** Each line for itself, from the initial state to its end. */
class Lines {
  stateless = true;
  #lines;
  #next = 0;

  constructor(indices, newline) {
    this.#lines = [];
    for (let start = 0; start < indices.length;) {
      const end = indices.indexOf(newline, start);
      const line = indices.subarray(start, end < 0 ? indices.length : end + 1);
      if (line.length > 1) this.#lines.push(line);
      start += line.length;
    }
    const odd = this.#lines.findIndex((line) => line.length > 2000);
    if (odd >= 0)
      throw new Error(`A line of the text has ${this.#lines[odd].length} characters; read this text as one text.`);
  }

  /** All of them once, or as many as an update takes, in turn. */
  next() {
    const lines = [];
    for (let left = CHARACTERS; left > 0 && lines.length < this.#lines.length; left -= lines.at(-1).length)
      lines.push(this.#lines[this.#next++ % this.#lines.length]);
    return { inputs: lines.map((line) => line.subarray(0, -1)), classes: lines.map((line) => line.subarray(1)) };
  }
}

/** Pieces of the text side by side, a window of each at a time; the state goes on from one window to the next. */
class Pieces {
  stateless = false;
  #pieces;
  #length;
  #place = 0;

  constructor(indices) {
    if (indices.length < LEAST)
      throw new Error(`The text has ${indices.length} characters; to be read as one text it needs ${LEAST} or more.`);
    const count = Math.max(1, Math.min(PIECES, Math.floor(indices.length / (4 * WINDOW))));
    this.#length = Math.floor((indices.length - 1) / count);
    this.#pieces = Array.from({ length: count }, (_, i) =>
      indices.subarray(i * this.#length, (i + 1) * this.#length + 1),
    );
  }

  /** rewound: the state has to be the initial one. */
  next() {
    const start = this.#place;
    const end = Math.min(start + WINDOW, this.#length);
    this.#place = end === this.#length ? 0 : end;
    return {
      rewound: start === 0,
      inputs: this.#pieces.map((piece) => piece.subarray(start, end)),
      classes: this.#pieces.map((piece) => piece.subarray(start + 1, end + 1)),
    };
  }
}

export function batchesOf(text, vocabulary, reading) {
  if (new Set(text).size < 2) throw new Error("The text must have two different characters or more.");
  const ended =
    reading === "lines" && vocabulary.index("\n") !== undefined && !text.endsWith("\n") ? `${text}\n` : text;
  const indices = vocabulary.encode(ended);
  return reading === "lines" ? new Lines(indices, vocabulary.index("\n")) : new Pieces(indices);
}
