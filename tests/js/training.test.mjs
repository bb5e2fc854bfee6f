// Training: runs, trainers, reports, and what is refused.
import assert from "node:assert/strict";
import test from "node:test";

import { init, Network, RnnError, Trainer } from "librnn";

await init();

// Each step's class is the index of the step before.
const inputs = [
  [0, 1, 1, 0],
  [1, 0, 0],
];
const classes = [
  [0, 0, 1, 1],
  [0, 1, 0],
];
const create = () => new Network({ cell: "gru", inputSize: 2, hiddenSize: 8, outputSize: 2, seed: 1 });

test("a run learns, reports and repeats to the same bits", () => {
  const nets = [create(), create()];
  const losses = nets.map((net) => {
    const seen = [];
    net.train({ inputs, classes }, { learningRate: 0.05, epochs: 100 }, (progress) => {
      if (progress.event === "update") seen.push(progress.loss);
    });
    return seen;
  });
  assert.equal(losses[0].length, 100);
  assert.ok(losses[0].at(-1) < 0.05 * losses[0][0], `${losses[0][0]} to ${losses[0].at(-1)}`);
  assert.deepEqual(losses[0], losses[1]);
  assert.deepEqual(nets[0].save(), nets[1].save());
  const { accuracy, loss, weight } = nets[0].evaluate({ inputs, classes });
  assert.equal(accuracy, 1);
  assert.equal(weight, 7);
  assert.ok(loss < 0.05);
});

test("weights mask, resets cut, validation is reported", () => {
  const net = create();
  assert.equal(
    net.evaluate({
      inputs,
      classes,
      weights: [
        [0, 1, 1, 1],
        [0, 1, 1],
      ],
    }).weight,
    5,
  );
  const plain = net.evaluate({ inputs, classes }).loss;
  const cut = net.evaluate({
    inputs,
    classes,
    resets: [
      [false, true, false, true],
      [0, 1, 1],
    ],
  }).loss;
  assert.notEqual(cut, plain);
  const validations = [];
  net.train({ inputs, classes }, { epochs: 3, validation: { inputs, classes } }, (progress) => {
    if (progress.event === "validation") validations.push(progress.validationLoss);
  });
  assert.equal(validations.length, 3);
  assert.equal(validations[2], net.evaluate({ inputs, classes }).loss);
});

test("pooling has one target for each sequence, as vectors or classes", () => {
  const net = new Network({ inputSize: 2, hiddenSize: 8, outputSize: 1, seed: 2 });
  const x = [
    [
      [0.1, 0.2],
      [0.3, 0.4],
    ],
    Float32Array.of(0.5, 0.6),
  ];
  const data = { inputs: x, targets: [[1], [1.1]], pooling: "last" };
  const before = net.evaluate(data).loss;
  net.train(data, { epochs: 200, learningRate: 0.01, groups: [{ pattern: "bias_*", frozen: true }] });
  assert.ok(net.evaluate(data).loss < 0.1 * before);
  assert.deepEqual(
    net.getParameter("bias_ih_l0"),
    new Network({ inputSize: 2, hiddenSize: 8, outputSize: 1, seed: 2 }).getParameter("bias_ih_l0"),
  );
  assert.deepEqual(
    net.forward(x, { pooling: "last" }).map((y) => y.length),
    [1, 1],
  );
  const perStep = { inputs: x, targets: [Float32Array.of(1, 2), [[3]]] };
  assert.equal(net.evaluate(perStep).weight, 3);
  const classifier = create();
  assert.equal(classifier.evaluate({ inputs, classes: [0, 1], pooling: "mean" }, { classWeights: [1, 3] }).weight, 4);
});

test("the progress function stops a run, and what it throws comes out", () => {
  const net = create();
  let updates = 0;
  net.train({ inputs, classes }, { epochs: 1000 }, () => ++updates === 5);
  assert.equal(updates, 5);
  assert.throws(
    () =>
      net.train({ inputs, classes }, {}, () => {
        throw new Error("mine");
      }),
    /^Error: mine$/,
  );
  assert.throws(() => net.train({ inputs, classes }, {}, async () => {}), /must not be async/);
  assert.throws(
    () =>
      net.train({ inputs, classes }, {}, () => {
        net.step([1, 0]);
      }),
    /this network is in training/,
  );
  net.step([1, 0]);
});

