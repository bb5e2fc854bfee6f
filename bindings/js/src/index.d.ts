import type {
  Compute,
  Evaluation,
  GenerateFields,
  GroupOptions as GroupFields,
  LayerOptions,
  LoadFields,
  NetworkFields,
  Pooling,
  Progress,
  Raw,
  SaveFields,
  StatusName,
  TrainFields,
} from "./abi.js";

export * from "./abi.js";

/** Where librnn.wasm is: a URL, a response, its bytes, or the compiled module. */
export type Source = string | URL | Response | BufferSource | WebAssembly.Module;

/** Load the library, once. Everything else needs it. source: default: librnn-fma.wasm of this package where the engine
 * has fused multiply-add, otherwise librnn.wasm. */
export function init(source?: Source | Promise<Source>): Promise<void>;

/** The same without waiting: in workers, worklets and Node. */
export function initSync(source: BufferSource | WebAssembly.Module): void;

/** Whether this engine has what the library needs: WebAssembly with SIMD and exceptions. */
export function isSupported(): boolean;

/** The compiled library, to be posted to workers and worklets. */
export function compiledModule(): WebAssembly.Module;

/** The library's version, "0.1.0". */
export function version(): string;

/** The kernels in use: "wasm_fma" where the engine has the CPU's fused multiply-add (relaxed SIMD), or "wasm". */
export function isa(): "wasm" | "wasm_fma";

/** The C ABI itself, for what the classes do not have. */
export function raw(): Raw;

/** What the library refuses or cannot do. The message is the library's, with the values. */
export class RnnError extends Error {
  /** RNN_... of rnn.h, as a number. */
  readonly status: number;
  /** Its name, "RNN_INVALID_ARGUMENT". */
  readonly code: StatusName | "unknown status";
}

/** Numbers that are read. */
export type Numbers = readonly number[] | Float32Array | Float64Array;

/** Whole numbers that are read. */
export type Indices =
  readonly number[] | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** The steps of a sequence as vectors: an array of them, or all numbers one after the other, [T * I]. */
export type Vectors = readonly Numbers[] | Float32Array | Float64Array;

/** A sequence: indices (one-hot inputs), or vectors. */
export type Sequence = Indices | Vectors;

/** Sequences with targets; without pooling a target for each step, with pooling one for each sequence. */
export interface Data {
  inputs: readonly Sequence[];
  /** For squared error and binary cross-entropy: of each sequence its vectors [T * O]; with pooling one vector [O]. */
  targets?: readonly Vectors[] | readonly Numbers[];
  /** For cross-entropy: of each sequence its classes [T]; with pooling one class. */
  classes?: readonly Indices[] | Indices;
  /** Of the target steps: of each sequence [T]; with pooling one number. 0 masks. */
  weights?: readonly Numbers[] | Numbers;
  /** Of each sequence [T]: where the state returns to its initial value before the step. */
  resets?: readonly (readonly (boolean | number)[] | Uint8Array)[];
  pooling?: Pooling;
}

export interface NetworkOptions extends NetworkFields {
  inputSize: number;
  /** The network as a list of layers, instead of cell, hiddenSize, outputSize and numLayers. */
  layers?: readonly LayerOptions[];
}

export interface GroupOptions extends GroupFields {
  /** Of parameter names, "bias_*": * stands for any characters, ? for one. */
  pattern: string;
}

export interface TrainOptions extends TrainFields {
  validation?: Data;
  groups?: readonly GroupOptions[];
  /** [O] */
  classWeights?: Numbers;
}

export interface GenerateOptions extends GenerateFields {
  /** End after this index was drawn. */
  stop?: number;
}

export interface ForwardOptions {
  pooling?: Pooling;
  /** One sequence goes on from the stream's state and advances it. */
  stateful?: boolean;
  /** [N] states [S]; default: the initial one. */
  initialStates?: readonly Numbers[];
}

export interface ForwardResult {
  /** As forward without `states`. */
  outputs: Float32Array[];
  /** Of each sequence the state after every step, [T * S]. */
  states: Float32Array[];
  /** Of each sequence the last state, [S]. */
  finalStates: Float32Array[];
}

/** Where a part of the state is. */
export interface StatePart {
  layer: number;
  /** h, c of an LSTM, or the past inputs of a convolution. */
  name: "h" | "c" | "past";
  direction: "forward" | "reverse";
  offset: number;
  size: number;
}

/** Called between updates; true stops the run. */
export type OnProgress = (progress: Progress) => boolean | void;

declare class Handle {
  /** Release its memory in the library now; otherwise that happens with the garbage, at some time. */
  dispose(): void;
  readonly disposed: boolean;
}

