// The charts of the flow: one line or two each over the last minutes, and the moment under the pointer in words.

import { drawing, element } from "./element.js";
import { clock, duration, number } from "./words.js";

const KEPT = 180;
const LEAST_SHOWN = 30;
const WIDTH = 300;
const HEIGHT = 64;

const CHARTS = [
  {
    name: "Events in", say: perSecond, lines: [(f) => f.events_per_s],
    note: (f) => (f.job ? `${f.job.name || "job"}, ${number(f.job.events)} so far` : "no figures from Flink"),
  },
  {
    name: "Lists out", say: perSecond, lines: [(f) => f.lists_per_s],
    note: listsNote,
  },
  {
    name: "Event to list, at once", say: duration, lines: [(f) => f.leading.p99, (f) => f.leading.p50],
    note: (f) => latencyNote(f.leading, "leading edge"),
  },
  {
    name: "Event to list, gathered", say: duration, lines: [(f) => f.trailing.p99, (f) => f.trailing.p50],
    note: (f) => latencyNote(f.trailing, "trailing edge"),
  },
];

function perSecond(rate) {
  return [number(rate), "/s"];
}

function listsNote(f) {
  if (!f.workers) return "no worker is writing";
  const cost = f.rank_us === null ? "" : `, ${number(f.rank_us)} µs to rank, ${number(f.redis_us)} µs to write`;
  const models = f.models?.length ? `, by ${f.models.join(" and ")}` : "";
  return `${f.workers} ${f.workers === 1 ? "worker" : "workers"}${cost}${models}`;
}

function latencyNote(latency, otherwise) {
  return latency.p50 === null ? `none in the last seconds` : `median ${duration(latency.p50).join("")}, ${otherwise}`;
}

/** A round upper end of an axis that holds `value`. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((step) => step * power).find((end) => end >= value * 1.02) ?? 10 * power;
}

/** SVG path data of a line over equally spaced values; a missing value leaves a gap. */
export function path(values, most, width, height) {
  const shown = Math.max(LEAST_SHOWN, values.length);
  const step = width / (shown - 1);
  const offset = shown - values.length;
  let pen = "M";
  return values.map((value, place) => {
    if (value === null || value === undefined) {
      pen = "M";
      return "";
    }
    const point = `${pen}${((offset + place) * step).toFixed(1)} ${(height - (height * value) / most).toFixed(1)}`;
    pen = "L";
    return point;
  }).join("");
}

class Chart {
  constructor(root, spec) {
    this.spec = spec;
    this.value = element("strong");
    this.note = element("span", { class: "chart-note" });
    this.most = element("span", { class: "most", "aria-hidden": "true" });
    this.area = drawing("path", { class: "area" });
    this.lines = spec.lines.map((_, place) => drawing("path", { class: place ? "line second" : "line" }));
    this.cursor = drawing("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    const plot = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      drawing("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), this.area, ...this.lines, this.cursor);
    const frame = element("div", { class: "plot" }, plot, this.most);
    frame.addEventListener("pointermove", (event) => {
      const box = frame.getBoundingClientRect();
      this.pointed = Math.round(((event.clientX - box.left) / box.width) * (this.shown - 1));
      this.say();
    });
    frame.addEventListener("pointerleave", () => {
      this.pointed = undefined;
      this.say();
    });
    root.append(element("figure", { class: "chart" },
      element("figcaption", {}, element("span", { class: "chart-name" }, spec.name), this.value, this.note), frame));
  }

  draw(history) {
    this.history = history;
    this.shown = Math.max(LEAST_SHOWN, history.length);
    const series = this.spec.lines.map((line) => history.map((figures) => line(figures) ?? null));
    const most = ceiling(Math.max(0, ...series.flat().filter((value) => value !== null)));
    series.forEach((values, place) => this.lines[place].setAttribute("d", path(values, most, WIDTH, HEIGHT)));
    this.area.setAttribute("d", filled(series[0], most));
    this.most.textContent = series[0].some((value) => value !== null) ? this.spec.say(most).join("") : "";
    this.say();
  }

  say() {
    const place = this.pointed === undefined ? this.history.length - 1 : this.pointed - (this.shown - this.history.length);
    const figures = this.history[place];
    const at = figures ? this.spec.lines[0](figures) ?? null : null;
    const [words, unit] = at === null ? ["–", ""] : this.spec.say(at);
    this.value.replaceChildren(words, element("small", {}, unit, this.spec.lines.length > 1 && at !== null ? " p99" : ""));
    this.note.textContent = !figures ? "" : this.pointed === undefined ? this.spec.note(figures) : `at ${clock(figures.at)}${this.spec.lines[1] ? `, median ${duration(this.spec.lines[1](figures) ?? 0).join("")}` : ""}`;
    this.cursor.setAttribute("visibility", this.pointed === undefined || !figures ? "hidden" : "visible");
    if (this.pointed !== undefined) {
      const x = (this.pointed * WIDTH) / (this.shown - 1);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
  }
}

/** The line of `values` closed down to the axis, each unbroken stretch on its own. */
function filled(values, most) {
  const shown = Math.max(LEAST_SHOWN, values.length);
  const step = WIDTH / (shown - 1);
  const offset = shown - values.length;
  let data = "";
  let start = -1;
  for (let place = 0; place <= values.length; place += 1) {
    const there = place < values.length && values[place] !== null;
    if (there && start < 0) start = place;
    if (!there && start >= 0) {
      const points = values.slice(start, place).map((value, k) => `L${((offset + start + k) * step).toFixed(1)} ${(HEIGHT - (HEIGHT * value) / most).toFixed(1)}`);
      data += `M${((offset + start) * step).toFixed(1)} ${HEIGHT}${points.join("")}L${((offset + place - 1) * step).toFixed(1)} ${HEIGHT}Z`;
      start = -1;
    }
  }
  return data;
}

export class Figures {
  #history = [];
  #charts;

  constructor(root) {
    this.#charts = CHARTS.map((spec) => new Chart(root, spec));
    this.restart([]);
  }

  restart(history) {
    this.#history = history.slice(-KEPT);
    this.#draw();
  }

  add(figures) {
    this.#history.push(figures);
    if (this.#history.length > KEPT) this.#history.shift();
    if (!document.hidden) this.#draw();
  }

  #draw() {
    for (const chart of this.#charts) chart.draw(this.#history);
  }
}
