// The characters that a model knows, as indices 0, 1, ...; in a file's metadata as the program rnn has them: a JSON
// array of strings with a character each, or of numbers, the bytes of a text that is not UTF-8.

export const VOCABULARY_KEY = "vocabulary";

/** For messages: 'x' (U+0078), U+000A. */
export function nameOf(symbol) {
  if (typeof symbol === "number") return `the byte 0x${symbol.toString(16).toUpperCase().padStart(2, "0")}`;
  const code = `U+${symbol.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return /[\p{C}\p{Z}]/u.test(symbol) && symbol !== " " ? code : `'${symbol}' (${code})`;
}

export class Vocabulary {
  #indices;

  constructor(symbols) {
    this.symbols = symbols;
    this.#indices = new Map(symbols.map((symbol, i) => [symbol, i]));
  }

  /** Those of a text, in the order of Unicode. */
  static of(text) {
    return new Vocabulary([...new Set(text)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0)));
  }

  /** Of a model. */
  static from(network) {
    const json = network.getMetadata(VOCABULARY_KEY);
    if (json === undefined)
      throw new Error("The model has no vocabulary in its metadata, as this page and rnn train save it.");
    let symbols = null;
    try {
      symbols = JSON.parse(json);
    } catch {
      // said below
    }
    const isSymbol = (symbol) =>
      typeof symbol === "string" ? [...symbol].length === 1 : Number.isInteger(symbol) && symbol >= 0 && symbol < 256;
    if (!Array.isArray(symbols) || !symbols.every(isSymbol) || new Set(symbols).size !== symbols.length)
      throw new Error(
        "The vocabulary in the model's metadata is damaged: it must be an array of different characters.",
      );
    if (network.inputSize !== symbols.length || network.outputSize !== symbols.length)
      throw new Error(
        `The model's vocabulary has ${symbols.length} characters; the network has ${network.inputSize} ` +
          `inputs and ${network.outputSize} outputs.`,
      );
    return new Vocabulary(symbols);
  }

  get json() {
    return JSON.stringify(this.symbols);
  }
  get size() {
    return this.symbols.length;
  }

  /** The index of a character; undefined: unknown. */
  index(symbol) {
    return this.#indices.get(symbol);
  }

  /** A text as indices. A character that is unknown is spelt by its bytes, if those are known. */
  encode(text, name = "The text") {
    const indices = [];
    for (const symbol of text) {
      const index = this.index(symbol);
      const spelt =
        index === undefined ? Array.from(new TextEncoder().encode(symbol), (byte) => this.index(byte)) : [index];
      if (spelt.includes(undefined))
        throw new Error(
          `${name} has a character that the model has not learnt: ${nameOf(symbol)}. Reset makes a new model.`,
        );
      indices.push(...spelt);
    }
    return Int32Array.from(indices);
  }

  /** What is shown of each symbol: a byte that is no character by its number. */
  show(index) {
    const symbol = this.symbols[index];
    if (typeof symbol === "string") return symbol;
    return symbol < 0x80 ? String.fromCharCode(symbol) : `\\x${symbol.toString(16).toUpperCase()}`;
  }
}
