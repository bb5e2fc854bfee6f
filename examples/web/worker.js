// Trains and runs the network, so that the page never waits. A request is { id, ask, ... }, its answer { id, answer }
// or { id, error }. While it trains, the page is told { progress } and at the end { ended }.

import { init, isSupported, Network, Trainer, version } from "./librnn/src/index.js";
import { batchesOf } from "./batches.js";
import { Vocabulary, VOCABULARY_KEY } from "./vocabulary.js";

const TURN = 25; // milliseconds of training between two looks at what the page asks
const SHOW = 250; // between two completions
const WRITTEN = 400; // characters of a sample
const LINE = 160; // of a line or a completion, at most
const NEXT = 3; // letters that are shown as the most probable

let model = null; // { network, vocabulary, trainer, batches, text, reading, updates }
let run = null; // { left, pace, prompts, due, shown }: of the training that goes on

const requests = {
  async init() {
    if (!isSupported())
      throw new Error(
        "This browser lacks WebAssembly with SIMD and exceptions. Chrome or Edge 95, Firefox 114 and " +
          "Safari 16.4 have it.",
      );
    await init();
    return { version: version() };
  },

  /** A new network for the characters of a text. */
  create({ text, reading, cell, units, layers, seed }) {
    const vocabulary = Vocabulary.of(reading === "lines" ? `${text}\n` : text);
    batchesOf(text, vocabulary, reading); // is the text one that can be learnt?
    const network = new Network({
      cell,
      hiddenSize: units,
      numLayers: layers,
      seed,
      inputSize: vocabulary.size,
      outputSize: vocabulary.size,
    });
    return adopt(network, vocabulary);
  },

  /** The network of a file. */
  open({ bytes }) {
    const network = Network.load(bytes);
    try {
      const vocabulary = Vocabulary.from(network);
      network.generate([0], 1); // a bidirectional one cannot
      return adopt(network, vocabulary);
    } catch (error) {
      network.dispose();
      throw error;
    }
  },

  save() {
    const network = present();
    network.setMetadata(VOCABULARY_KEY, model.vocabulary.json);
    const bytes = network.save();
    return { bytes };
  },

  start({ text, reading, rate, most, pace, prompts }) {
    const { network, vocabulary } = model;
    if (model.text !== text || model.reading !== reading) {
      const batches = batchesOf(text, vocabulary, reading);
      present();
      model.trainer?.dispose();
      Object.assign(model, { trainer: null, batches, text, reading });
    }
    model.trainer ??= new Trainer(network, {
      learningRate: rate,
      clipNorm: 1,
      statelessWindows: model.batches.stateless,
      batchSize: 16,
    });
    model.trainer.setLearningRate(rate);
    run = { left: most, pace, prompts, due: performance.now(), shown: 0 };
    schedule(0);
  },

  stop() {
    if (run) end();
  },

  /** During a training. */
  tune({ rate, pace }) {
    model.trainer?.setLearningRate(rate);
    if (run) Object.assign(run, { pace, due: performance.now() });
  },

  complete({ prompts }) {
    return { completions: completions(prompts) };
  },

  /** What the network writes, or the beginning of a text, with the hidden units after each letter. */
  look({ shown, text, reading, prompt, temperature, seed }) {
    const lines = shown === "text" ? linesOf(text, reading) : write({ text, reading, prompt, temperature, seed });
    return { ...inside(lines), updates: model.updates };
  },
};

// ---- The model --------------------------------------------------------------------------------

function adopt(network, vocabulary) {
  if (run) end();
  model?.trainer?.dispose();
  model?.network.dispose();
  model = { network, vocabulary, trainer: null, batches: null, text: null, reading: null, updates: 0 };
  const { config } = network;
  const hidden = layersOf(network);
  return {
    cell: config.layers ? null : (config.cell ?? "vanilla"),
    layers: hidden.length,
    units: hidden.every(({ size }) => size === hidden[0].size) ? hidden[0]?.size : null,
    characters: vocabulary.size,
    weights: network.parameters.reduce((sum, { rows, columns }) => sum + rows * columns, 0),
  };
}

/** The network with the present weights. */
function present() {
  model.trainer?.sync(model.network);
  return model.network;
}

/** Where the h of each layer is in the state. */
function layersOf(network) {
  return network.stateLayout.filter(({ name, direction }) => name === "h" && direction === "forward");
}

// ---- Training ---------------------------------------------------------------------------------

// The next turn: after what the page asks, by a message to itself, or after a delay. There is one at most.
const channel = new MessageChannel();
let isSent = false;
let timer = 0;

function schedule(delay) {
  if (delay > 0) {
    timer = setTimeout(turn, delay);
  } else if (!isSent) {
    isSent = true;
    channel.port2.postMessage(null);
  }
}
channel.port1.onmessage = () => {
  isSent = false;
  if (run) turn();
};

function end(error) {
  clearTimeout(timer);
  run = null;
  postMessage({ ended: { error } });
}

