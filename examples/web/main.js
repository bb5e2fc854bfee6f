// The page's controls, and what they show.

import { Chart } from "./chart.js";
import { FEATURES, Heat } from "./heat.js";
import { OWN, TEXTS } from "./texts.js";
import { WorkerClient } from "./worker_client.js";

const WRITE_EVERY = 2000; // milliseconds of training between two samples
const SAY_EVERY = 30000; // between two announcements of the loss
const LONGEST_PROMPT = 40; // characters of a line, of which some words are
const LARGEST_TEXT = 4e6; // bytes
const LARGEST_MODEL = 256e6;

const $ = Object.fromEntries([...document.querySelectorAll("[id]")].map((found) => [found.id, found]));
const worker = new WorkerClient({ onProgress, onEnded, onBroken });
const chart = new Chart($.chart);
const heat = new Heat($.heat, $.readout);

let model = null; // the worker's answer to create and open, with { key, isOpened }
let updates = 0;
let isTraining = false;
let isStopWanted = false; // before it has begun
let begun = []; // what is completed, with the lines that it is of: { line, prompt }
let learntAfter = 0; // updates, when all completions were right
let sampleSeed = 1;
let isLooking = false;
let isLookDue = false;
let times = { looked: 0, said: 0, measured: 0, characters: 0 };

// ---- Telling ----------------------------------------------------------------------------------

/** An error; "" takes it away. */
function alertOf(message) {
  $.alert.textContent = message;
  $.alert.hidden = message === "";
}

/** To those who hear the page. */
function announce(message) {
  $.announcement.textContent = message;
}

/** Run what a control asks for, and say what went wrong. */
function on(control, event, action) {
  control.addEventListener(event, async (...given) => {
    try {
      alertOf("");
      await action(...given);
    } catch (error) {
      alertOf(error.message);
    }
  });
}

function onBroken(event) {
  event.preventDefault();
  setTraining(false);
  $.start.disabled = true;
  alertOf(
    model
      ? `The training has stopped by an error of this page: ${event.message}. Reload it to begin anew.`
      : "The library could not be loaded: librnn/ is not beside this page, or the browser has no modules in workers. " +
          "Chrome or Edge 95, Firefox 114 and Safari 16.4 can.",
  );
}

// ---- Settings ---------------------------------------------------------------------------------

const NUMBERS = ["units", "layers", "seed", "rate", "most", "pace", "temperature"];

function settings() {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, Number($[name].value)]));
  const text = $.text.value.toWellFormed?.() ?? $.text.value;
  return { ...numbers, text, reading: $.reading.value, cell: $.cell.value };
}

function put(values) {
  for (const [name, value] of Object.entries(values)) $[name].value = value;
  showTemperature();
}

/** What makes another network. */
function keyOf({ cell, units, layers, seed }) {
  return JSON.stringify([cell, units, layers, seed, $["sample-text"].value]);
}

function needsNew(now = settings()) {
  if (!model || model.key !== keyOf(now)) return true;
  return updates === 0 && !model.isOpened && (model.text !== now.text || model.reading !== now.reading);
}

/** The first three lines, and as many of their words as make them different, to be completed. */
function beginnings({ text }) {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(0, 3);
  const prompts = [];
  for (const line of lines) {
    const words = line.slice(0, LONGEST_PROMPT).split(" ");
    const starts = words.map((_, i) => words.slice(0, i + 1).join(" "));
    prompts.push(starts.find((start) => !prompts.includes(start)) ?? starts[0]);
  }
  return lines.map((line, i) => ({ line, prompt: prompts[i] }));
}

// ---- Showing ----------------------------------------------------------------------------------

const READING_NOTES = {
  lines: "Each line stands for itself: the network forgets all before it reads the next.",
  text: "The network goes on from line to line with what it has in mind.",
};

function showText() {
  const { text, reading } = settings();
  const characters = [...text].length;
  $["text-size"].textContent = `${characters.toLocaleString("en")} characters, ${new Set(text).size} different`;
  $["reading-note"].textContent = READING_NOTES[reading];
}

function showTemperature() {
  $["temperature-value"].value = Number($.temperature.value).toFixed(2);
}

function showState() {
  const isNew = model !== null && needsNew();
  $.start.textContent = isTraining ? "Stop" : updates === 0 ? "Start" : isNew ? "Start anew" : "Go on";
  $["network-note"].textContent = isNew && updates > 0 ? "These settings are for a new network: Reset makes it." : "";
  for (const name of ["start", "reset", "again", "find", "save", "model-file"]) $[name].disabled = !model;
  document.body.classList.toggle("training", isTraining);
}

function setTraining(value) {
  isTraining = value;
  showState();
}

function showFigures() {
  $.updates.textContent = updates.toLocaleString("en");
  $.bits.textContent = Number.isNaN(chart.loss) ? "-" : chart.loss.toFixed(3);
  $["chart-text"].textContent = chart.text;
}

