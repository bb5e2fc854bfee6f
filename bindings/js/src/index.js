export { compiledModule, init, initSync, isa, isSupported, library as raw, RnnError, version } from "./library.js";
export { VERSION } from "./abi.js";
export { Network } from "./network.js";
export { Trainer } from "./training.js";

import { Network } from "./network.js";

/** A network from the bytes of a file. */
export function load(bytes, options) {
  return Network.load(bytes, options);
}
