// The compiled library: loading, memory, errors.

import { NAMES, STATUS, STRUCTS, VERSION } from "./abi.js";

/** What the library refused or could not do; `message` is the library's own, with the values. */
export class RnnError extends Error {
  /**
   * @param {number} status RNN_... of rnn.h
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = "RnnError";
    this.status = status;
    this.code = Object.keys(STATUS).find((name) => STATUS[name] === status) ?? "unknown status";
  }
}

// ---- Text -----------------------------------------------------------------------------------

// An AudioWorklet has no TextDecoder.
const decoder = typeof TextDecoder === "undefined" ? null : new TextDecoder();

function decode(bytes) {
  if (decoder) return decoder.decode(bytes);
  let escaped = "";
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, "0")}`;
  return decodeURIComponent(escaped);
}

function encode(text) {
  if (typeof TextEncoder !== "undefined") return new TextEncoder().encode(text);
  const escaped = encodeURIComponent(text);
  const bytes = [];
  for (let i = 0; i < escaped.length; ++i) {
    const hex = escaped[i] === "%";
    bytes.push(hex ? parseInt(escaped.slice(i + 1, i + 3), 16) : escaped.charCodeAt(i));
    if (hex) i += 2;
  }
  return Uint8Array.from(bytes);
}

// ---- Loading --------------------------------------------------------------------------------

// An empty module with an exception's tag and a function that makes a vector: (module (tag) (func (result v128)
// (i8x16.splat (i32.const 0)))).
const NEEDED = Uint8Array.of(
  0x00,
  0x61,
  0x73,
  0x6d,
  1,
  0,
  0,
  0,
  1,
  8,
  2,
  0x60,
  0,
  0,
  0x60,
  0,
  1,
  0x7b,
  3,
  2,
  1,
  1,
  13,
  3,
  1,
  0,
  0,
  10,
  8,
  1,
  6,
  0,
  0x41,
  0,
  0xfd,
  0x0f,
  0x0b,
);

/** Whether this JavaScript engine can run the library: WebAssembly with SIMD and exceptions. */
export function isSupported() {
  return typeof WebAssembly === "object" && WebAssembly.validate(NEEDED);
}

function requireSupport() {
  if (isSupported()) return;
  const lacks = typeof WebAssembly === "object" ? "WebAssembly with SIMD and exceptions" : "WebAssembly";
  throw new Error(
    `librnn: this browser lacks ${lacks}; use Chrome or Edge 95, Firefox 100, Safari 16.4, Node 18, or later`,
  );
}

// (module (func (export "f") (param $a f32) (param $c f32) (result f32) (f32x4.extract_lane 0 (f32x4.relaxed_madd
// (f32x4.splat $a) (f32x4.splat $a) (f32x4.splat $c))))).
// prettier-ignore
const RELAXED = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 7, 1, 0x60, 2, 0x7d, 0x7d, 1, 0x7d,
  3, 2, 1, 0,
  7, 5, 1, 1, 0x66, 0, 0,
  10, 22, 1, 20, 0, 0x20, 0, 0xfd, 0x13, 0x20, 0, 0xfd, 0x13, 0x20, 1, 0xfd, 0x13, 0xfd, 0x85, 2, 0xfd, 0x1f, 0, 0x0b,
);

/** Whether relaxed SIMD is here and rounds a multiply-add once: then a^2 - (1 + 2^-11) is 2^-24, and otherwise 0. */
function fuses() {
  if (!WebAssembly.validate(RELAXED)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(RELAXED)).exports;
  return f(1 + 2 ** -12, -1 - 2 ** -11) === 2 ** -24;
}

// Both give the same bits; the first is several times as fast. Bundlers look for these forms.
const ownFile = () =>
  fuses() ? new URL("../librnn-fma.wasm", import.meta.url) : new URL("../librnn.wasm", import.meta.url);

let module = null; // WebAssembly.Module
let raw = null; // its exports
let pending = null; // of init