function showCompletions(written) {
  const isRight = ({ line, prompt }, i) => written[i] !== null && prompt + written[i] === line;
  $.completions.replaceChildren(
    ...begun.map(({ line, prompt }, i) => {
      const item = document.createElement("li");
      const [begin, rest, mark] = ["strong", "span", "span"].map((name) => document.createElement(name));
      begin.textContent = prompt;
      rest.textContent = written[i] ?? " (has characters that the model has not learnt)";
      mark.textContent = isRight({ line, prompt }, i) ? "right" : "";
      mark.className = "mark";
      item.append(begin, rest, " ", mark);
      return item;
    }),
  );
  if (learntAfter === 0 && updates > 0 && begun.length > 0 && begun.every(isRight)) {
    learntAfter = updates;
    announce(`All beginnings are completed as in the text, after ${updates} updates.`);
  }
}

function describe() {
  const { cell, units, layers, characters, weights } = model;
  const kind =
    { lstm: "LSTM", gru: "GRU", min_gru: "minGRU", min_lstm: "minLSTM" }[cell] ?? cell ?? "layers of several kinds";
  return (
    `${kind}, ${layers} ${layers === 1 ? "layer" : "layers"}${units ? ` of ${units} units` : ""}, ` +
    `${characters} characters, ${weights.toLocaleString("en")} weights`
  );
}

/** A network that was made or opened. */
async function adopt(answer, fields) {
  model = { ...answer, ...fields };
  updates = 0;
  learntAfter = 0;
  chart.clear(Math.log2(answer.characters));
  $.weights.textContent = answer.weights.toLocaleString("en");
  $.speed.textContent = "-";
  showFigures();
  showState();
  await Promise.all([complete(), look()]);
}

async function complete() {
  begun = beginnings(settings());
  const prompts = begun.map(({ prompt }) => prompt);
  showCompletions((await worker.ask("complete", { prompts })).completions);
}

// ---- Training ---------------------------------------------------------------------------------

async function create(now = settings()) {
  const { text, reading, cell, units, layers, seed } = now;
  const answer = await worker.ask("create", { text, reading, cell, units, layers, seed });
  $.model.textContent = "";
  await adopt(answer, { key: keyOf(now), text, reading, isOpened: false });
}

async function start() {
  const now = settings();
  const { text, reading, rate, most, pace } = now;
  isStopWanted = false;
  setTraining(true);
  try {
    if (needsNew(now)) await create(now);
    if (isStopWanted) {
      setTraining(false);
      return;
    }
    begun = beginnings(now);
    const prompts = begun.map(({ prompt }) => prompt);
    times = { looked: performance.now(), said: performance.now(), measured: performance.now(), characters: 0 };
    await worker.ask("start", { text, reading, rate, most, pace, prompts });
  } catch (error) {
    setTraining(false);
    throw error;
  }
  announce("Training.");
}

function onProgress(progress) {
  updates = progress.updates;
  chart.add(progress.losses);
  showFigures();
  if (progress.completions) showCompletions(progress.completions);
  const now = performance.now();
  times.characters += progress.characters;
  if (now - times.measured > 1000) showSpeed();
  if (now - times.said > SAY_EVERY) {
    times.said = now;
    announce(chart.text);
  }
  // Whoever looks at a letter keeps it.
  if (now - times.looked > WRITE_EVERY && $.live.checked && !$.heat.matches(":focus, :hover")) {
    ++sampleSeed;
    times.looked = now;
    look().catch((error) => alertOf(error.message));
  }
}

/** Since it was shown last. */
function showSpeed() {
  const now = performance.now();
  $.speed.textContent = Math.round((1000 * times.characters) / (now - times.measured)).toLocaleString("en");
  Object.assign(times, { measured: now, characters: 0 });
}

function onEnded({ error }) {
  setTraining(false);
  if ($.speed.textContent === "-") showSpeed();
  if (error) alertOf(error);
  else if (learntAfter > 0)
    announce(`Training has ended. ${chart.text} The beginnings are completed since update ${learntAfter}.`);
  else announce(`Training has ended. ${chart.text}`);
  if (!$.heat.matches(":focus, :hover")) look().catch((failure) => alertOf(failure.message));
}

// ---- Inside -----------------------------------------------------------------------------------

async function look() {
  isLookDue = model !== null;
  if (isLooking) return; // and looks once more after that
  isLooking = true;
  try {
    while (isLookDue) {
      isLookDue = false;
      const { text, reading, temperature } = settings();
      const fields = { shown: $.shown.value, text, reading, temperature, prompt: $.prompt.value, seed: sampleSeed };
      heat.show(await worker.ask("look", fields));
      showLayers();
      colour();
    }
  } finally {
    isLooking = false;
  }
}

function showLayers() {
  const { layers } = heat;
  if ($.layer.length !== layers.length)
    $.layer.replaceChildren(...layers.map((_, i) => new Option(String(i + 1), String(i))));
  const units = layers[$.layer.selectedIndex];
  $.unit.max = String(units);
  if (!($.unit.value >= 1 && $.unit.value <= units)) $.unit.value = "1";
}

