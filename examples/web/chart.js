// The loss over the updates, as SVG.

const MOST = 2048; // points that are kept; with more, two become one
const SHARE = 0.2; // of the latest loss in the one that is said
const SVG = "http://www.w3.org/2000/svg";
const EDGES = { left: 46, right: 12, top: 10, bottom: 40 };

/** Means over so many updates each. */
class Means {
  points = [];
  width = 1;
  #sum = 0;
  #count = 0;

  add(value) {
    this.#sum += value;
    if (++this.#count < this.width) return;
    this.points.push(this.#sum / this.#count);
    this.#sum = this.#count = 0;
    if (this.points.length < MOST) return;
    this.points = Array.from({ length: MOST / 2 }, (_, i) => (this.points[2 * i] + this.points[2 * i + 1]) / 2);
    this.width *= 2;
  }
}

/** Round numbers from 0 to `end` or a little more, about `count` of them. */
function ticks(end, count) {
  const raw = end / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw * 0.999);
  return Array.from({ length: Math.ceil(end / step - 1e-6) + 1 }, (_, i) => i * step);
}

/** Means of each value and its neighbours on both sides, the more of them the more values there are. */
function smoothed(values) {
  const most = Math.min(24, Math.floor(values.length / 60));
  return values.map((_, i) => {
    const side = Math.min(most, i, values.length - 1 - i);
    const near = values.slice(i - side, i + side + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

export class Chart {
  #svg;
  #losses = new Means();
  #updates = 0;
  #smooth = NaN;
  #guess = NaN;
  #isDue = false;

  constructor(svg) {
    this.#svg = svg;
    new ResizeObserver(() => this.#draw()).observe(svg);
  }

  /** Begin anew; guess: the loss of a network that knows nothing. */
  clear(guess = NaN) {
    this.#losses = new Means();
    this.#updates = 0;
    this.#smooth = NaN;
    this.#guess = guess;
    this.#later();
  }

  add(losses) {
    for (const loss of losses) {
      this.#losses.add(loss);
      this.#smooth = ++this.#updates === 1 ? loss : this.#smooth + SHARE * (loss - this.#smooth);
    }
    this.#later();
  }

  /** The latest loss, smoothed. */
  get loss() {
    return this.#smooth;
  }

  get text() {
    if (this.#updates === 0) return "No update yet.";
    const first = this.#losses.points[0] ?? this.#smooth;
    return (
      `The loss over ${this.#updates} updates: from ${first.toFixed(2)} to ${this.#smooth.toFixed(2)} bits per ` +
      `character. Guessing has ${this.#guess.toFixed(2)}.`
    );
  }

  #later() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { width, height } = this.#svg.getBoundingClientRect();
    if (width === 0) return;
    const { points, width: step } = this.#losses;
    const bottom = height - EDGES.bottom;
    const xs = ticks(Math.max(10, this.#updates), width < 500 ? 4 : 8);
    const highest = points.reduce((a, b) => Math.max(a, b), this.#guess > 0 ? this.#guess : 4);
    const ys = ticks(highest * 1.05, 5);
    const x = (update) => EDGES.left + (update / Math.max(10, this.#updates)) * (width - EDGES.left - EDGES.right);
    const y = (loss) => bottom - (loss / ys.at(-1)) * (bottom - EDGES.top);
    const label = (place, text, anchor) => element("text", { ...place, "text-anchor": anchor }, text);

    const parts = [];
    for (const tick of ys) {
      parts.push(element("line", { class: "grid", x1: EDGES.left, x2: width - EDGES.right, y1: y(tick), y2: y(tick) }));
      parts.push(label({ x: EDGES.left - 8, y: y(tick) + 4 }, String(+tick.toPrecision(3)), "end"));
    }
    for (const tick of xs.filter((one) => x(one) <= width - EDGES.right + 1)) {
      parts.push(element("line", { class: "tick", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 }));
      const anchor = x(tick) > width - 30 ? "end" : "middle";
      parts.push(label({ x: x(tick), y: bottom + 18 }, tick.toLocaleString("en"), anchor));
    }
    parts.push(
      label({ x: (EDGES.left + width - EDGES.right) / 2, y: height - 5, class: "title" }, "updates", "middle"),
    );
    parts.push(
      label(
        {
          transform: `translate(12 ${(EDGES.top + bottom) / 2}) rotate(-90)`,
          class: "title",
        },
        "bits per character",
        "middle",
      ),
    );
    if (this.#guess > 0) {
      const place = y(this.#guess);
      parts.push(element("line", { class: "guess", x1: EDGES.left, x2: width - EDGES.right, y1: place, y2: place }));
      parts.push(label({ x: width - EDGES.right, y: place - 5 }, "guessing", "end"));
    }
    if (points.length > 0) {
      const path = (values) =>
        values.map((loss, i) => `${i ? "L" : "M"}${x((i + 1) * step).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
      parts.push(element("path", { class: "raw", d: path(points) }));
      parts.push(element("path", { class: "curve", d: path(smoothed(points)) }));
    }
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(...parts);
  }
}