function turn() {
  const start = performance.now();
  const losses = [];
  let characters = 0;
  try {
    do {
      const { rewound, ...batch } = model.batches.next();
      if (rewound) model.trainer.reset();
      losses.push(model.trainer.update(batch).loss / Math.LN2);
      characters += batch.inputs.reduce((sum, sequence) => sum + sequence.length, 0);
      ++model.updates;
    } while (--run.left > 0 && run.pace === 0 && performance.now() - start < TURN);
  } catch (error) {
    end(said(error));
    return;
  }
  const now = performance.now();
  const progress = { losses, characters, milliseconds: now - start, updates: model.updates };
  if (now - run.shown > SHOW || run.left === 0) {
    progress.completions = completions(run.prompts);
    run.shown = now;
  }
  postMessage({ progress });
  if (run.left === 0) {
    end();
  } else if (run.pace > 0) {
    run.due = Math.max(run.due + 1000 / run.pace, now - 100);
    schedule(run.due - now);
  } else {
    schedule(0);
  }
}

// ---- Writing ----------------------------------------------------------------------------------

/** The most probable line after each prompt. */
function completions(prompts) {
  const network = present();
  const { vocabulary } = model;
  return prompts.map((prompt) => {
    let indices;
    try {
      indices = vocabulary.encode(prompt);
    } catch {
      return null; // of another text than the model's
    }
    network.reset();
    const drawn = network.generate(indices, LINE, { greedy: true, stop: vocabulary.index("\n") });
    return Array.from(drawn, (index) => vocabulary.show(index))
      .join("")
      .replace(/\n$/, "");
  });
}

/** Lines, each from the initial state, or one text. */
function write({ text, reading, prompt, temperature, seed }) {
  const network = present();
  const { vocabulary } = model;
  const stop = reading === "lines" ? vocabulary.index("\n") : undefined;
  const beginnings = (reading === "lines" ? text.split("\n") : [text])
    .map((line) => vocabulary.index([...line][0]))
    .filter((index) => index !== undefined);
  if (beginnings.length === 0) beginnings.push(0);
  const written = [];
  for (let left = WRITTEN, i = 0; left > 0 && i < WRITTEN; ++i) {
    const begin =
      i === 0 && prompt !== ""
        ? vocabulary.encode(prompt, "The beginning")
        : [beginnings[(seed * 7 + i) % beginnings.length]];
    network.reset();
    const drawn = network.generate(begin, stop === undefined ? left : LINE, { temperature, seed: seed + i, stop });
    written.push(Int32Array.of(...begin, ...drawn));
    left -= begin.length + drawn.length;
  }
  return written;
}

/** The beginning of a text, cut as training cuts it. */
function linesOf(text, reading) {
  const beginning = [...text].slice(0, WRITTEN).join("");
  const lines = reading === "lines" ? beginning.split(/(?<=\n)/) : [beginning];
  return lines.filter((line) => line !== "").map((line) => model.vocabulary.encode(line));
}

function inside(lines) {
  const network = present();
  const { vocabulary } = model;
  const parts = layersOf(network);
  const width = parts.reduce((sum, { size }) => sum + size, 0);
  const count = lines.reduce((sum, line) => sum + line.length, 0);
  const values = new Float32Array(count * width);
  const next = [];
  const { outputs, states } = network.forward(lines, { states: true });
  let place = 0;
  lines.forEach((line, n) => {
    for (let t = 0; t < line.length; ++t) {
      const state = states[n].subarray(t * network.stateSize, (t + 1) * network.stateSize);
      for (const { offset, size } of parts) {
        values.set(state.subarray(offset, offset + size), place);
        place += size;
      }
      next.push(probable(outputs[n].subarray(t * vocabulary.size, (t + 1) * vocabulary.size)));
    }
  });
  const letters = lines.flatMap((line) => Array.from(line, (index) => vocabulary.show(index)));
  return { letters, layers: parts.map(({ size }) => size), width, values, next };
}

/** The most probable letters and their probabilities. */
function probable(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Array.from(logits.keys())
    .sort((a, b) => logits[b] - logits[a])
    .slice(0, NEXT)
    .map((index) => [model.vocabulary.show(index), Math.exp(logits[index] - largest) / sum]);
}

// ---- Requests ---------------------------------------------------------------------------------

/** What the page says of an error. */
function said(error) {
  if (error.code === "RNN_NOT_FINITE")
    return "The training has diverged. A lower learning rate may help; Reset begins anew.";
  return error.message.replace(/^rnn_\w+: /, ""); // without the function's name
}

self.onmessage = async ({ data: { id, ask, ...fields } }) => {
  try {
    const answer = (await requests[ask](fields)) ?? {};
    const moved = [answer.bytes?.buffer, answer.values?.buffer].filter((buffer) => buffer !== undefined);
    postMessage({ id, answer }, moved);
  } catch (error) {
    postMessage({ id, error: said(error) });
  }
};
