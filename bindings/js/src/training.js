// Training: runs, and updates one by one. All of it works on the calling thread; pages train in a worker.

import { Handle, made } from "./handle.js";
import {
  addCallback,
  check,
  checkedObject,
  fieldsOf,
  Frame,
  library,
  memory,
  readStruct,
  removeCallback,
  show,
  withFrame,
} from "./library.js";
import { Network } from "./network.js";
import { dataFields } from "./sequences.js";

const OWN = ["validation", "progress", "user", "groupCount", "groups", "classWeights", "collective", "threads"];

/** Fields of rnn_train_options_t; what they point to is in the frame. */
export function trainFields(frame, options, inputSize, outputSize) {
  const { validation, groups, classWeights, ...rest } = checkedObject("options", options);
  const fields = fieldsOf("rnn_train_options_t", rest, "options", OWN);
  if (validation != null)
    fields.validation = frame.struct(
      "rnn_sequences_t",
      dataFields(frame, validation, inputSize, outputSize, "options.validation"),
    );
  if (groups != null) {
    if (!Array.isArray(groups)) throw new TypeError(`options.groups is ${show(groups)}; it must be an array`);
    fields.groups = frame.structs(
      "rnn_parameter_group_t",
      groups.map((group, i) => fieldsOf("rnn_parameter_group_t", group, `options.groups[${i}]`)),
    );
    fields.groupCount = groups.length;
  }
  if (classWeights != null) {
    if (classWeights.length !== outputSize)
      throw new TypeError(
        `options.classWeights is ${show(classWeights)}; it must be an array of ${outputSize} numbers`,
      );
    fields.classWeights = frame.floats(classWeights);
  }
  return fields;
}

/** A function of the host for the library, which stops the run by true; rethrow() throws what it has thrown. */
function reporter(onProgress) {
  if (typeof onProgress !== "function") throw new TypeError(`onProgress is ${show(onProgress)}; it must be a function`);
  let thrown = null;
  const user = addCallback((progress) => {
    try {
      const answer = onProgress(progress);
      if (typeof answer?.then === "function")
        throw new TypeError("onProgress gives a promise; training does not wait: it must not be async");
      return answer === true;
    } catch (error) {
      thrown = { error };
      return true;
    }
  });
  return {
    fields: { progress: library().librnn_progress_function(), user },
    release: () => removeCallback(user),
    rethrow() {
      const last = thrown;
      thrown = null;
      if (last) throw last.error;
    },
  };
}

const IN_TRAINING =
  "this network is in training, and onProgress may not use it; that of a Trainer may use trainer.network()";

export function train(network, data, options, onProgress) {
  withFrame((frame) => {
    const { inputSize, outputSize } = network;
    const fields = trainFields(frame, options, inputSize, outputSize);
    const sequences = frame.struct("rnn_sequences_t", dataFields(frame, data, inputSize, outputSize));
    const report = onProgress ? reporter(onProgress) : null;
    try {
      const settings = frame.struct("rnn_train_options_t", { ...fields, ...report?.fields });
      network._keep(IN_TRAINING, (address) => check(library().rnn_train(address, sequences, settings)));
    } finally {
      report?.release();
    }
    report?.rethrow();
  });
}

export class Trainer extends Handle {
  #report = null;
  #inputSize;
  #outputSize;
  #running = false;

  /** Start from a network's weights; the network itself does not change: see sync. onProgress is for run. */
  constructor(network, options = {}, onProgress = undefined) {
    super();
    if (!(network instanceof Network)) throw new TypeError(`network is ${show(network)}; it must be a Network`);
    this.#inputSize = network.inputSize;
    this.#outputSize = network.outputSize;
    const frame = new Frame();
    try {
      if (onProgress) {
        this.#report = reporter(onProgress);
        frame.finally(this.#report.release);
      }
      const fields = trainFields(frame, options, this.#inputSize, this.#outputSize);
      const settings = frame.struct("rnn_train_options_t", { ...fields, ...this.#report?.fields });
      const address = made(frame, (out) => check(library().rnn_trainer_create(network._address, settings, out)));
      this._hold(address, library().rnn_trainer_destroy, frame);
    } catch (error) {
      frame.release();
      throw error;
    }
  }

  #idle() {
    if (this.#running)
      throw new Error("this trainer runs, and onProgress may only use network(), sync() and setLearningRate()");
  }

  /** One update from all the sequences given. */
  update(batch) {
    this.#idle();
    return withFrame((frame) => {
      const sequences = frame.struct(
        "rnn_sequences_t",
        dataFields(frame, batch, this.#inputSize, this.#outputSize, "batch"),
      );
      const progress = frame.struct("rnn_progress_t");
      check(library().rnn_trainer_update(this._address, sequences, progress));
      return readStruct("rnn_progress_t", progress);
    });
  }

  /** Forget the states that updates carry over. */
  reset() {
    this.#idle();
    check(library().rnn_trainer_reset(this._address));
  }

  /** Go on with the whole job until options.epochs passes are done, or onProgress gives true. */
  run(data) {
    this.#idle();
    withFrame((frame) => {
      const sequences = frame.struct("rnn_sequences_t", dataFields(frame, data, this.#inputSize, this.#outputSize));
      this.#running = true;
      try {
        check(library().rnn_trainer_run(this._address, sequences));
      } finally {
        this.#running = false;
      }
    });
    this.#report?.rethrow();
  }

  setLearningRate(rate) {
    check(library().rnn_trainer_set_learning_rate(this._address, rate));
  }

  /** A network with a copy of the present weights. */
  network() {
    return Network._of(
      withFrame((frame) => made(frame, (out) => check(library().rnn_trainer_network(this._address, out)))),
    );
  }

  /** Let a stream use the present weights; its state stays. */
  sync(stream) {
    if (!(stream instanceof Network)) throw new TypeError(`stream is ${show(stream)}; it must be a Network`);
    check(library().rnn_trainer_sync(this._address, stream._address));
  }

  get optimizerBytes() {
    return withFrame((frame) => {
      const out = frame.integers([0]);
      check(library().rnn_trainer_optimizer_bytes(this._address, out));
      return memory().u32[out / 4];
    });
  }

  dispose() {
    this.#idle();
    super.dispose();
  }
}
