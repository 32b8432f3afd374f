// The strip of what was refused lately: closed, one line of the newest; open, each with its reason and what goes on.

import { element } from "./element.js";
import { moment } from "./words.js";

const KINDS = { segment: "Segment", rule: "Rule", policy: "Policy", personas: "Personas", model: "Model", schema: "Schema", profile_update: "CRM record" };

const FIRST_TIME = 1e11;

export class Refused {
  #root;
  #line = element("summary");
  #list = element("ol", { class: "refusals" });
  #drawn = "";

  constructor(root) {
    this.#root = root;
    root.append(this.#line, this.#list);
  }

  /** Show these, the newest first; without any the strip is not there. */
  show(refusals) {
    const drawn = JSON.stringify(refusals);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#root.hidden = !refusals.length;
    if (!refusals.length) return;
    const [newest] = refusals;
    this.#line.replaceChildren(
      element("strong", {}, refusals.length === 1 ? "Refused" : `${refusals.length} refused`), " ",
      element("span", { class: "refused-newest" }, `${named(newest)}: ${newest.stays}`), " ",
      element("time", {}, moment(newest.at)));
    this.#list.replaceChildren(...refusals.map((each) => element("li", {},
      element("p", { class: "refused-head" }, element("b", {}, named(each)), element("time", {}, `${moment(each.at)} UTC`)),
      element("p", { class: "refused-why" }, each.reason),
      element("p", { class: "refused-stays" }, sentence(each)))));
  }
}

function named({ kind, name, version }) {
  const what = KINDS[kind] ?? kind;
  if (kind === "profile_update") return name === "?" ? `${what}: no declared attribute` : `${what}: ${name}`;
  // The versions of bundles are times, which the line tells anyway.
  return version && version < FIRST_TIME ? `${what} ${name}, version ${version}` : `${what} ${name}`;
}

function sentence({ kind, refused, hosts, stays }) {
  const goesOn = `${stays[0].toUpperCase()}${stays.slice(1)}.`;
  if (kind === "profile_update") return `${refused === 1 ? "One record" : `${refused.toLocaleString("en-GB")} records`} of this kind. ${goesOn}`;
  return hosts.length ? `${goesOn} Refused on ${hosts.join(", ")}.` : goesOn;
}
