// browser.mjs: the installed package in headless Chromium: a page, a worker, an AudioWorklet, and a browser without SIMD.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

import { init, isa, Network } from "librnn";
import { chromium } from "playwright-core";

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const page = `<!doctype html><title>test</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"librnn": "/node_modules/librnn/src/index.js"}}</script>`;
const worker = `import { init, Network } from "/node_modules/librnn/src/index.js";
onmessage = async ({ data: { library, options, data } }) => {
  await init(library);
  const net = new Network(options);
  const losses = [];
  net.train(data, { epochs: 20, learningRate: 0.05 }, ({ loss }) => { losses.push(loss); });
  postMessage({ losses, file: net.save() });
};`;

const server = createServer((request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  const bodies = { "/": [page, "text/html"], "/worker.js": [worker, "text/javascript"] };
  try {
    const [body, type] = bodies[path] ?? [readFileSync(join(".", path)), types[extname(path)] ?? "text/plain"];
    response.writeHead(200, { "Content-Type": type }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const origin = `http://127.0.0.1:${server.address().port}/`;

const profile = mkdtempSync(join(tmpdir(), "librnn-chromium-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
try {
  const tab = await context.newPage();
  const problems = [];
  tab.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  tab.on("pageerror", (error) => problems.push(String(error)));
  await tab.goto(origin);

  await init();
  const options = { cell: "gru", inputSize: 2, hiddenSize: 8, outputSize: 2, seed: 1 };
  const data = {
    inputs: [
      [0, 1, 1, 0],
      [1, 0, 0],
    ],
    classes: [
      [0, 0, 1, 1],
      [0, 1, 0],
    ],
  };
  const net = new Network(options);
  const y = Array.from(net.step([0.25, -0.5]));
  const losses = [];
  net.train(data, { epochs: 20, learningRate: 0.05 }, ({ loss }) => {
    losses.push(loss);
  });

  const [kernels, stepped] = await tab.evaluate(async (given) => {
    const { init, isa, Network } = await import("librnn");
    await init();
    return [isa(), Array.from(new Network(given).step([0.25, -0.5]))];
  }, options);
  console.log(`page ${kernels}, Node ${isa()}`);
  assert.deepEqual(stepped, y, "a page has the bits of Node");

  const trained = await tab.evaluate(
    async ({ options, data }) => {
      const { compiledModule } = await import("librnn");
      const worker = new Worker("/worker.js", { type: "module" });
      worker.postMessage({ library: compiledModule(), options, data });
      const { losses, file } = await new Promise((resolve, reject) => {
        worker.onmessage = (message) => resolve(message.data);
        worker.onerror = (event) => reject(new Error(event.message));
      });
      return { losses, file: Array.from(file) };
    },
    { options, data },
  );
  assert.deepEqual(trained.losses, losses, "a worker trains to the bits of Node");
  assert.deepEqual(Uint8Array.from(trained.file), net.save());

  const audio = new Network({ cell: "lstm", inputSize: 1, hiddenSize: 8, outputSize: 1, seed: 1 });
  const sound = Float32Array.from({ length: 1024 }, (_, t) => Math.sin(0.1 * t));
  const heard = await tab.evaluate(
    async ({ file, sound }) => {
      const { compiledModule } = await import("librnn");
      const context = new OfflineAudioContext(1, sound.length, 48000);
      await context.audioWorklet.addModule("/node_modules/librnn/src/worklet.js");
      const node = new AudioWorkletNode(context, "librnn", {
        processorOptions: { library: compiledModule(), network: Uint8Array.from(file) },
      });
      const failed = new Promise((_, reject) => {
        node.onprocessorerror = () => reject(new Error("the processor failed"));
        node.port.onmessage = ({ data }) => data.error && reject(new Error(data.error));
      });
      const buffer = context.createBuffer(1, sound.length, 48000);
      buffer.getChannelData(0).set(sound);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(node).connect(context.destination);
      source.start();
      const rendered = await Promise.race([context.startRendering(), failed]);
      return Array.from(rendered.getChannelData(0));
    },
    { file: Array.from(audio.save()), sound: Array.from(sound) },
  );
  assert.deepEqual(Float32Array.from(heard), audio.forward([sound])[0], "an AudioWorklet has the bits of Node");

  const refused = await tab.evaluate(async () => {
    const { isSupported, init } = await import("/node_modules/librnn/src/index.js?without");
    const validate = WebAssembly.validate;
    WebAssembly.validate = () => false; // as in a browser without SIMD
    try {
      // Modules are shared by their address: the one that is loaded does not ask again.
      const fresh = await import("/node_modules/librnn/src/library.js?without");
      return [isSupported(), await fresh.init().catch((error) => error.message), typeof init];
    } finally {
      WebAssembly.validate = validate;
    }
  });
  assert.deepEqual(refused, [
    false,
    "librnn: this browser lacks WebAssembly with SIMD and exceptions; use Chrome or Edge 95, " +
      "Firefox 100, Safari 16.4, Node 18, or later",
    "function",
  ]);
  const missing = await tab.evaluate(async () => {
    const fresh = await import("/node_modules/librnn/src/library.js?missing");
    return fresh.init("/nowhere.wasm").catch((error) => error.message);
  });
  assert.match(missing, /^librnn\.wasm: http:.*nowhere\.wasm gives 404/);
  assert.deepEqual(
    problems.filter((text) => !text.includes("404")),
    [],
  );
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
  server.close();
}
