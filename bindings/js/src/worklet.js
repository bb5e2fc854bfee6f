// A network as an AudioWorklet: the processor "librnn".
//
// AudioWorklets can load nothing: the page hands over the compiled library and the network's file.
//
//   await context.audioWorklet.addModule(new URL("librnn/worklet", import.meta.url));
//   const node = new AudioWorkletNode(context, "librnn", {
//     processorOptions: { library: compiledModule(), network: file },
//   });
//
// processorOptions
//   library     compiledModule(), or the bytes of librnn.wasm
//   network     the bytes of a network's file: of one or more inputs, the first of which is the audio, and one output
//   sampleRate  at which the network was trained; default: the context's. In a faster context the steps read the state
//               of so much longer ago (Network.delay)
//   conditions  values of the inputs behind the first one; default: zeros
//
// Each channel is a stream of its own. Messages to node.port: {conditions: [...]}, {network: bytes} (another network,
// which may be heard as a gap), {reset: true}. From it: {ready: true}, {error: text} after a message that was wrong.

import { initSync, show } from "./library.js";
import { Network } from "./network.js";

const QUANTUM = 128; // frames of a call of process

/** The network's streams, one for each channel, and what its steps read and write. */
class Channels {
  constructor(file, { sampleRate: trained, conditions = [] }) {
    this.first = Network.load(file);
    const { inputSize, outputSize } = this.first;
    if (outputSize !== 1) throw new RangeError(`network has ${outputSize} outputs; audio has 1`);
    if (trained !== undefined) {
      const delay = sampleRate / trained;
      if (!(delay >= 1))
        throw new RangeError(`sampleRate is ${trained}; it must be at most the context's ${sampleRate}`);
      this.first.delay = delay;
    }
    this.first.reserveBlock(QUANTUM);
    this.inputSize = inputSize;
    this.streams = [this.first];
    this.x = new Float32Array(QUANTUM * inputSize);
    this.y = new Float32Array(QUANTUM);
    this.condition(conditions.length ? conditions : new Array(inputSize - 1).fill(0));
  }

  condition(values) {
    if (values.length !== this.inputSize - 1)
      throw new RangeError(
        `conditions has ${values.length} values; the network has ${this.inputSize - 1} inputs besides the audio`,
      );
    const wrong = Array.from(values).findIndex((value) => !Number.isFinite(value)); // which the state would keep
    if (wrong >= 0) throw new RangeError(`conditions[${wrong}] is ${show(values[wrong])}; it must be a finite number`);
    for (let t = 0; t < QUANTUM; ++t) this.x.set(values, t * this.inputSize + 1);
    this.conditions = values;
  }

  stream(channel) {
    while (channel >= this.streams.length) {
      // a channel more than before
      const stream = this.first.fork();
      stream.reset();
      stream.reserveBlock(QUANTUM);
      this.streams.push(stream);
    }
    return this.streams[channel];
  }

  run(channel, input, output) {
    const { x, y, inputSize } = this;
    for (let t = 0; t < QUANTUM; ++t) x[t * inputSize] = input ? input[t] : 0;
    this.stream(channel).stepBlock(x, y);
    output.set(y);
  }

  reset() {
    for (const stream of this.streams) stream.reset();
  }
  dispose() {
    for (const stream of this.streams) stream.dispose();
  }
}

export class RnnProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    const { library, network } = processorOptions;
    initSync(library);
    this.options = processorOptions;
    this.channels = new Channels(network, processorOptions);
    this.port.onmessage = ({ data }) => {
      try {
        this.obey(data);
      } catch (error) {
        this.port.postMessage({ error: error.message });
      }
    };
    this.port.postMessage({ ready: true });
  }

  obey({ conditions, network, reset }) {
    if (network) {
      const next = new Channels(network, { ...this.options, conditions: [] });
      this.channels.dispose();
      this.channels = next;
    }
    if (conditions) this.channels.condition(conditions);
    if (reset) this.channels.reset();
  }

  process([input], [output]) {
    for (let channel = 0; channel < output.length; ++channel)
      this.channels.run(channel, input?.[channel], output[channel]);
    return true;
  }
}

registerProcessor("librnn", RnnProcessor);