test("a trainer makes updates, and hands its weights over", () => {
  const net = create();
  const weights = net.getParameter("head.weight");
  const trainer = new Trainer(net, { learningRate: 0.05, statelessWindows: true });
  const losses = Array.from({ length: 50 }, () => trainer.update({ inputs, classes }).loss);
  assert.ok(losses[49] < 0.3 * losses[0]);
  assert.equal(trainer.update({ inputs, classes }).update, 51);
  assert.deepEqual(net.getParameter("head.weight"), weights);
  trainer.sync(net);
  assert.deepEqual(net.getParameter("head.weight"), trainer.network().getParameter("head.weight"));
  assert.notDeepEqual(net.getParameter("head.weight"), weights);
  trainer.setLearningRate(0.001);
  assert.equal(trainer.update({ inputs, classes }).learningRate, Math.fround(0.001));
  assert.ok(trainer.optimizerBytes > 0);
  trainer.reset();
  trainer.dispose();
  assert.throws(() => trainer.update({ inputs, classes }), /Trainer has been disposed of/);
});

test("a trainer runs, stops, and goes on to the bits of one run", () => {
  const whole = create();
  whole.train({ inputs, classes }, { epochs: 20 });
  let seen = 0;
  const trainer = new Trainer(create(), { epochs: 20 }, (progress) => progress.event === "update" && ++seen === 7);
  trainer.run({ inputs, classes });
  assert.equal(seen, 7);
  trainer.run({ inputs, classes });
  assert.equal(seen, 20);
  assert.deepEqual(trainer.network().getParameter("weight_hh_l0"), whole.getParameter("weight_hh_l0"));
});

test("errors name what is wrong", () => {
  const net = create();
  const refused = [
    [() => net.train({ inputs }), TypeError, "data must have either targets or classes"],
    [() => net.train({ inputs, classes, target: [] }), TypeError, 'data has no "target"; it has inputs, '],
    [() => net.train({ inputs, classes: [[0, 0, 1, 1]] }), RangeError, "data.classes has 1 sequences; inputs has 2"],
    [
      () =>
        net.train({
          inputs,
          classes: [
            [0, 0, 1, 1],
            [0, 1],
          ],
        }),
      RangeError,
      "data.classes[1] has 2 steps; inputs[1] has 3",
    ],
    [
      () =>
        net.train({
          inputs,
          classes: [
            [0, 0, 1, 2],
            [0, 1, 0],
          ],
        }),
      RnnError,
      "2",
    ],
    [() => net.train({ inputs, classes }, { epoch: 3 }), TypeError, 'options has no "epoch"; it has loss, '],
    [
      () => net.train({ inputs, classes }, { keepOrder: 1 }),
      TypeError,
      "options.keepOrder is 1; it must be true or false",
    ],
    [() => net.train({ inputs, classes }, { momentum: 0.5 }), RnnError, "momentum"],
    [
      () => net.train({ inputs, classes }, { optimizer: "lion" }),
      TypeError,
      'options.optimizer is "lion"; it must be "adam", ',
    ],
    [() => net.train({ inputs, classes }, {}, 5), TypeError, "onProgress is 5; it must be a function"],
    [
      () =>
        net.train({
          inputs,
          targets: [
            [0, 0, 1, 1],
            [0, 1, 0],
          ],
        }),
      TypeError,
      "data.targets[0] has whole numbers",
    ],
    [
      () => net.train({ inputs, classes: "01", pooling: "last" }),
      TypeError,
      'data.classes is "01"; it must be an array',
    ],
    [() => net.train({ inputs, classes: [0], pooling: "last" }), RangeError, "data.classes[0] has 1 steps"],
    [() => new Trainer({}), TypeError, "network is Object; it must be a Network"],
  ];
  for (const [call, type, words] of refused)
    assert.throws(call, (error) => {
      assert.equal(error.constructor, type, `${call}: ${error}`);
      assert.ok(error.message.includes(words), `${call}: ${error.message}`);
      return true;
    });
  const infinite = { inputs: [[[1, 1]]], targets: [[[Infinity, 0]]] };
  assert.throws(() => net.train(infinite), /rnn_train: data.targets/);
});
