// A network, and a stream over it.

import { NAMES, STRUCTS } from "./abi.js";
import { Handle, made } from "./handle.js";
import {
  check,
  checkedObject,
  constant,
  fieldsOf,
  Frame,
  integer,
  library,
  memory,
  readStruct,
  show,
  size,
  text,
  withFrame,
} from "./library.js";
import { dataFields, inputFields } from "./sequences.js";
import { train, trainFields } from "./training.js";

const OWN_CONFIG = ["allocator", "layers", "layerCount"];

/** Numbers of a given length that are copied into the library. */
function floats(name, values, count) {
  const right = (Array.isArray(values) || ArrayBuffer.isView(values)) && values.length === count;
  if (!right)
    throw new TypeError(`${name} is ${show(values)}; it must be an array of ${count} number${count === 1 ? "" : "s"}`);
  return values;
}

/** Where numbers of a given length are written. */
function room(name, values, count) {
  if (Array.isArray(values)) throw new TypeError(`${name} is ${show(values)}; it must be a Float32Array(${count})`);
  return floats(name, values, count);
}

function bytesOf(name, value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`${name} is ${show(value)}; it must be bytes: a Uint8Array or an ArrayBuffer`);
}

/** What a call writes that is first asked for its size. */
function sized(frame, call) {
  const out = frame.integers([0]);
  check(call(0, 0, out));
  const bytes = memory().u32[out / 4];
  const address = frame.bytes(bytes);
  check(call(address, bytes, out));
  return memory().u8.slice(address, address + bytes);
}

export class Network extends Handle {
  #x; // [I] and [O] of a step
  #y;
  #block; // room for step blocks: address and bytes
  #frame = new Frame();
  #inputSize;
  #outputSize;
  #stateSize;

  constructor(options) {
    super();
    if (options instanceof Made) {
      this.#adopt(options.address);
      return;
    }
    const { layers, ...rest } = checkedObject("options", options);
    const fields = fieldsOf("rnn_config_t", rest, "options", OWN_CONFIG);
    const address = withFrame((frame) => {
      if (layers !== undefined && layers !== null) {
        if (!Array.isArray(layers))
          throw new TypeError(`options.layers is ${show(layers)}; it must be an array of layers`);
        const list = layers.map((layer, i) => fieldsOf("rnn_layer_t", layer, `options.layers[${i}]`));
        Object.assign(fields, { layers: frame.structs("rnn_layer_t", list), layerCount: list.length });
      }
      const config = frame.struct("rnn_config_t", fields);
      return made(frame, (out) => check(library().rnn_create(config, out)));
    });
    this.#adopt(address);
  }

  #adopt(address) {
    this._hold(address, library().rnn_destroy, this.#frame);
    const config = this.config;
    this.#inputSize = config.inputSize;
    this.#outputSize = this.#count(library().rnn_output_size);
    this.#stateSize = this.#count(library().rnn_state_size);
    this.#x = this.#frame.floats(this.#inputSize);
    this.#y = this.#frame.floats(this.#outputSize);
    this.#block = { address: 0, bytes: 0 };
  }

