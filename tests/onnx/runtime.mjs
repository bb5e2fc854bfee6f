// Runs what export_cases.py wrote in ONNX Runtime and compares: node runtime.mjs FOLDER NODE_MODULES
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

const [folder, modules] = process.argv.slice(2);
const ort = createRequire(path.resolve(modules) + '/')('onnxruntime-node');
const kTolerance = 1e-5;

function inputs(test) {
  const shape = [test.steps, test.sequences], feeds = {};
  if (test.indices)
    feeds.indices = new ort.Tensor('int64', BigInt64Array.from(test.indices, BigInt), shape);
  else
    feeds.x = new ort.Tensor('float32', Float32Array.from(test.x), [...shape, test.inputs]);
  for (const [name, state] of Object.entries(test.states))
    feeds[name] = new ort.Tensor('float32', Float32Array.from(state.values), state.shape);
  return feeds;
}

async function difference(name) {
  const test = JSON.parse(fs.readFileSync(path.join(folder, name + '.json')));
  const session = await ort.InferenceSession.create(path.join(folder, name + '.onnx'), {logSeverityLevel: 3});
  const feeds = inputs(test), results = await session.run(feeds);
  const names = Object.keys(test.outputs);
  if (Object.keys(feeds).sort().join() !== [...session.inputNames].sort().join())
    throw new Error(`inputs are ${session.inputNames}`);
  if (names.sort().join() !== [...session.outputNames].sort().join())
    throw new Error(`outputs are ${session.outputNames}`);
  let largest = 0;
  for (const output of names) {
    const ours = test.outputs[output].values, theirs = results[output].data;
    if (ours.length !== theirs.length) throw new Error(`${output} has ${theirs.length} values, not ${ours.length}`);
    ours.forEach((value, i) => largest = Math.max(largest, Math.abs(value - theirs[i])));  // NaN if one is
  }
  return largest;
}

let failed = 0, largest = 0;
const names = fs.readdirSync(folder).filter((name) => name.endsWith('.onnx')).map((name) => name.slice(0, -5)).sort();
for (const name of names) {
  const d = await difference(name).catch((error) => (console.log(error.message), NaN));
  const good = d <= kTolerance;
  if (!good) console.log(`${name}: ${d}`);
  failed += !good;
  if (good) largest = Math.max(largest, d);
}
console.log(`ONNX Runtime ${ort.env.versions.node}: ${names.length} networks, ${failed} failed, ` +
            `largest difference ${largest.toExponential(1)}`);
process.exit(failed > 0 || names.length < 200 ? 1 : 0);