/** Exports of the library; see Raw in abi.d.ts. */
export function library() {
  if (!raw) throw new Error("librnn is not loaded: call `await init()` first");
  return raw;
}

// Functions that training calls back, by the number that the library is given as `user`.
const callbacks = new Map();
let lastCallback = 0;

/** Let the library call `callback(progress)` in `body`, which gets what it has to be given. */
export function addCallback(callback) {
  callbacks.set(++lastCallback, callback);
  return lastCallback;
}
export function removeCallback(user) {
  callbacks.delete(user);
}

// What the compiled code asks of the system. It has no files; a clock tells the speed of training.
function imports(compiled) {
  const ENOSYS = 52;
  const known = {
    librnn: {
      progress: (progress, user) => (callbacks.get(user)(readStruct("rnn_progress_t", progress)) ? 1 : 0),
    },
    env: { emscripten_notify_memory_growth() {} },
    wasi_snapshot_preview1: {
      clock_time_get(id, precision, out) {
        const now = typeof performance === "object" ? performance.now() : Date.now();
        new DataView(raw.memory.buffer).setBigUint64(out, BigInt(Math.round(now * 1e6)), true);
        return 0;
      },
      environ_sizes_get(count, size) {
        const view = new DataView(raw.memory.buffer);
        view.setUint32(count, 0, true);
        view.setUint32(size, 0, true);
        return 0;
      },
      environ_get: () => 0,
      proc_exit(code) {
        throw new Error(`librnn ended with ${code}`);
      },
    },
  };
  const result = {};
  for (const { module: from, name } of WebAssembly.Module.imports(compiled))
    (result[from] ??= {})[name] = known[from]?.[name] ?? (() => ENOSYS);
  return result;
}

function adopt(compiled, instance) {
  module = compiled;
  raw = instance.exports;
  raw._initialize?.();
  const version = text(raw.rnn_version());
  if (version !== VERSION) {
    raw = null;
    throw new Error(`librnn.wasm has version ${version}, this package is ${VERSION}: use the file of the package`);
  }
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) return WebAssembly.compile(source);
  if (typeof Response !== "undefined" && source instanceof Response) {
    if (!source.ok) throw new Error(`librnn.wasm: ${source.url} gives ${source.status} ${source.statusText}`);
    return WebAssembly.compile(await source.arrayBuffer());
  }
  const url = source === undefined ? ownFile() : new URL(source, import.meta.url);
  if (url.protocol === "file:" && typeof process === "object") {
    const { readFile } = await import("node:fs/promises");
    return WebAssembly.compile(await readFile(url));
  }
  return compile(await fetch(url));
}

/**
 * Load the library, once; further calls wait for the first one.
 * source: where librnn.wasm is: a URL, a Response, its bytes, or a compiled WebAssembly.Module; default: beside this
 * package.
 */
export async function init(source) {
  if (raw) return;
  pending ??= (async () => {
    requireSupport();
    const compiled = await compile(await source);
    adopt(compiled, await WebAssembly.instantiate(compiled, imports(compiled)));
  })().finally(() => {
    pending = null;
  });
  await pending;
}

/** The same without waiting, as workers, worklets and Node may. source: bytes or a WebAssembly.Module. */
export function initSync(source) {
  if (raw) return;
  requireSupport();
  const compiled = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
  adopt(compiled, new WebAssembly.Instance(compiled, imports(compiled)));
}

/** The compiled module, to be posted to a worker or worklet, which gives it to init or initSync. */
export function compiledModule() {
  library();
  return module;
}

export function version() {
  return text(library().rnn_version());
}

/** The kernels in use: "wasm_fma" where the engine has the CPU's fused multiply-add, or "wasm". */
export function isa() {
  return text(library().rnn_isa());
}

// ---- Memory ---------------------------------------------------------------------------------

// Views of the library's memory; memory that grows gets a new buffer.
const views = { buffer: null, u8: null, i32: null, u32: null, f32: null, data: null };