/** A network, and a stream over it. In shapes: I inputs, O outputs, S numbers of the state, T steps. */
export class Network extends Handle {
  constructor(options: NetworkOptions);
  /** A network from the bytes of a file that the library reads (safetensors, PyTorch's, Keras', RTNeural's, ...). */
  static load(bytes: Uint8Array | ArrayBuffer, options?: LoadFields): Network;

  /** I. */
  readonly inputSize: number;
  /** O. */
  readonly outputSize: number;
  /** S. */
  readonly stateSize: number;
  /** The configuration, with defaults resolved and without zeros. */
  readonly config: NetworkFields & { inputSize: number; layers?: LayerOptions[] };
  readonly stateLayout: StatePart[];

  /** Advance the stream by one input [I]; the output [O] is written to y and returned. */
  step(x: Numbers, y?: Float32Array): Float32Array;
  /** The same with a one-hot input. */
  stepIndex(index: number, y?: Float32Array): Float32Array;
  /** Several steps in one call, the same bits as step by step: x [T * I], or indices [T] of an integer type; y [T * O]. */
  stepBlock(x: Float32Array | Float64Array | Int32Array | Uint8Array, y?: Float32Array): Float32Array;
  /** Make room, so that blocks of so many steps allocate nothing and are faster. */
  reserveBlock(steps: number): void;
  /** Return the stream to its initial state. */
  reset(): void;
  /** [S], a copy; may be set. */
  get state(): Float32Array;
  set state(values: Numbers);
  /** The h of a layer in a state; of a bidirectional one both, forward first. */
  hidden(layer: number, state?: Float32Array): Float32Array;
  /** Steps read the state of so many steps ago: the sample rate now divided by that in training. */
  delay: number;
  /** Keep the states before the last `steps` steps, for rewind; 0: none. */
  history(steps: number): void;
  /** Take steps back. */
  rewind(steps: number): void;

  /** Run whole sequences; the stream is left alone. Of each its outputs [T * O]; with pooling [O]. */
  forward(sequences: readonly Sequence[], options?: ForwardOptions & { states?: false }): Float32Array[];
  forward(sequences: readonly Sequence[], options: ForwardOptions & { states: true }): ForwardResult;
  /** Read the prompt, then draw up to `steps` indices, each fed back as the next input. */
  generate(prompt: Indices, steps: number, options?: GenerateOptions): Int32Array;
  /** Run steps of which each reads the output of the one before: [steps * O]. */
  rollout(x: Numbers, steps: number): Float32Array;

  /** Train for options.epochs passes over the data, on this thread, until it is done: pages train in a worker. */
  train(data: Data, options?: TrainOptions, onProgress?: OnProgress): void;
  /** The loss over sequences, without training. */
  evaluate(data: Data, options?: TrainOptions): Evaluation;

  readonly parameters: { name: string; rows: number; columns: number }[];
  /** A parameter, [rows * columns]. */
  getParameter(name: string): Float32Array;
  setParameter(name: string, values: Numbers): void;

  /** Keys of the texts that are kept with the weights and in files. */
  readonly metadataKeys: string[];
  getMetadata(key: string): string | undefined;
  /** Keep a text; null: no longer. */
  setMetadata(key: string, value: string | null): void;

  /** Another stream over the same weights, in the same state. */
  fork(): Network;
  /** Another network: a copy of weights and state. */
  clone(): Network;
  /** A copy that computes with other numbers. */
  convert(compute: Compute): Network;
  /** Use the weights of `source` from now on, and keep this stream's state. */
  sync(source: Network): void;
  /** The network as a file: safetensors, or options.format. */
  save(options?: SaveFields): Uint8Array;
}

/** Weights in training: one update at a time. */
export class Trainer extends Handle {
  /** Start from a network's weights; the network itself does not change. onProgress is called by run. */
  constructor(network: Network, options?: TrainOptions, onProgress?: OnProgress);
  /** One update from all the sequences given, whole. As many as before go on from the states in which those ended, unless
   * options.statelessWindows. */
  update(batch: Data): Progress;
  /** Forget the states that updates carry over. */
  reset(): void;
  /** Go on with the whole job until options.epochs passes are done, or onProgress returns true. */
  run(data: Data): void;
  setLearningRate(rate: number): void;
  /** A network with a copy of the present weights. */
  network(): Network;
  /** Let a stream use the present weights; its state stays. */
  sync(stream: Network): void;
  readonly optimizerBytes: number;
}

/** A network from the bytes of a file: Network.load. */
export function load(bytes: Uint8Array | ArrayBuffer, options?: LoadFields): Network;
