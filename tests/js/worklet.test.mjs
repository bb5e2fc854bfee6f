// The AudioWorklet's processor, in a stand-in of the scope in which browsers run it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { init, load, Network } from "librnn";

class Port {
  sent = [];
  postMessage(message) {
    this.sent.push(message);
  }
}
let registered;
globalThis.AudioWorkletProcessor = class {
  port = new Port();
};
globalThis.registerProcessor = (name, processor) => {
  registered = { name, processor };
};
globalThis.sampleRate = 48000;

await init();
await import("librnn/worklet");

const library = readFileSync(new URL(import.meta.resolve("librnn/librnn.wasm")));
const create = (inputSize = 1, seed = 1) =>
  new Network({ cell: "lstm", inputSize, hiddenSize: 8, outputSize: 1, seed });
const start = (options) => new registered.processor({ processorOptions: { library, ...options } });
const sound = Array.from({ length: 2 }, (_, c) =>
  Float32Array.from({ length: 512 }, (_, t) => Math.sin(0.1 * t * (c + 1))),
);

// What the processor makes of the sound, a quantum at a time.
function play(processor, channels = sound) {
  const result = channels.map((channel) => new Float32Array(channel.length));
  for (let t = 0; t < 512; t += 128)
    assert.equal(
      processor.process(
        [channels.map((channel) => channel.subarray(t, t + 128))],
        [result.map((channel) => channel.subarray(t, t + 128))],
        {},
      ),
      true,
    );
  return result;
}

test("each channel is a stream, to the bits of stepping", () => {
  assert.equal(registered.name, "librnn");
  const net = create();
  const processor = start({ network: net.save() });
  assert.deepEqual(processor.port.sent, [{ ready: true }]);
  assert.deepEqual(play(processor), net.forward(sound));
});

test("an input that is not connected is silence", () => {
  const net = create();
  const processor = start({ network: net.save() });
  const output = new Float32Array(128);
  for (const inputs of [[[]], []]) {
    processor.process(inputs, [[output]], {});
    assert.deepEqual(output, net.forward([new Float32Array(128)])[0]);
    processor.port.onmessage({ data: { reset: true } });
  }
});

test("another sample rate, conditions, reset and another network", () => {
  const net = create(2);
  const processor = start({ network: net.save(), sampleRate: 32000, conditions: [0.5] });
  const stream = load(net.save());
  stream.delay = 1.5;
  const expected = (value) => stream.stepBlock(Float32Array.from(Array.from(sound[0]).flatMap((x) => [x, value])));
  assert.deepEqual(play(processor, sound.slice(0, 1))[0], expected(0.5));
  processor.port.onmessage({ data: { conditions: [-1], reset: true } });
  stream.reset();
  assert.deepEqual(play(processor, sound.slice(0, 1))[0], expected(-1));
  const other = create(2, 5);
  processor.port.onmessage({ data: { network: other.save(), conditions: [-1] } });
  const next = load(other.save());
  next.delay = 1.5;
  assert.deepEqual(
    play(processor, sound.slice(0, 1))[0],
    next.stepBlock(Float32Array.from(Array.from(sound[0]).flatMap((x) => [x, -1]))),
  );
});

test("what is wrong is said, and the sound goes on", () => {
  const processor = start({ network: create().save() });
  processor.port.onmessage({ data: { conditions: [1, 2] } });
  processor.port.onmessage({ data: { network: new Uint8Array(10) } });
  const [, first, second] = processor.port.sent;
  assert.match(first.error, /conditions has 2 values; the network has 0 inputs besides the audio/);
  assert.match(second.error, /rnn_load_memory/);
  play(processor);
  const conditioned = start({ network: create(2).save() });
  for (const value of [NaN, "1", undefined]) conditioned.port.onmessage({ data: { conditions: [value] } });
  const errors = conditioned.port.sent.slice(1).map(({ error }) => error);
  assert.equal(errors[0], "conditions[0] is NaN; it must be a finite number");
  assert.equal(errors.length, 3);
  assert.ok(play(conditioned)[0].every(Number.isFinite));
  const wide = new Network({ inputSize: 1, hiddenSize: 4, outputSize: 3 }).save();
  assert.throws(() => start({ network: wide }), /network has 3 outputs; audio has 1/);
  assert.throws(
    () => start({ network: create().save(), sampleRate: 96000 }),
    /sampleRate is 96000; it must be at most the context's 48000/,
  );
});
