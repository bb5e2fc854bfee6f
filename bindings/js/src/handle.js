// Objects of the library: one that nobody holds any longer is released with the garbage.

import { memory } from "./library.js";

const registry =
  typeof FinalizationRegistry === "undefined"
    ? null
    : new FinalizationRegistry(({ destroy, address, frame }) => {
        destroy(address);
        frame.release();
      });

export class Handle {
  #held = null;
  #using = null; // why it may not be used now

  /** Hold what the library has made; frame: what lives as long as it. */
  _hold(address, destroy, frame) {
    this.#held = { address, destroy, frame };
    registry?.register(this, this.#held, this);
  }

  /** The handle's address. */
  get _address() {
    if (!this.#held) throw new Error(`this ${this.constructor.name} has been disposed of`);
    if (this.#using) throw new Error(this.#using);
    return this.#held.address;
  }

  /** Call body while nobody else may use this. */
  _keep(reason, body) {
    const address = this._address;
    this.#using = reason;
    try {
      return body(address);
    } finally {
      this.#using = null;
    }
  }

  get disposed() {
    return this.#held === null;
  }

  /** Release the library's memory now. May be called again. */
  dispose() {
    if (!this.#held) return;
    if (this.#using) throw new Error(this.#using);
    const { address, destroy, frame } = this.#held;
    this.#held = null;
    registry?.unregister(this);
    destroy(address);
    frame.release();
  }
}
if (Symbol.dispose) {
  Handle.prototype[Symbol.dispose] = function () {
    this.dispose();
  };
}

/** Call a function of the library whose last argument is where it writes a handle. */
export function made(frame, call) {
  const out = frame.integers([0]);
  call(out);
  return memory().u32[out / 4];
}