export function memory() {
  const buffer = raw.memory.buffer;
  if (views.buffer !== buffer) {
    views.buffer = buffer;
    views.u8 = new Uint8Array(buffer);
    views.i32 = new Int32Array(buffer);
    views.u32 = new Uint32Array(buffer);
    views.f32 = new Float32Array(buffer);
    views.data = new DataView(buffer);
  }
  return views;
}

/** Text that ends with a zero byte. */
export function text(address) {
  const bytes = memory().u8;
  return decode(bytes.slice(address, bytes.indexOf(0, address)));
}

export function check(status) {
  if (status !== STATUS.RNN_OK) throw new RnnError(status, text(raw.rnn_last_error()));
}

export function allocate(bytes) {
  // malloc would take the lowest 32 bits of more.
  const address = bytes < 2 ** 32 ? library().malloc(Math.max(bytes, 1)) : 0;
  if (!address) throw new RnnError(STATUS.RNN_OUT_OF_MEMORY, `librnn: no memory for ${bytes} bytes`);
  return address;
}

/** What calls read and write, for as long as they need it. */
export class Frame {
  #blocks = [];
  #last = [];

  bytes(size) {
    const address = allocate(size);
    this.#blocks.push(address);
    return address;
  }
  /** Room for so many floats, or a copy of an array of them. */
  floats(values) {
    if (typeof values === "number") return this.bytes(4 * values);
    const address = this.bytes(4 * values.length);
    memory().f32.set(values, address / 4);
    return address;
  }
  integers(values) {
    if (typeof values === "number") return this.bytes(4 * values);
    const address = this.bytes(4 * values.length);
    memory().i32.set(values, address / 4);
    return address;
  }
  copy(bytes) {
    const address = this.bytes(bytes.length);
    memory().u8.set(bytes, address);
    return address;
  }
  text(value) {
    if (value.includes("\0")) throw new TypeError(`${show(value)} has a zero character, with which texts end`);
    const bytes = encode(value);
    const address = this.bytes(bytes.length + 1);
    const { u8 } = memory();
    u8.set(bytes, address);
    u8[address + bytes.length] = 0;
    return address;
  }
  /** Elements one after the other, each with its fields; what is not given is zero. */
  structs(name, elements) {
    const { size } = STRUCTS[name];
    const address = this.bytes(size * elements.length);
    memory().u8.fill(0, address, address + size * elements.length);
    elements.forEach((fields, i) => {
      writeField(STRUCTS[name].fields.structSize, address + i * size, size);
      this.write(name, address + i * size, fields);
    });
    return address;
  }
  struct(name, fields = {}) {
    return this.structs(name, [fields]);
  }
  write(name, address, fields) {
    for (const [key, value] of Object.entries(fields)) {
      const field = STRUCTS[name].fields[key];
      writeField(field, address, typeof value === "string" ? this.text(value) : value);
    }
  }
  /** Call body when this is released. */
  finally(body) {
    this.#last.push(body);
  }
  release() {
    for (const address of this.#blocks.splice(0)) raw.free(address);
    for (const body of this.#last.splice(0)) body();
  }
}

/** Call body(frame), whose memory is released after it. */
export function withFrame(body) {
  const frame = new Frame();
  try {
    return body(frame);
  } finally {
    frame.release();
  }
}

function writeField([offset, kind], address, value) {
  const { data } = memory();
  const place = address + offset;
  if (kind === "i32") data.setInt32(place, value, true);
  else if (kind === "f32") data.setFloat32(place, value, true);
  else if (kind === "f64") data.setFloat64(place, value, true);
  else if (kind === "u64") data.setBigUint64(place, BigInt(value), true);
  else data.setUint32(place, value, true);
}

function readField([offset, kind, group], address) {
  const { data } = memory();
  const place = address + offset;
  if (kind === "f32") return data.getFloat32(place, true);
  if (kind === "f64") return data.getFloat64(place, true);
  if (kind === "u64") return Number(data.getBigUint64(place, true));
  if (kind === "text") return text(data.getUint32(place, true));
  const number = kind === "i32" ? data.getInt32(place, true) : data.getUint32(place, true);
  if (group === "boolean") return number !== 0;
  if (group === "FLAG") return Object.keys(NAMES.FLAG).filter((name) => number & NAMES.FLAG[name]);
  if (group) return nameOf(group, number);
  return number;
}

function nameOf(group, number) {
  return Object.keys(NAMES[group]).find((name) => NAMES[group][name] === number) ?? number;
}

/** A struct as an object; what is zero is left out if it says so. */
export function readStruct(name, address, withZeros = true) {
  const result = {};
  for (const [key, field] of Object.entries(STRUCTS[name].fields)) {
    if (key === "structSize" || key === "reserved") continue;
    const value = readField(field, address);
    const zero =
      value === 0 ||
      value === false ||
      (Array.isArray(value) && value.length === 0) ||
      (field[2] && value === nameOf(field[2], 0));
    if (withZeros || !zero) result[key] = value;
  }
  return result;
}

// ---- Checking what is given -----------------------------------------------------------------

export function show(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  const name = value.constructor?.name ?? "object";
  return typeof value.length === "number" ? `${name}(${value.length})` : name;
}

export function integer(name, value, least = -(2 ** 31), most = 2 ** 31 - 1) {
  if (!Number.isInteger(value)) throw new TypeError(`${name} is ${show(value)}; it must be a whole number`);
  if (value < least || value > most) throw new RangeError(`${name} is ${value}; it must be ${least}..${most}`);
  return value;
}

export function size(name, value) {
  return integer(name, value, 0, 2 ** 32 - 1);
}

/** The number of a constant that is given by its name. */
export function constant(name, group, value) {
  const number = typeof value === "string" && Object.hasOwn(NAMES[group], value) ? NAMES[group][value] : undefined;
  if (number !== undefined) return number;
  const names = Object.keys(NAMES[group]).map((one) => `"${one}"`);
  throw new TypeError(`${name} is ${show(value)}; it must be ${names.slice(0, -1).join(", ")} or ${names.at(-1)}`);
}

function fieldValue(name, [, kind, group], value) {
  if (group === "FLAG") {
    if (!Array.isArray(value)) throw new TypeError(`${name} is ${show(value)}; it must be an array of names`);
    return value.reduce((flags, flag) => flags | constant(name, "FLAG", flag), 0);
  }
  if (group === "boolean") {
    if (typeof value !== "boolean") throw new TypeError(`${name} is ${show(value)}; it must be true or false`);
    return value ? 1 : 0;
  }
  if (group) return constant(name, group, value);
  if (kind === "text") {
    if (typeof value !== "string") throw new TypeError(`${name} is ${show(value)}; it must be a text`);
    return value;
  }
  if (kind === "u64") {
    if (typeof value === "bigint" && value >= 0n && value < 2n ** 64n) return value;
    return integer(name, value, 0, Number.MAX_SAFE_INTEGER);
  }
  if (kind === "i32") return integer(name, value);
  if (kind === "u32") return integer(name, value, 0, 2 ** 32 - 1);
  if (typeof value !== "number") throw new TypeError(`${name} is ${show(value)}; it must be a number`);
  return value;
}

export function checkedObject(name, value) {
  if (value === null || typeof value !== "object")
    throw new TypeError(`${name} is ${show(value)}; it must be an object`);
  return value;
}

/** Options of `what` as fields of a struct; `apart`: those of its fields that are not options. */
export function fieldsOf(struct, options, what, apart = []) {
  checkedObject(what, options);
  const hidden = ["structSize", "reserved", ...apart];
  const fields = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (hidden.includes(key) || !Object.hasOwn(STRUCTS[struct].fields, key)) {
      const known = Object.keys(STRUCTS[struct].fields).filter((field) => !hidden.includes(field));
      throw new TypeError(`${what} has no ${show(key)}; it has ${known.join(", ")}`);
    }
    fields[key] = fieldValue(`${what}.${key}`, STRUCTS[struct].fields[key], value);
  }
  return fields;
}
