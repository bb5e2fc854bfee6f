// Networks: creating, stepping, sequences, files; and what is refused, with which words.
import assert from "node:assert/strict";
import test from "node:test";

import { compiledModule, init, isa, isSupported, load, Network, raw, RnnError, VERSION, version } from "librnn";

test("nothing works before init, and init may be called again", async () => {
  assert.throws(() => new Network({ inputSize: 1, hiddenSize: 1 }), /not loaded: call `await init\(\)` first/);
  await Promise.all([init(), init()]);
  await init();
  assert.equal(version(), VERSION);
  assert.ok(isSupported());
  assert.ok(compiledModule() instanceof WebAssembly.Module);
});

test("the kernels are those of WebAssembly's vectors", () => {
  assert.match(isa(), /^wasm(_fma)?$/);
});

const options = { cell: "lstm", inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2, seed: 7 };
const inputs = [
  [0.1, 0.2, 0.3],
  [0.4, -0.5, 0.6],
  [-0.7, 0.8, 0.9],
];

test("a network is created as it is configured", () => {
  const net = new Network(options);
  assert.deepEqual(net.config, {
    cell: "lstm",
    inputSize: 3,
    hiddenSize: 5,
    outputSize: 2,
    numLayers: 2,
    init: "pytorch",
    recurrentInit: "pytorch",
    initRange: net.config.initRange,
    seed: 7,
  });
  assert.equal(net.inputSize, 3);
  assert.equal(net.outputSize, 2);
  assert.equal(net.stateSize, 20);
  assert.deepEqual(net.parameters[0], { name: "weight_ih_l0", rows: 20, columns: 3 });
  net.dispose();
  net.dispose();
  assert.ok(net.disposed);
  assert.throws(() => net.step([1, 2, 3]), /Network has been disposed of/);
});

test("steps, blocks and sequences give the same bits", () => {
  const net = new Network(options);
  const steps = inputs.map((x) => net.step(x));
  assert.ok(steps[0].every(Number.isFinite));
  assert.notDeepEqual(steps[0], steps[1]);
  const state = net.state;
  const [outputs] = net.forward([inputs]);
  assert.deepEqual(
    Array.from(outputs),
    steps.flatMap((y) => Array.from(y)),
  );
  net.reset();
  net.reserveBlock(3);
  assert.deepEqual(net.stepBlock(Float32Array.from(inputs.flat())), outputs);
  assert.deepEqual(net.state, state);
  net.reset();
  net.state = state;
  assert.deepEqual(net.state, state);
  const y = new Float32Array(2);
  assert.equal(net.step(inputs[0], y), y);
});

test("indices are one-hot inputs", () => {
  const net = new Network(options);
  const one = net.stepIndex(1);
  net.reset();
  assert.deepEqual(net.step([0, 1, 0]), one);
  assert.deepEqual(net.forward([[1, 2]])[0].slice(0, 2), one);
  assert.deepEqual(net.forward([Uint8Array.of(1, 2)])[0].slice(0, 2), one);
  net.reset();
  assert.deepEqual(net.stepBlock(Int32Array.of(1)), one);
});

test("states of sequences are there, and h of each layer", () => {
  const net = new Network(options);
  for (const x of inputs) net.step(x);
  const { outputs, states, finalStates } = net.forward([inputs, inputs.slice(0, 1)], { states: true });
  assert.deepEqual(
    outputs.map((y) => y.length),
    [6, 2],
  );
  assert.deepEqual(
    states.map((s) => s.length),
    [60, 20],
  );
  assert.deepEqual(finalStates[0], net.state);
  assert.deepEqual(finalStates[1], states[0].slice(0, 20));
  assert.deepEqual(net.hidden(1), net.state.slice(5, 10));
  assert.deepEqual(net.hidden(0, finalStates[1]), finalStates[1].slice(0, 5));
  assert.deepEqual(
    net.stateLayout.map((part) => [part.layer, part.name, part.offset, part.size]),
    [
      [0, "h", 0, 5],
      [1, "h", 5, 5],
      [0, "c", 10, 5],
      [1, "c", 15, 5],
    ],
  );
  assert.throws(() => net.hidden(2), /layer is 2; that layer has no h/);
  const [next] = net.forward([inputs.slice(1)], { initialStates: [finalStates[1]] });
  assert.deepEqual(next, outputs[0].slice(2));
});

test("lists of layers have a layout, too", () => {
  const net = new Network({
    inputSize: 2,
    layers: [
      { kind: "conv1d", size: 3, kernelSize: 3, dilation: 2, activation: "tanh" },
      { kind: "gru", size: 4, direction: "both" },
      { kind: "dense", size: 6, activation: "relu" },
      { kind: "lstm", size: 5, projectionSize: 2 },
      { kind: "dense", size: 1 },
    ],
  });
  assert.deepEqual(
    net.stateLayout.map((part) => [part.layer, part.name, part.direction, part.offset, part.size]),
    [
      [0, "past", "forward", 0, 8],
      [1, "h", "forward", 8, 4],
      [1, "h", "reverse", 12, 4],
      [3, "h", "forward", 16, 2],
      [3, "c", "forward", 18, 5],
    ],
  );
  assert.equal(net.stateSize, 23);
  assert.equal(net.config.layers.length, 5);
  assert.equal(net.config.layers[0].activation, "tanh");
  assert.equal(net.hidden(1).length, 8);
});

