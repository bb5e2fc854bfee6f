// page.mjs ORIGIN MODULES OUT [RNN]: the demo page at ORIGIN in headless Chromium. It trains, completes, saves and
// opens models, says what is wrong, and can be used by keyboard and by screen readers. MODULES: a folder with
// playwright-core and axe-core. OUT: a folder for files and pictures. RNN: the program, to exchange files with.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [origin, modules, out, rnn] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const PATIENCE = 120_000; // milliseconds; machines may be slow
const ANSWER = 30; // milliseconds of its thread in which the page has to answer while it trains
const ANSWERS = 40; // that are measured
const SENTENCES = ["hey how are you", "good i am fine", "have a nice day"];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const problems = []; // what the console said, and what was asked of others than ORIGIN

/** The page, ready. expected: the errors that its console may have. */
async function open({ expected = /^$/, prepare = async () => {}, isReady = true, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.test(message.text())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("blob:")) problems.push(request.url());
  });
  await prepare(page);
  await page.goto(origin);
  if (isReady) await page.waitForSelector("#start:enabled");
  return page;
}

const text = (page, id) => page.locator(`#${id}`).textContent();
const ended = (page) => page.waitForFunction(() => document.querySelector("#start").textContent !== "Stop");

async function train(page, count) {
  await page.selectOption("#pace", "0");
  await page.fill("#most", String(count));
  await page.click("#start");
  await ended(page);
}

/** Wait for an error, and return it. */
async function alertOf(page) {
  await page.waitForSelector("#alert:visible");
  return text(page, "alert");
}