  #count(call) {
    return withFrame((frame) => {
      const out = frame.integers([0]);
      check(call(this._address, out));
      return memory().u32[out / 4];
    });
  }

  // ---- What it is ----

  get inputSize() {
    return this.#inputSize;
  }
  get outputSize() {
    return this.#outputSize;
  }
  get stateSize() {
    return this.#stateSize;
  }

  get config() {
    return withFrame((frame) => {
      const out = frame.struct("rnn_config_t");
      check(library().rnn_get_config(this._address, out));
      const { layers, layerCount, ...config } = readStruct("rnn_config_t", out, false);
      if (layerCount)
        config.layers = Array.from({ length: layerCount }, (_, i) =>
          readStruct("rnn_layer_t", layers + i * STRUCTS.rnn_layer_t.size, false),
        );
      return config;
    });
  }

  /** Where in the state the h (and c of an LSTM) of each layer is. */
  get stateLayout() {
    const { layers, ...config } = this.config;
    const parts = [];
    const cells = [];
    let offset = 0;
    const add = (layer, name, direction, count) => {
      parts.push({ layer, name, direction, offset, size: count });
      offset += count;
    };
    let inputs = config.embeddingSize || config.inputSize;
    const all =
      layers ??
      Array.from({ length: config.numLayers }, () => ({
        kind: config.cell,
        size: config.hiddenSize,
        projectionSize: config.projectionSize,
        direction: config.flags?.includes("bidirectional") ? "both" : "forward",
      }));
    all.forEach(({ kind, size: width, direction, projectionSize, kernelSize, dilation }, layer) => {
      let outputs = width;
      if (kind === "conv1d") {
        const past = (kernelSize - 1) * (dilation || 1) * inputs;
        if (past > 0) add(layer, "past", "forward", past);
      } else if (Object.hasOwn(NAMES.CELL, kind)) {
        const both = direction === "both" || direction === "sum";
        const directions = both ? ["forward", "reverse"] : [direction ?? "forward"];
        outputs = projectionSize || width;
        for (const one of directions) {
          add(layer, "h", one, outputs);
          if (kind === "lstm") cells.push([layer, "c", one, width]);
        }
        if (direction === "both") outputs *= 2;
      }
      inputs = outputs;
    });
    for (const cell of cells) add(...cell);
    return parts;
  }

  // ---- Steps ----

  step(x, y = new Float32Array(this.#outputSize)) {
    const handle = this._address;
    const { f32 } = memory();
    f32.set(floats("x", x, this.#inputSize), this.#x / 4);
    room("y", y, this.#outputSize);
    check(library().rnn_step(handle, this.#x, this.#y));
    y.set(f32.subarray(this.#y / 4, this.#y / 4 + this.#outputSize));
    return y;
  }

  stepIndex(index, y = new Float32Array(this.#outputSize)) {
    room("y", y, this.#outputSize);
    check(library().rnn_step_index(this._address, integer("index", index), this.#y));
    y.set(memory().f32.subarray(this.#y / 4, this.#y / 4 + this.#outputSize));
    return y;
  }

  /** Several steps in one call. x: [steps * I], or indices [steps] of an integer type. */
  stepBlock(x, y) {
    const handle = this._address; // before anything is written to what it holds
    const indexed = ArrayBuffer.isView(x) && !(x instanceof Float32Array || x instanceof Float64Array);
    const steps = x.length / (indexed ? 1 : this.#inputSize);
    if (!Number.isInteger(steps))
      throw new RangeError(`x has ${show(x.length)} numbers; steps of ${this.#inputSize} each need a multiple of that`);
    y ??= new Float32Array(steps * this.#outputSize);
    room("y", y, steps * this.#outputSize);
    this.#reserve(x.length, steps);
    const read = this.#block.address;
    const written = read + 4 * x.length;
    const { i32, f32 } = memory();
    (indexed ? i32 : f32).set(x, read / 4);
    check((indexed ? library().rnn_step_block_index : library().rnn_step_block)(handle, read, steps, written));
    y.set(f32.subarray(written / 4, written / 4 + y.length));
    return y;
  }

  /** Room for what blocks of so many steps read and write. */
  #reserve(inputs, steps) {
    const bytes = 4 * (inputs + steps * this.#outputSize);
    if (bytes > this.#block.bytes) this.#block = { address: this.#frame.bytes(bytes), bytes };
  }

  reserveBlock(steps) {
    check(library().rnn_reserve_block(this._address, size("steps", steps)));
    this.#reserve(steps * this.#inputSize, steps);
  }

  reset() {
    check(library().rnn_reset(this._address));
  }

  get state() {
    return withFrame((frame) => {
      const out = frame.floats(this.#stateSize);
      check(library().rnn_get_state(this._address, out, this.#stateSize));
      return memory().f32.slice(out / 4, out / 4 + this.#stateSize);
    });
  }
  set state(values) {
    withFrame((frame) => {
      const given = frame.floats(floats("state", values, this.#stateSize));
      check(library().rnn_set_state(this._address, given, this.#stateSize));
    });
  }

  /** The h of a layer, both directions of a bidirectional one behind each other. */
  hidden(layer, state = this.state) {
    const parts = this.stateLayout.filter((part) => part.layer === layer && part.name === "h");
    if (parts.length === 0) throw new RangeError(`layer is ${show(layer)}; that layer has no h: see stateLayout`);
    const last = parts.at(-1);
    return state.slice(parts[0].offset, last.offset + last.size);
  }

  get delay() {
    return withFrame((frame) => {
      const out = frame.floats(1);
      check(library().rnn_get_delay(this._address, out));
      return memory().f32[out / 4];
    });
  }
  set delay(value) {
    check(library().rnn_set_delay(this._address, value));
  }

  history(steps) {
    check(library().rnn_history(this._address, size("steps", steps)));
  }
  rewind(steps) {
    check(library().rnn_rewind(this._address, size("steps", steps)));
  }

  // ---- Sequences ----

  /** Run whole sequences. The outputs of each; with options.states also all states and the last ones. */
  forward(sequences, options = {}) {
    const {
      pooling = "none",
      stateful = false,
      initialStates,
      states = false,
      ...rest
    } = checkedObject("options", options);
    const unknown = Object.keys(rest)[0];
    if (unknown !== undefined)
      throw new TypeError(`options has no ${show(unknown)}; it has pooling, stateful, initialStates, states`);
    return withFrame((frame) => {
      const { lengths, fields } = inputFields(frame, sequences, this.#inputSize);
      const S = this.#stateSize;
      const poolingNumber = constant("options.pooling", "POOLING", pooling);
      const settings = { pooling: poolingNumber, stateful: stateful ? 1 : 0 };
      if (initialStates != null) {
        if (initialStates.length !== lengths.length)
          throw new RangeError(
            `options.initialStates has ${initialStates.length} states; there are ${lengths.length} sequences`,
          );
        settings.initialStates = frame.floats(
          initialStates.flatMap((state, n) => Array.from(floats(`options.initialStates[${n}]`, state, S))),
        );
      }
      if (states) {
        settings.states = frame.floats(fields.frames * S);
        settings.finalStates = frame.floats(lengths.length * S);
      }
      const rows = poolingNumber ? lengths.map(() => 1) : lengths;
      const outputs = frame.floats(rows.reduce((sum, n) => sum + n, 0) * this.#outputSize);
      check(
        library().rnn_forward(
          this._address,
          frame.struct("rnn_sequences_t", fields),
          frame.struct("rnn_forward_options_t", settings),
          outputs,
        ),
      );
      const cut = (address, counts, width) => {
        let place = address / 4;
        return counts.map((count) => memory().f32.slice(place, (place += count * width)));
      };
      const result = cut(outputs, rows, this.#outputSize);
      if (!states) return result;
      return {
        outputs: result,
        states: cut(settings.states, lengths, S),
        finalStates: cut(
          settings.finalStates,
          lengths.map(() => 1),
          S,
        ),
      };
    });
  }

  /** Read the prompt, then draw up to `steps` indices, each fed back as the next input. */
  generate(prompt, steps, options = {}) {
    const { stop, ...rest } = checkedObject("options", options);
    const fields = fieldsOf("rnn_generate_options_t", rest, "options", ["prompt", "promptCount", "stop", "stopIndex"]);
    if (stop !== undefined && stop !== null)
      Object.assign(fields, { stop: 1, stopIndex: integer("options.stop", stop) });
    if (!Array.isArray(prompt) && !ArrayBuffer.isView(prompt))
      throw new TypeError(`prompt is ${show(prompt)}; it must be an array of indices`);
    return withFrame((frame) => {
      Array.from(prompt).forEach((index, i) => integer(`prompt[${i}]`, index));
      Object.assign(fields, { prompt: frame.integers(prompt), promptCount: prompt.length });
      const drawn = frame.integers(size("steps", steps));
      const written = frame.integers([0]);
      const settings = frame.struct("rnn_generate_options_t", fields);
      check(library().rnn_generate(this._address, settings, drawn, steps, written));
      return memory().i32.slice(drawn / 4, drawn / 4 + memory().u32[written / 4]);
    });
  }

  /** Run steps of which each reads the output of the one before: [steps * O]. */
  rollout(x, steps) {
    return withFrame((frame) => {
      const read = frame.floats(floats("x", x, this.#inputSize));
      const count = size("steps", steps) * this.#outputSize;
      const written = frame.floats(count);
      check(library().rnn_rollout(this._address, read, steps, written));
      return memory().f32.slice(written / 4, written / 4 + count);
    });
  }

  // ---- Training ----

  /** Train for options.epochs passes over data; onProgress(progress), called after updates, stops the run by true. */
  train(data, options = {}, onProgress = undefined) {
    train(this, data, options, onProgress);
  }

  evaluate(data, options = {}) {
    return withFrame((frame) => {
      const fields = dataFields(frame, data, this.#inputSize, this.#outputSize);
      const settings = trainFields(frame, options, this.#inputSize, this.#outputSize);
      const out = frame.struct("rnn_evaluation_t");
      check(
        library().rnn_evaluate(
          this._address,
          frame.struct("rnn_sequences_t", fields),
          frame.struct("rnn_train_options_t", settings),
          out,
        ),
      );
      return readStruct("rnn_evaluation_t", out);
    });
  }

  // ---- Parameters ----

  /** Name, rows and columns of each parameter. */
  get parameters() {
    const count = this.#count(library().rnn_parameter_count);
    return withFrame((frame) => {
      const info = frame.struct("rnn_parameter_t");
      return Array.from({ length: count }, (_, i) => {
        check(library().rnn_parameter_info(this._address, i, info));
        return readStruct("rnn_parameter_t", info);
      });
    });
  }

  #parameter(name) {
    const found = this.parameters.find((one) => one.name === name);
    if (!found)
      throw new RangeError(
        `there is no parameter ${show(name)}; there are ${this.parameters.map((one) => one.name).join(", ")}`,
      );
    return found.rows * found.columns;
  }

  /** The numbers of a parameter, row by row. */
  getParameter(name) {
    const count = this.#parameter(name);
    return withFrame((frame) => {
      const out = frame.floats(count);
      check(library().rnn_get_parameter(this._address, frame.text(name), out, count));
      return memory().f32.slice(out / 4, out / 4 + count);
    });
  }

  setParameter(name, values) {
    const count = this.#parameter(name);
    withFrame((frame) => {
      const given = frame.floats(floats("values", values, count));
      check(library().rnn_set_parameter(this._address, frame.text(name), given, count));
    });
  }

  // ---- Texts ----

  /** The keys of the texts that are kept with the weights. */
  get metadataKeys() {
    const count = this.#count(library().rnn_metadata_count);
    return withFrame((frame) => {
      const out = frame.integers([0]);
      return Array.from({ length: count }, (_, i) => {
        check(library().rnn_metadata_key(this._address, i, out));
        return text(memory().u32[out / 4]);
      });
    });
  }

  /** A text; undefined if there is none of that key. */
  getMetadata(key) {
    if (!this.metadataKeys.includes(key)) return undefined;
    return withFrame((frame) => {
      const name = frame.text(key);
      const out = frame.integers([0]);
      check(library().rnn_get_metadata(this._address, name, 0, 0, out));
      const bytes = memory().u32[out / 4];
      const value = frame.bytes(bytes);
      check(library().rnn_get_metadata(this._address, name, value, bytes, out));
      return text(value);
    });
  }

  /** Keep a text, or with null no longer. */
  setMetadata(key, value) {
    if (typeof key !== "string") throw new TypeError(`key is ${show(key)}; it must be a text`);
    if (typeof value !== "string" && value !== null)
      throw new TypeError(`value is ${show(value)}; it must be a text, or null`);
    withFrame((frame) => {
      check(library().rnn_set_metadata(this._address, frame.text(key), value === null ? 0 : frame.text(value)));
    });
  }

  // ---- Copies and files ----

  #make(call) {
    return new Network(new Made(withFrame((frame) => made(frame, (out) => check(call(out))))));
  }

  /** Another stream over the same weights, in the same state. */
  fork() {
    return this.#make((out) => library().rnn_fork(this._address, out));
  }
  /** Another network: a copy of weights and state. */
  clone() {
    return this.#make((out) => library().rnn_clone(this._address, out));
  }
  /** A copy that computes with "f32", "bf16" or "int8". */
  convert(compute) {
    const number = constant("compute", "COMPUTE", compute);
    return this.#make((out) => library().rnn_convert(this._address, number, out));
  }
  /** Use the weights of `source` from now on, and keep this stream's state. */
  sync(source) {
    if (!(source instanceof Network)) throw new TypeError(`source is ${show(source)}; it must be a Network`);
    check(library().rnn_sync(this._address, source._address));
  }

  /** The network as a file: safetensors, or options.format "binary" or "c". */
  save(options = {}) {
    const fields = fieldsOf("rnn_save_options_t", options, "options");
    return withFrame((frame) => {
      const settings = frame.struct("rnn_save_options_t", fields);
      return sized(frame, (address, capacity, out) =>
        library().rnn_save_memory_as(this._address, settings, address, capacity, out),
      );
    });
  }

  /** A network from the bytes of a file that this library reads: see rnn_load of rnn.h. */
  static load(bytes, options = {}) {
    const fields = fieldsOf("rnn_load_options_t", options, "options");
    const file = bytesOf("bytes", bytes);
    return new Network(
      new Made(
        withFrame((frame) => {
          const address = frame.copy(file);
          const settings = frame.struct("rnn_load_options_t", fields);
          return made(frame, (out) => check(library().rnn_load_memory_as(address, file.length, settings, 0, out)));
        }),
      ),
    );
  }

  static _of(address) {
    return new Network(new Made(address));
  }
}

// A handle that the library has made.
class Made {
  constructor(address) {
    this.address = address;
  }
}