test("history and rewind take steps back; delay", () => {
  const net = new Network(options);
  net.history(2);
  net.step(inputs[0]);
  const y = net.step(inputs[1]);
  net.rewind(1);
  assert.deepEqual(net.step(inputs[1]), y);
  assert.equal(net.delay, 1);
  net.delay = 1.5;
  assert.equal(net.delay, 1.5);
});

test("files come back to the same bits, with their texts", () => {
  const net = new Network(options);
  net.setMetadata("vocabulary", "\u00e4\u20ac\u{1f986}");
  const file = net.save();
  assert.ok(file instanceof Uint8Array);
  const again = load(file);
  assert.deepEqual(again.step(inputs[0]), net.step(inputs[0]));
  assert.equal(again.getMetadata("vocabulary"), "\u00e4\u20ac\u{1f986}");
  assert.deepEqual(again.metadataKeys, ["vocabulary"]);
  assert.equal(again.getMetadata("none"), undefined);
  again.setMetadata("vocabulary", null);
  assert.deepEqual(again.metadataKeys, []);
  const binary = net.save({ format: "binary" });
  assert.deepEqual(Network.load(binary.buffer).getParameter("weight_hh_l0"), net.getParameter("weight_hh_l0"));
  assert.throws(
    () => load(file.slice(0, 100)),
    (error) => error instanceof RnnError && error.code === "RNN_BAD_FORMAT",
  );
});

test("parameters are set, and shared weights are copied before", () => {
  const net = new Network(options);
  const fork = net.fork();
  const bias = net.getParameter("head.bias");
  net.setParameter("head.bias", [1, 2]);
  assert.deepEqual(Array.from(net.getParameter("head.bias")), [1, 2]);
  assert.deepEqual(fork.getParameter("head.bias"), bias);
  fork.sync(net);
  assert.deepEqual(Array.from(fork.getParameter("head.bias")), [1, 2]);
  assert.deepEqual(net.clone().step(inputs[0]), net.step(inputs[0]));
  assert.equal(net.convert("int8").config.compute, "int8");
  assert.throws(() => net.getParameter("head.bia"), /no parameter "head.bia"; there are weight_ih_l0, /);
});

test("memory that grows stays readable", () => {
  const net = new Network(options);
  const before = net.step(inputs[0]);
  const large = new Network({ inputSize: 64, hiddenSize: 2048 });
  large.dispose();
  net.reset();
  assert.deepEqual(net.step(inputs[0]), before);
});

test("generation repeats with the same seed", () => {
  const net = new Network({ cell: "gru", inputSize: 5, hiddenSize: 8, outputSize: 5, seed: 3 });
  const first = net.generate([0, 1], 20, { temperature: 0.8, seed: 9 });
  net.reset();
  assert.deepEqual(net.generate(Int32Array.of(0, 1), 20, { temperature: 0.8, seed: 9n }), first);
  assert.equal(first.length, 20);
  net.reset();
  const stopped = net.generate([0, 1], 20, { temperature: 0.8, seed: 9, stop: first[3] });
  assert.ok(stopped.length <= 4 && stopped.at(-1) === first[3]);
  assert.equal(net.rollout([1, 0, 0, 0, 0], 3).length, 15);
});