async function check(name, body) {
  const start = performance.now();
  const remark = await body();
  console.log(`ok  ${name}${remark ? `: ${remark}` : ""} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** What others than eyes meet. */
async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  assert.deepEqual(
    violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]),
    [],
  );
}

/** The least contrast of the letters' colour with that of their units, at the largest values. */
function contrast(page) {
  return page.evaluate(() => {
    const heat = document.querySelector("#heat");
    const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const page = numbers(getComputedStyle(heat).backgroundColor);
    const letter = luminance(numbers(getComputedStyle(heat).color));
    const ratios = ["plus", "minus"].map((name) => {
      const span = document.createElement("span");
      span.className = name;
      span.style.setProperty("--share", "1");
      heat.append(span);
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(span).backgroundColor);
      span.remove();
      const mixed = luminance([r, g, b].map((c, i) => alpha * c + (1 - alpha) * page[i]));
      return (Math.max(letter, mixed) + 0.05) / (Math.min(letter, mixed) + 0.05);
    });
    return Math.min(...ratios);
  });
}

try {
  const page = await open();

  await check("100 updates lower the loss", async () => {
    await train(page, 100);
    assert.equal(await text(page, "updates"), "100");
    const [, first, last] = (await text(page, "chart-text")).match(/from ([\d.]+) to ([\d.]+) bits/);
    assert(Number(last) < 0.5 * Number(first), `${first} to ${last}`);
    assert.notEqual(await page.locator("#chart path.curve").getAttribute("d"), null);
    return `${first} to ${last} bits per character`;
  });

  await check("it completes the sentences", async () => {
    await train(page, 200);
    assert.equal(await text(page, "updates"), "300");
    const lines = await page.locator("#completions li").allTextContents();
    assert.deepEqual(
      lines.map((line) => line.trim()),
      SENTENCES.map((sentence) => `${sentence} right`),
    );
  });

  const file = join(out, "page.safetensors");
  await check("a saved model writes the same", async () => {
    const written = await text(page, "heat");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    await download.saveAs(file);
    await page.click("#reset");
    await page.waitForFunction((before) => document.querySelector("#heat").textContent !== before, written);
    await page.setInputFiles("#model-file", file);
    await page.waitForFunction((before) => document.querySelector("#heat").textContent === before, written);
    assert.match(await text(page, "model"), /GRU, 1 layer of 16 units, 18 characters/);
    const lines = await page.locator("#completions li").allTextContents();
    assert.deepEqual(
      lines.map((line) => line.trim().replace(/ right$/, "")),
      SENTENCES,
    );
    await train(page, 20); // and goes on
    assert.equal(await text(page, "updates"), "20");
    assert((await text(page, "chart-text")).match(/from ([\d.]+)/)[1] < 0.2, await text(page, "chart-text"));
  });

  if (rnn) {
    await check("rnn sample reads it", () => {
      const sample = execFileSync(rnn, ["sample", file, "--prompt", "hey", "--greedy", "--length", "12"], {
        encoding: "utf8",
      });
      assert.equal(sample.trim(), SENTENCES[0]);
    });
    await check("it reads a model of rnn train", async () => {
      writeFileSync(join(out, "text.txt"), `${SENTENCES.join("\n")}\n`.repeat(20));
      const model = join(out, "tool.safetensors");
      execFileSync(
        rnn,
        ["train", join(out, "text.txt"), "-o", model, "--hidden", "24", "--cell", "lstm", "--updates", "200"],
        { stdio: "ignore" },
      );
      await page.setInputFiles("#model-file", model);
      await page.waitForFunction(() => document.querySelector("#model").textContent.includes("tool.safetensors"));
      assert.match(await text(page, "model"), /LSTM, \d layers? of 24 units, 18 characters/);
      const sample = execFileSync(rnn, ["sample", model, "--prompt", "good", "--greedy", "--length", "11"], {
        encoding: "utf8",
      });
      const [, completed] = await page.locator("#completions li").allTextContents();
      assert.equal(completed.trim().replace(/ right$/, ""), sample.trim());
    });
  } else {
    console.log("skipped: files of the program rnn: it is not built (build/examples/cli/rnn)");
  }

  await check("the page answers while it trains", async () => {
    await page.selectOption("#sample-text", "2");
    await page.fill("#units", "128"); // an update takes longer than an answer may
    await page.selectOption("#pace", "0");
    await page.fill("#most", "100000");
    await page.click("#start");
    await page.waitForFunction(() => Number(document.querySelector("#updates").textContent) > 0);
    // The page's thread, in its own time: in that of the clock, other programs of this machine delay answers.
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const seconds = async () =>
      (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
    const before = await seconds();
    const times = await page.evaluate(async (count) => {
      const unit = document.querySelector("#unit");
      const picture = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      const times = [];
      for (let i = 0; i < count; ++i) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const start = performance.now();
        unit.value = String(1 + (i % 64));
        unit.dispatchEvent(new Event("input"));
        await picture();
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b);
    }, ANSWERS);
    const own = (1000 * ((await seconds()) - before)) / ANSWERS;
    assert.equal(await text(page, "start"), "Stop");
    await page.click("#start");
    await ended(page);
    assert(own < ANSWER, `an answer takes ${own.toFixed(1)} ms of the page's thread`);
    const [median, worst] = [times[ANSWERS / 2], times.at(-1)].map((time) => time.toFixed(0));
    return `${own.toFixed(1)} ms of the page's thread; by the clock, median ${median} ms, worst ${worst} ms`;
  });

  await check("a unit is found, and its values are said", async () => {
    await page.selectOption("#shown", "text");
    await page.waitForFunction(() => document.querySelector("#heat").textContent.startsWith("Monday:"));
    await page.selectOption("#feature", { label: "ends of words" });
    await page.click("#find");
    assert.match(await text(page, "found"), /^Unit \d+ of layer 1 follows ends of words best: correlation/);
    await page.focus("#heat");
    await page.keyboard.press("Home");
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft"]) await page.keyboard.press(key);
    const heat = page.locator("#heat");
    assert.equal(await heat.getAttribute("aria-valuenow"), "2");
    assert.match(
      await heat.getAttribute("aria-valuetext"),
      /^'o': \u2212?\d\.\d\d\. Next, says the network: .* \d+\u00a0%/,
    );
    await page.selectOption("#feature", { label: "quotes: inside or outside" });
    await page.click("#find");
    assert.match(await text(page, "found"), /has nothing of/);
  });

  await check("what is wrong is said", async () => {
    const own = async (value, reading) => {
      await page.fill("#text", value);
      await page.selectOption("#reading", reading);
      await page.click("#reset");
      return alertOf(page);
    };
    assert.match(await own("too short", "text"), /has 9 characters; to be read as one text it needs 32/);
    assert.match(await own("aaaa", "lines"), /two different characters/);
    assert.match(await own("a".repeat(3000) + "b", "lines"), /has 3002 characters; read this text as one text/);
    await page.setInputFiles("#text-file", {
      name: "a.txt",
      mimeType: "text/plain",
      buffer: Buffer.from([0x68, 0xe9, 0x21]),
    });
    assert.match(await alertOf(page), /a\.txt is not a text in UTF-8/);
    await page.setInputFiles("#model-file", { name: "a.bin", mimeType: "", buffer: Buffer.from("this is no model") });
    assert.match(await alertOf(page), /^a\.bin cannot be opened: the file/);
    const { init, Network } = await import(pathToFileURL(resolve("build/web/librnn/src/index.js")));
    await init();
    const made = async (options, vocabulary) => {
      const network = new Network({ inputSize: 2, hiddenSize: 4, outputSize: 2, ...options });
      if (vocabulary) network.setMetadata("vocabulary", vocabulary);
      const buffer = Buffer.from(network.save());
      await page.setInputFiles("#model-file", { name: "b.safetensors", mimeType: "", buffer });
      return alertOf(page);
    };
    assert.match(await made({}), /has no vocabulary in its metadata/);
    assert.match(await made({}, '["a","b","c"]'), /vocabulary has 3 characters; the network has 2 inputs/);
    assert.match(await made({}, '["a","bc"]'), /vocabulary in the model's metadata is damaged/);
    assert.match(await made({ flags: ["bidirectional"] }, '["a","b"]'), /reads whole sequences/);
    await page.setInputFiles("#model-file", file);
    await page.waitForFunction(() => document.querySelector("#model").textContent.includes("page.safetensors"));
    await page.fill("#text", "a text with an X, which the three sentences do not have");
    await page.selectOption("#sample-text", "-1");
    await page.setInputFiles("#model-file", file);
    await page.waitForFunction(() => document.querySelector("#start").textContent === "Start");
    await page.click("#start");
    assert.match(await alertOf(page), /has a character that the model has not learnt: /);
    await page.fill("#units", "1000");
    await page.click("#start");
    assert.equal(await page.evaluate(() => document.activeElement.id), "units");
  });

  await check("another network, and another text", async () => {
    await page.fill("#units", "12");
    await page.click("#reset");
    await page.selectOption("#sample-text", "0");
    await train(page, 5);
    await page.fill("#layers", "2");
    await page.selectOption("#cell", "vanilla");
    await page.press("#layers", "Tab");
    assert.equal(await text(page, "start"), "Start anew");
    assert.match(await text(page, "network-note"), /Reset/);
    await train(page, 10);
    assert.equal(await text(page, "updates"), "10");
    await page.waitForFunction(() => document.querySelector("#layer").length === 2);
    await page.selectOption("#layer", { label: "2" });
    await page.fill("#text", "hey how are you\nhey you are fine\n");
    assert.equal(await text(page, "start"), "Go on"); // with what is learnt
    await train(page, 5);
    assert.equal(await text(page, "updates"), "15");
    const beginnings = await page.locator("#completions li strong").allTextContents();
    assert.deepEqual(beginnings, ["hey", "hey you"]);
  });

  await check("a text from a file", async () => {
    const buffer = Buffer.from("\u00e9t\u00e9 \u{1f600}! ".repeat(40));
    await page.setInputFiles("#text-file", { name: "b.txt", mimeType: "text/plain", buffer });
    await page.waitForFunction(() => document.querySelector("#text-size").textContent.startsWith("280 characters, 5 "));
    await train(page, 5);
    assert.equal(await text(page, "updates"), "5");
  });
  await page.context().close();

  await check("labels and contrast", async () => {
    const ratios = [];
    for (const colorScheme of ["light", "dark"]) {
      const seen = await open({ colorScheme });
      await train(seen, 60);
      await accessible(seen);
      ratios.push(await contrast(seen));
      assert(ratios.at(-1) >= 4.5, `${colorScheme}: ${ratios.at(-1)}`);
      await seen.screenshot({ path: join(out, `${colorScheme}.png`), fullPage: true });
      await seen.context().close();
    }
    return `letters on the strongest colours ${ratios.map((ratio) => ratio.toFixed(1)).join(" and ")} to 1`;
  });

  await check("phones", async () => {
    const phone = await open({ viewport: { width: 320, height: 640 }, hasTouch: true, reducedMotion: "reduce" });
    assert.equal(await phone.locator("#live").isChecked(), false, "nothing moves by itself");
    await train(phone, 60);
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 320);
    await accessible(phone);
    await phone.screenshot({ path: join(out, "phone.png"), fullPage: true });
    await phone.context().close();
  });

  await check("by keyboard alone", async () => {
    const keys = await open();
    const reached = new Set();
    for (let i = 0; i < 40; ++i) {
      await keys.keyboard.press("Tab");
      reached.add(await keys.evaluate(() => document.activeElement.id));
    }
    for (const id of await keys
      .locator("button, input, select, textarea, #heat")
      .evaluateAll((all) => all.map((one) => one.id)))
      assert(reached.has(id), `${id} is not reached by the tabulator`);
    await keys.focus("#start");
    await keys.keyboard.press("Enter");
    await keys.waitForFunction(() => Number(document.querySelector("#updates").textContent) > 0);
    await keys.keyboard.press("Enter"); // the same button stops
    await ended(keys);
    assert.equal(await keys.evaluate(() => document.activeElement.id), "start");
    await keys.context().close();
  });

  await check("a browser without SIMD, and a page without its library", async () => {
    const old = await open({
      isReady: false,
      prepare: (page) =>
        page.route("**/worker.js", async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: `WebAssembly.validate = () => false;\n${await response.text()}` });
        }),
    });
    assert.match(await alertOf(old), /lacks WebAssembly with SIMD/);
    assert(await old.locator("#start").isDisabled());
    await old.context().close();
    for (const missing of ["**/librnn/src/index.js", "**/librnn*.wasm"]) {
      const bare = await open({
        isReady: false,
        expected: /404/,
        prepare: (page) => page.route(missing, (route) => route.fulfill({ status: 404 })),
      });
      assert.match(await alertOf(bare), /could not be loaded|librnn\.wasm/);
      await bare.context().close();
    }
  });

  assert.deepEqual(problems, [], "the console has no errors, and nothing is loaded from elsewhere");
  console.log("ok  no error in the console, nothing loaded from elsewhere");
} finally {
  await browser.close();
}
