// What the page asks of the worker.

export class WorkerClient {
  #worker;
  #waiting = new Map();
  #last = 0;

  /** onProgress(progress), onEnded({ error }), onBroken(): the worker or the library cannot be loaded. */
  constructor({ onProgress, onEnded, onBroken }) {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onerror = onBroken;
    this.#worker.onmessage = ({ data }) => {
      if (data.progress) onProgress(data.progress);
      else if (data.ended) onEnded(data.ended);
      else this.#answer(data);
    };
  }

  #answer({ id, answer, error }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) resolve(answer);
    else reject(new Error(error));
  }

  ask(what, fields = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#last, { resolve, reject });
      this.#worker.postMessage({ id: this.#last, ask: what, ...fields });
    });
  }
}
