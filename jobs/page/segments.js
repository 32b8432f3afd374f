// The segments view: how many users are in each segment and were, and who entered and left, with the numbers why.

import { drawing, element } from "./element.js";
import { path } from "./figures.js";
import { ask } from "./live.js";
import { moment, number, span } from "./words.js";

const KEPT = 720;
const KEPT_EVERY_MS = 5000;
const WIDTH = 160;
const HEIGHT = 30;

export class Segments {
  #history = [];
  #rules = new Map();
  #chosen = null;
  #counts = {};
  #list = element("ul", { class: "segment-list" });
  #note = element("p", { class: "empty" }, "No segment has a member yet. Counts appear here with the first events.");
  #changes = element("ol", { class: "changes" });
  #nobody = element("p", { class: "empty" });
  #title = element("h2", { id: "changes-title" }, "Who entered and left");
  #all = element("button", { type: "button", hidden: true, onclick: () => this.choose(null) }, "All segments");
  #watch;
  #edit;
  #answered;
  #topics = true;

  /** `watch(uid)` shows a user, `edit(rule)` takes a rule to the editor, `answered(answers)` hears the job's answers. */
  constructor(counts, changes, { watch, edit, answered }) {
    this.#watch = watch;
    this.#edit = edit;
    this.#answered = answered;
    counts.append(element("header", { class: "list-head" }, element("h2", { id: "counts-title" }, "Segments now"), element("span", { class: "meta" }, "users, last hour")), this.#note, this.#list);
    changes.append(element("header", { class: "list-head" }, this.#title, this.#all), this.#nobody, this.#changes);
    setInterval(() => !document.hidden && !counts.closest(".view").hidden && this.renew(), KEPT_EVERY_MS);
  }

  /** Ask for everything that the view shows. */
  async renew() {
    const about = this.#chosen === null ? "" : `?segment=${encodeURIComponent(this.#chosen)}`;
    const { history, changes, rules, topics, answers } = await ask(`/segments${about}`);
    this.#history = history;
    this.#rules = new Map(rules.map((rule) => [rule.name, rule]));
    this.#topics = topics;
    this.#answered(answers);
    this.#draw();
    this.#drawChanges(changes);
  }

  /** Take in a message of the live connection. */
  take({ at, counts, changes }) {
    this.#counts = counts;
    if (!this.#history.length || at - this.#history.at(-1).at >= KEPT_EVERY_MS) this.#history.push({ at, counts });
    if (this.#history.length > KEPT) this.#history.shift();
    if (document.hidden || this.#list.closest(".view").hidden) return;
    this.#draw();
    if (changes && this.#chosen === null) this.#drawChanges(changes);
  }

  /** Show who entered and left one segment; null: any. */
  choose(name) {
    this.#chosen = name;
    this.#title.textContent = name === null ? "Who entered and left" : `Who entered and left ${name}`;
    this.#all.hidden = name === null;
    this.renew().catch((error) => this.#say(error.message));
  }

  #draw() {
    const names = [...new Set([...this.#rules.keys(), ...Object.keys(this.#counts)])];
    names.sort((a, b) => (this.#counts[b] ?? 0) - (this.#counts[a] ?? 0) || a.localeCompare(b));
    this.#note.hidden = names.length > 0;
    if (this.#list.contains(document.activeElement) && names.length === this.#list.childElementCount) {
      for (const row of this.#list.children) this.#fill(row, row.dataset.segment);
      return;
    }
    this.#list.replaceChildren(...names.map((name) => this.#fill(this.#row(name), name)));
  }

  #row(name) {
    const rule = this.#rules.get(name);
    return element("li", { "data-segment": name },
      element("button", { type: "button", class: "segment", onclick: () => this.choose(name) },
        element("span", { class: "segment-name" }, name), element("strong"), element("span", { class: "spark" })),
      element("p", { class: "segment-about" }, rule?.description ?? ""),
      rule && element("code", { class: "segment-rule" }, rule.when),
      rule && element("button", { type: "button", class: "deed", onclick: () => this.#edit(rule) }, "Edit a copy"));
  }

  #fill(row, name) {
    const values = this.#history.map(({ counts }) => counts[name] ?? 0);
    const most = Math.max(1, ...values);
    row.querySelector(".segment").setAttribute("aria-pressed", `${name === this.#chosen}`);
    row.querySelector("strong").textContent = number(this.#counts[name] ?? 0);
    row.querySelector(".spark").replaceChildren(drawing("svg", { viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, preserveAspectRatio: "none", role: "img", "aria-label": `from ${values[0] ?? 0} to ${values.at(-1) ?? 0}, most ${Math.max(0, ...values)}` },
      drawing("path", { class: "line", d: path(values, most, WIDTH, HEIGHT) })));
    return row;
  }

  #drawChanges(changes) {
    this.#say(changes.length ? "" : this.#topics ? "Nobody yet. Entries and exits appear here as they happen." : "This page was started without Kafka: it hears of no entries and exits.");
    if (this.#changes.matches(":hover") || this.#changes.contains(document.activeElement)) return;
    this.#changes.replaceChildren(...changes.map((change) => element("li", { class: change.change },
      element("span", { class: "change-mark", "aria-hidden": "true" }, change.change === "entered" ? "→" : "←"),
      element("span", { class: "words" },
        element("span", {}, element("button", { type: "button", class: "who", onclick: () => this.#watch(change.uid) }, element("code", {}, change.uid.slice(0, 8))),
          ` ${change.change} `, element("b", {}, change.segment)),
        element("span", { class: "why" }, reason(change)),
        element("span", { class: "when" }, `${moment(change.at)}, rule version ${change.version}`)))));
  }

  #say(words) {
    this.#nobody.textContent = words;
    this.#nobody.hidden = !words;
  }
}

/** The numbers that decided, as words. */
export function reason(change) {
  const numbers = Object.entries(change.evidence).map(([text, value]) => `${text} was ${figure(text, value)}`);
  return numbers.length ? numbers.join("; ") : change.version === 0 ? "the rule was removed" : "no number decided";
}

/** Evidence tells durations in seconds. */
function figure(text, value) {
  if (/^(since_|known_for)/.test(text)) return span(1000 * value);
  return Number.isInteger(value) ? value.toLocaleString("en-GB") : value.toLocaleString("en-GB", { maximumSignificantDigits: 4 });
}