function colour() {
  if (heat.layers.length === 0) return;
  const largest = heat.colour($.layer.selectedIndex, Number($.unit.value) - 1);
  const minus = (value) => `\u2212${value}`;
  const [end, half] = [largest, largest / 2].map((value) => +value.toPrecision(2));
  $["legend-scale"].textContent = `${minus(end)} to ${end}`;
  $["legend-down"].textContent = `line above: below ${minus(half)}`;
  $["legend-up"].textContent = `line below: above ${half}`;
}

function find() {
  const best = heat.find($.feature.selectedIndex);
  const [name] = FEATURES[$.feature.selectedIndex];
  if (!best) {
    $.found.textContent = `The text that is shown has nothing of "${name}".`;
    return;
  }
  $.layer.selectedIndex = best.layer;
  showLayers();
  $.unit.value = String(best.unit + 1);
  colour();
  $.found.textContent =
    `Unit ${best.unit + 1} of layer ${best.layer + 1} follows ${name} best: correlation ` +
    `${best.correlation.toFixed(2).replace("-", "\u2212")}.`;
}

// ---- Files ------------------------------------------------------------------------------------

/** The file of an input, once. */
function taken(input, largest) {
  const [file] = input.files;
  if (file && file.size > largest)
    throw new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB; this page takes ${largest / 1e6} MB.`);
  return file;
}

async function openText() {
  const file = taken($["text-file"], LARGEST_TEXT);
  if (!file) return;
  const bytes = await file.arrayBuffer();
  $["text-file"].value = "";
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${file.name} is not a text in UTF-8. A text editor can save it so.`);
  }
  if (text.includes("\0")) throw new Error(`${file.name} is not a text: it has bytes of value 0.`);
  $.text.value = text;
  await pick(-1);
}

async function openModel() {
  const file = taken($["model-file"], LARGEST_MODEL);
  if (!file) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  $["model-file"].value = "";
  let answer;
  try {
    answer = await worker.ask("open", { bytes });
  } catch (error) {
    throw new Error(`${file.name} cannot be opened: ${error.message}`);
  }
  const { cell, units, layers } = answer;
  if ([...$.cell.options].some(({ value }) => value === cell)) $.cell.value = cell;
  if (units) put({ units, layers });
  await adopt(answer, { key: keyOf(settings()), isOpened: true });
  $.model.textContent = `${file.name}: ${describe()}. Start goes on with it.`;
}

async function saveModel() {
  const { bytes } = await worker.ask("save");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = "model.safetensors";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  $.model.textContent = `Saved as model.safetensors: ${describe()}.`;
}

/** One of TEXTS; -1: the visitor's own, which is there already. */
async function pick(i) {
  $["sample-text"].value = String(i);
  const { text, settings: suitable } = TEXTS[i] ?? { text: $.text.value, settings: { ...OWN, reading: "text" } };
  $.text.value = text;
  if (!model?.isOpened) {
    put(suitable);
    showText();
    await create();
    return;
  }
  // A model that was opened may learn any text; Reset makes another.
  $.reading.value = suitable.reading;
  model.key = keyOf(settings());
  showText();
  showState();
  await Promise.all([complete(), look()]);
}

// ---- Controls ---------------------------------------------------------------------------------

$["sample-text"].append(...TEXTS.map(({ name }, i) => new Option(name, String(i))), new Option("Your own", "-1"));
$.feature.append(...FEATURES.map(([name], i) => new Option(name, String(i))));
put({ ...TEXTS[0].settings, seed: 1 });
$.text.value = TEXTS[0].text;
$.live.checked = !matchMedia("(prefers-reduced-motion: reduce)").matches;
showText();

on($.controls, "submit", async (event) => {
  event.preventDefault();
  if (isTraining) {
    isStopWanted = true;
    await worker.ask("stop");
  } else {
    await start();
  }
});
on($.reset, "click", async () => {
  if (!$.controls.reportValidity()) return;
  await create();
  announce("A new network.");
});
on($["sample-text"], "change", () => pick(Number($["sample-text"].value)));
on($.text, "input", () => {
  $["sample-text"].value = "-1";
  if (model && !model.isOpened && updates > 0) model.key = keyOf(settings()); // it may go on with a changed text
  showText();
  showState();
});
on($["text-file"], "change", openText);
for (const name of ["reading", "cell", "units", "layers", "seed"])
  on($[name], "change", () => {
    showText();
    showState();
  });
for (const name of ["rate", "pace"])
  on($[name], "change", async () => {
    if (isTraining && $.rate.reportValidity())
      await worker.ask("tune", { rate: settings().rate, pace: settings().pace });
  });
on($.temperature, "input", showTemperature);
for (const control of [$.temperature, $.shown, $.prompt]) on(control, "change", look);
on($.again, "click", () => {
  ++sampleSeed;
  return look();
});
on($.layer, "change", () => {
  showLayers();
  colour();
});
on($.unit, "input", () => {
  if ($.unit.validity.valid) colour();
});
on($.find, "click", find);
on($.save, "click", saveModel);
on($["model-file"], "change", openModel);

try {
  const { version } = await worker.ask("init");
  $.version.textContent = version;
  await create();
  $.loading.remove();
} catch (error) {
  $.loading.remove();
  alertOf(error.message);
}
