// Sequences and targets of JavaScript as rnn_sequences_t.
//
// A sequence is indices, as an array of integers ([3, 1, 4], or Int32Array, Uint8Array, ...), or vectors, as an array
// of arrays ([[0.1, 0.2], ...]), or as a Float32Array or Float64Array of all its steps.

import { checkedObject, constant, integer, memory, show } from "./library.js";

const isFloats = (value) => value instanceof Float32Array || value instanceof Float64Array;
const isTyped = (value) => ArrayBuffer.isView(value) && !(value instanceof DataView);
const isList = (value) => Array.isArray(value) || isTyped(value);

function list(name, value) {
  if (!Array.isArray(value)) throw new TypeError(`${name} is ${show(value)}; it must be an array of sequences`);
  if (value.length === 0) throw new RangeError(`${name} is empty; it must have a sequence or more`);
  return value;
}

/** How many steps a sequence has, and whether they are indices. width: of its vectors. */
function describe(name, sequence, width) {
  if (!isList(sequence)) throw new TypeError(`${name} is ${show(sequence)}; it must be an array`);
  if (sequence.length === 0) throw new RangeError(`${name} is empty; it must have a step or more`);
  if (isFloats(sequence)) {
    if (sequence.length % width !== 0)
      throw new RangeError(`${name} has ${sequence.length} numbers; steps of ${width} each need a multiple of that`);
    return { steps: sequence.length / width, indexed: false };
  }
  return { steps: sequence.length, indexed: isTyped(sequence) || !isList(sequence[0]) };
}

function vector(name, value, width) {
  if (!isList(value) || value.length !== width)
    throw new TypeError(`${name} is ${show(value)}; it must be an array of ${width} number${width === 1 ? "" : "s"}`);
  for (let i = 0; i < width; ++i)
    if (typeof value[i] !== "number") throw new TypeError(`${name}[${i}] is ${show(value[i])}; it must be a number`);
  return value;
}

/** Copy the steps of sequences to `address`, behind each other. */
function write(name, sequences, width, indexed, address) {
  let place = address / 4;
  sequences.forEach((sequence, n) => {
    const { i32, f32 } = memory();
    if (indexed) {
      if (!isTyped(sequence)) for (const [t, index] of sequence.entries()) integer(`${name}[${n}][${t}]`, index); // holes, too
      i32.set(sequence, place);
      place += sequence.length;
    } else if (isFloats(sequence)) {
      f32.set(sequence, place);
      place += sequence.length;
    } else {
      for (const [t, step] of sequence.entries()) {
        f32.set(vector(`${name}[${n}][${t}]`, step, width), place);
        place += width;
      }
    }
  });
}

/** Lengths, kind and steps of inputs, or of targets for each step. */
function steps(frame, name, sequences, width) {
  const described = list(name, sequences).map((sequence, n) => describe(`${name}[${n}]`, sequence, width));
  const { indexed } = described[0];
  const other = described.findIndex((sequence) => sequence.indexed !== indexed);
  if (other >= 0)
    throw new TypeError(
      `${name}[0] has ${indexed ? "indices" : "vectors"} and ${name}[${other}] ${
        indexed ? "vectors" : "indices"
      }; all must be of one kind`,
    );
  const lengths = described.map((sequence) => sequence.steps);
  const frames = lengths.reduce((sum, length) => sum + length, 0);
  const address = frame.bytes(4 * frames * (indexed ? 1 : width));
  write(name, sequences, width, indexed, address);
  return { lengths, frames, indexed, address };
}

function requireLengths(name, lengths, expected) {
  if (lengths.length !== expected.length)
    throw new RangeError(`${name} has ${lengths.length} sequences; inputs has ${expected.length}`);
  const n = lengths.findIndex((length, i) => length !== expected[i]);
  if (n >= 0) throw new RangeError(`${name}[${n}] has ${lengths[n]} steps; inputs[${n}] has ${expected[n]}`);
}

/** Numbers, one for each step, or with pooling one for each sequence. */
function numbers(name, values, lengths, pooled) {
  const given = pooled ? [values] : list(name, values);
  given.forEach((row, n) => {
    if (!isList(row)) throw new TypeError(`${name}${pooled ? "" : `[${n}]`} is ${show(row)}; it must be an array`);
  });
  requireLengths(
    name,
    given.map((row) => row.length),
    pooled ? [lengths.length] : lengths,
  );
  return given.flatMap((row) => Array.from(row, Number));
}

/** Fields of rnn_sequences_t for inputs alone. */
export function inputFields(frame, sequences, inputSize, name = "sequences") {
  const { lengths, frames, indexed, address } = steps(frame, name, sequences, inputSize);
  return {
    lengths,
    fields: {
      count: lengths.length,
      frames,
      lengths: frame.integers(lengths),
      [indexed ? "indices" : "inputs"]: address,
    },
  };
}

const DATA = ["inputs", "targets", "classes", "weights", "resets", "pooling"];

/** The same with targets; data: {inputs, targets or classes, weights, resets, pooling}. */
export function dataFields(frame, data, inputSize, outputSize, what = "data") {
  checkedObject(what, data);
  const unknown = Object.keys(data).find((key) => !DATA.includes(key));
  if (unknown !== undefined) throw new TypeError(`${what} has no ${show(unknown)}; it has ${DATA.join(", ")}`);
  const { lengths, fields } = inputFields(frame, data.inputs, inputSize, `${what}.inputs`);
  fields.pooling = constant(`${what}.pooling`, "POOLING", data.pooling ?? "none");
  const pooled = fields.pooling !== 0;
  if ((data.targets == null) === (data.classes == null))
    throw new TypeError(`${what} must have either targets or classes`);
  if (data.classes != null) {
    const classes = numbers(`${what}.classes`, data.classes, lengths, pooled);
    classes.forEach((index) => integer(`a class in ${what}.classes`, index));
    fields.classes = frame.integers(classes);
  } else if (pooled) {
    const rows = list(`${what}.targets`, data.targets);
    requireLengths(`${what}.targets`, [rows.length], [lengths.length]);
    fields.targets = frame.floats(
      rows.flatMap((row, n) => Array.from(vector(`${what}.targets[${n}]`, row, outputSize))),
    );
  } else {
    const targets = steps(frame, `${what}.targets`, data.targets, outputSize);
    if (targets.indexed)
      throw new TypeError(
        `${what}.targets[0] has whole numbers; it must have vectors of ${outputSize} (or be ${what}.classes)`,
      );
    requireLengths(`${what}.targets`, targets.lengths, lengths);
    fields.targets = targets.address;
  }
  if (data.weights != null) fields.weights = frame.floats(numbers(`${what}.weights`, data.weights, lengths, pooled));
  if (data.resets != null) {
    const resets = numbers(`${what}.resets`, data.resets, lengths, false);
    resets.forEach((reset) => integer(`a reset in ${what}.resets`, reset, 0, 1));
    fields.resets = frame.copy(resets);
  }
  return fields;
}
