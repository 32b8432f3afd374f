// What one user did of late on a line of time: items, the segments they were in, and where their taste changed.

import { drawing, element } from "./element.js";
import { ask } from "./live.js";
import { reason } from "./segments.js";
import { deed, moment, title } from "./words.js";

const WIDTH = 1000;
const LANE = 26;
const TOP = 22;
const MOST_LANES = 12;
const RENEW_MS = 4000;

export class Timeline {
  #plot = element("div", { class: "timeline-plot" });
  #said = element("ol", { class: "timeline-said" });
  #empty = element("p", { class: "empty" }, "Nothing is known of this user's past yet.");
  #more = element("details", {}, element("summary", {}, "As a list"), this.#said);
  #view = null;
  #past = { changes: [], alerts: [] };
  #asked = 0;

  constructor(root) {
    root.append(element("header", { class: "list-head" }, element("h2", { id: "timeline-title" }, "Timeline"),
      element("span", { class: "meta timeline-key" }, key("item"), key("segment"), key("drift"))), this.#empty, this.#plot, this.#more);
    setInterval(() => !document.hidden && !root.closest(".view").hidden && this.#renew(), RENEW_MS);
  }

  show(view) {
    const other = view.uid !== this.#view?.uid;
    this.#view = view;
    if (other) {
      this.#past = { changes: [], alerts: [] };
      this.#renew();
    }
    this.#draw();
  }

  async #renew() {
    const uid = this.#view?.uid;
    if (!uid) return;
    const asked = ++this.#asked;
    try {
      const past = await ask(`/past?uid=${encodeURIComponent(uid)}`);
      if (asked !== this.#asked) return;
      this.#past = past;
      this.#draw();
    } catch {
      // The banner says what is away; the next turn asks again.
    }
  }

  #draw() {
    const marks = marksOf(this.#view, this.#past);
    this.#empty.hidden = marks.all.length > 0;
    this.#plot.hidden = this.#more.hidden = !marks.all.length;
    if (!marks.all.length) return;
    this.#plot.replaceChildren(plot(marks));
    this.#said.replaceChildren(...marks.all.toSorted((a, b) => b.at - a.at).map((mark) =>
      element("li", { class: mark.kind }, element("span", {}, mark.words), element("span", { class: "when" }, moment(mark.at)))));
  }
}

function key(kind) {
  return element("span", { class: `key ${kind}` }, element("i", { "aria-hidden": "true" }), { item: "item", segment: "in a segment", drift: "taste changed" }[kind]);
}

/** Items, spells in segments and drift of a user, and all of them in words. */
function marksOf({ profile, items }, { changes, alerts }) {
  const touched = (profile?.recent ?? []).map(([id, at, type]) => ({ kind: "item", at, type, words: `${deed(type)} ${title(items[id], id)}` }));
  const drifts = alerts.map((alert) => ({ kind: "drift", at: alert.at, words: `Taste changed: the error went from ${alert.error_before.toFixed(2)} to ${alert.error_after.toFixed(2)} (${alert.detector}, after ${alert.labelled} events)` }));
  if (profile?.drift.drifts && !drifts.some(({ at }) => at === profile.drift.at)) {
    drifts.push({ kind: "drift", at: profile.drift.at, words: "Taste changed" });
  }
  const moved = changes.map((change) => ({ kind: "segment", at: change.at, words: `${change.change} ${change.segment}: ${reason(change)}`, change }));
  const all = [...touched, ...drifts, ...moved];
  const end = Math.max(profile?.at ?? 0, ...all.map(({ at }) => at));
  const begin = Math.min(end - 1, ...all.map(({ at }) => at));
  return { touched, drifts, spells: spellsOf(moved, profile?.segments ?? [], begin, end), all, begin, end };
}

/** By segment the spells in it, as [from, to, whether it goes on]. */
function spellsOf(moved, active, begin, end) {
  const spells = new Map();
  const since = new Map();
  const spell = (name, from, to, on) => spells.set(name, [...(spells.get(name) ?? []), [from, to, on]]);
  for (const { at, change } of moved.toSorted((a, b) => a.at - b.at)) {
    if (change.change === "entered") since.set(change.segment, at);
    else {
      spell(change.segment, since.get(change.segment) ?? begin, at, false);
      since.delete(change.segment);
    }
  }
  for (const name of new Set([...since.keys(), ...active])) spell(name, since.get(name) ?? begin, end, active.includes(name));
  return [...spells].slice(0, MOST_LANES);
}

function plot({ touched, drifts, spells, begin, end }) {
  const height = TOP + LANE * (spells.length + 1) + 22;
  const x = (at) => (10 + ((WIDTH - 20) * (at - begin)) / (end - begin)).toFixed(1);
  const lane = (place) => TOP + LANE * place + LANE / 2;
  const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `From ${moment(begin)} to ${moment(end)}: ${touched.length} items, ${spells.length} segments, ${drifts.length} changes of taste` });
  svg.style.height = `${height}px`;
  svg.append(drawing("line", { class: "base", x1: 0, x2: WIDTH, y1: lane(0), y2: lane(0) }));
  spells.forEach(([, each], place) => each.forEach(([from, to, on]) =>
    svg.append(drawing("line", { class: on ? "spell on" : "spell", x1: x(from), x2: Math.max(Number(x(to)), Number(x(from)) + 3), y1: lane(place + 1) + 5, y2: lane(place + 1) + 5 }))));
  for (const { at } of drifts) svg.append(drawing("line", { class: "drift-mark", x1: x(at), x2: x(at), y1: 14, y2: height - 20 }));
  const dots = touched.map(({ at, type, words }) => dot("dot", { left: `${x(at) / 10}%`, top: `${lane(0)}px` }, `${words}, ${moment(at)}`, type === "purchase" ? "bought" : ""));
  const heads = drifts.map(({ at, words }) => dot("head", { left: `${x(at) / 10}%`, top: "10px" }, `${words}, ${moment(at)}`, ""));
  const names = spells.map(([name], place) => {
    const label = element("span", { class: "lane" }, name);
    label.style.top = `${lane(place + 1) - 13}px`;
    return label;
  });
  return element("div", { class: "timeline-inner" }, svg, ...names, ...dots, ...heads,
    element("span", { class: "from" }, moment(begin)), element("span", { class: "to" }, moment(end)));
}

function dot(kind, place, words, also) {
  const node = element("i", { class: `${kind} ${also}`, title: words });
  Object.assign(node.style, place);
  return node;
}