test("errors name what is wrong, with its value", () => {
  const net = new Network(options);
  const refused = [
    [() => new Network({ inputSize: 3, hiddenSize: 0 }), RnnError, "config.hidden_size is 0; it must be 1..65536"],
    [
      () => new Network({ inputSize: 3, hidenSize: 3 }),
      TypeError,
      'options has no "hidenSize"; it has cell, inputSize, ',
    ],
    [
      () => new Network({ inputSize: 3, hiddenSize: 2, cell: "lstn" }),
      TypeError,
      'options.cell is "lstn"; it must be "vanilla", "gru", "lstm", "min_gru" or "min_lstm"',
    ],
    [
      () => new Network({ inputSize: 3.5, hiddenSize: 2 }),
      TypeError,
      "options.inputSize is 3.5; it must be a whole number",
    ],
    [
      () => new Network({ inputSize: 3, hiddenSize: 2, flags: "relu" }),
      TypeError,
      'options.flags is "relu"; it must be an array of names',
    ],
    [() => new Network({ inputSize: 3, hiddenSize: 2, seed: -1 }), RangeError, "options.seed is -1; it must be 0.."],
    [
      () => new Network({ inputSize: 3, layers: [{ kind: "dense", size: "8" }] }),
      TypeError,
      'options.layers[0].size is "8"; it must be a whole number',
    ],
    [() => new Network(), TypeError, "options is undefined; it must be an object"],
    [() => net.step([1, 2]), TypeError, "x is Array(2); it must be an array of 3 numbers"],
    [
      () => net.step(inputs[0], new Float32Array(3)),
      TypeError,
      "y is Float32Array(3); it must be an array of 2 numbers",
    ],
    [() => net.stepIndex(3), RnnError, "index is 3"],
    [() => net.stepIndex(0.5), TypeError, "index is 0.5; it must be a whole number"],
    [() => net.stepBlock(new Float32Array(4)), RangeError, "x has 4 numbers; steps of 3 each need a multiple of that"],
    [() => net.forward(inputs[0]), TypeError, "sequences[0] is 0.1; it must be an array"],
    [() => net.forward([[0.5]]), TypeError, "sequences[0][0] is 0.5; it must be a whole number"],
    [
      () => net.forward([inputs, [1]]),
      TypeError,
      "sequences[0] has vectors and sequences[1] indices; all must be of one kind",
    ],
    [() => net.forward([[[1, 2]]]), TypeError, "sequences[0][0] is Array(2); it must be an array of 3 numbers"],
    [() => net.forward([[[1, 2, "3"]]]), TypeError, 'sequences[0][0][2] is "3"; it must be a number'],
    [() => net.forward([[]]), RangeError, "sequences[0] is empty; it must have a step or more"],
    [() => net.forward([]), RangeError, "sequences is empty; it must have a sequence or more"],
    [() => net.forward([new Float32Array(4)]), RangeError, "sequences[0] has 4 numbers; steps of 3 each"],
    [() => net.forward([inputs], { pool: "last" }), TypeError, 'options has no "pool"; it has pooling'],
    [() => net.setParameter("head.bias", [1]), TypeError, "values is Array(1); it must be an array of 2 numbers"],
    [() => net.setParameter("head.bias", [1, NaN]), RnnError, "nan"],
    [() => net.rewind(1), RnnError, "steps is 1"],
    [() => net.sync(new Network({ inputSize: 1, hiddenSize: 1 })), RnnError, "rnn_sync"],
    [() => net.setMetadata("rnn.x", "y"), RnnError, "key begins with"],
    [() => load("file"), TypeError, 'bytes is "file"; it must be bytes: a Uint8Array or an ArrayBuffer'],
    [() => load(new Uint8Array(3)), RnnError, ""],
    [() => net.generate([0.5], 3), TypeError, "prompt[0] is 0.5; it must be a whole number"],
    [() => net.generate([0], 3), RnnError, "rnn_generate"],
    [() => net.generate(new Set([0]), 3), TypeError, "prompt is Set; it must be an array of indices"],
    [() => net.step([1, 2, 3], [0, 0]), TypeError, "y is Array(2); it must be a Float32Array(2)"],
    [() => net.forward([new Array(3)]), TypeError, "sequences[0][0] is undefined; it must be a whole number"],
    [() => net.forward([[[1, 2, 3], , [1, 2, 3]]]), TypeError, "sequences[0][1] is undefined"],
    [() => net.sync(null), TypeError, "source is null; it must be a Network"],
    [() => net.setMetadata("a\0b", "c"), TypeError, "has a zero character"],
    [() => net.setMetadata("a", "b\0c"), TypeError, "has a zero character"],
  ];
  for (const [call, type, words] of refused)
    assert.throws(call, (error) => {
      assert.equal(error.constructor, type, `${call}: ${error}`);
      assert.ok(error.message.includes(words), `${call}: ${error.message}`);
      return true;
    });
  const error = (() => {
    try {
      new Network({ inputSize: 0, hiddenSize: 1 });
    } catch (thrown) {
      return thrown;
    }
  })();
  assert.equal(error.status, 1);
  assert.equal(error.code, "RNN_INVALID_ARGUMENT");
  assert.ok(error.message.startsWith("rnn_create: config.input_size is 0"), error.message);
});

test("sizes of 4 GB or more are no memory, not their lowest 32 bits", () => {
  const net = new Network({ inputSize: 4, hiddenSize: 4 });
  const noMemory = { name: "RnnError", code: "RNN_OUT_OF_MEMORY" };
  assert.throws(() => net.rollout([1, 2, 3, 4], 2 ** 28), noMemory);
  assert.throws(() => net.generate([1], 2 ** 30), noMemory);
  assert.throws(() => net.reserveBlock(2 ** 27), noMemory);
  assert.ok(net.step([1, 2, 3, 4]).every(Number.isFinite));
});

test("blocks of a network that is disposed of write nothing", () => {
  const net = new Network({ inputSize: 4, hiddenSize: 4 });
  net.stepBlock(new Float32Array(1024));
  net.dispose();
  const bytes = () => new Uint8Array(raw().memory.buffer).slice();
  const before = bytes();
  assert.throws(() => net.stepBlock(new Float32Array(1024).fill(1)), /disposed of/);
  assert.ok(Buffer.from(bytes()).equals(before));
});

test("networks that nobody holds are released", { skip: !globalThis.gc && "needs --expose-gc" }, async () => {
  const make = () => {
    for (let i = 0; i < 50; ++i) new Network({ inputSize: 64, hiddenSize: 512 }).step(new Float32Array(64));
  };
  for (let round = 0; round < 10; ++round) {
    make();
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const size = raw().memory.buffer.byteLength;
  assert.ok(size < 500e6, `${size} bytes`); // all of them would take 1.2 GB
});
