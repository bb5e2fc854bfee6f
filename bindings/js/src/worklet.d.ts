/** processorOptions of the AudioWorklet processor "librnn". */
export interface RnnProcessorOptions {
  /** compiledModule(), or the bytes of librnn.wasm. */
  library: WebAssembly.Module | BufferSource;
  /** The bytes of a network's file: the first input is the audio; one output. */
  network: Uint8Array | ArrayBuffer;
  /** At which the network was trained; default: the context's. */
  sampleRate?: number;
  /** Values of the inputs behind the first one; default: zeros. */
  conditions?: readonly number[];
}

/** What node.port takes. */
export interface RnnProcessorMessage {
  conditions?: readonly number[];
  network?: Uint8Array | ArrayBuffer;
  reset?: boolean;
}
