// What is known of a user now: session, affinities, counters, drift, and the items of late.

import { element } from "./element.js";
import { category, country, deed, moment, named, number, span, title } from "./words.js";

const MOST_RECENT = 8;

export class Profile {
  #content = element("div", { class: "profile-content" });
  #empty;

  constructor(root, heading, empty) {
    this.#empty = element("p", { class: "empty" }, empty);
    this.uid = element("code", { class: "uid", title: "The pseudonym under which Redis knows this user" });
    root.append(element("header", { class: "list-head" }, element("h2", {}, heading), this.uid), this.#empty, this.#content);
  }

  show(view) {
    const profile = view.profile;
    this.uid.textContent = view.uid ?? "";
    this.#empty.hidden = Boolean(profile);
    this.#content.replaceChildren(...(profile ? parts(profile, view.items) : []));
  }
}

function parts(profile, items) {
  return [
    facts(profile),
    section("Drawn to", affinities(profile), "How likely the next thing they do is in this category"),
    section("Did, of late", counters(profile.types), "Counts that fade with time"),
    section("Recent items", recent(profile, items)),
    footnote(profile),
  ];
}

function section(heading, content, explained) {
  return content && element("section", {}, element("h3", explained ? { title: explained } : {}, heading), content);
}

function facts(profile) {
  const { session, drift } = profile;
  const known = [
    ["Country", profile.country && country(profile.country)],
    ["Device", profile.device],
    ["Events", number(profile.events)],
    ["Session", session.number && `no. ${number(session.number)}, ${number(session.depth)} ${session.depth === 1 ? "event" : "events"} in ${span(session.last - session.start)}`],
    ["Last seen", moment(profile.at)],
    ["Taste", drift.drifts ? `changed ${drift.drifts === 1 ? "once" : `${drift.drifts} times`}, last ${moment(drift.at)}` : "steady"],
    ["Segments", profile.segments.join(", ")],
    ["Persona", profile.persona],
    ["Kept out", profile.traffic?.length && `of statistics and lists: ${profile.traffic.map((reason) => reason.replaceAll("_", " ")).join(", ")}`],
  ];
  return element("dl", { class: "facts" }, ...known.filter(([, value]) => value).map(([name, value]) =>
    element("div", { class: (name === "Taste" && drift.drifts) || name === "Kept out" ? "drifted" : null }, element("dt", {}, name), element("dd", {}, value))));
}

function bars(entries, most, say) {
  return element("ul", { class: "bars" }, ...entries.map(([name, value, words]) => {
    const bar = element("i", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", Math.max(0, Math.min(1, value / most)).toFixed(3));
    return element("li", {}, named(element("span", { class: "name" }), words), bar, element("span", { class: "amount" }, say(value)));
  }));
}

function affinities(profile) {
  const top = profile.affinities.slice(0, 6).map(([path, value]) => [path, value, category(path) || "no category"]);
  return top.length ? bars(top, Math.max(...top.map(([, value]) => value)), (value) => `${Math.round(100 * value)} %`) : null;
}

function counters(types) {
  const top = Object.entries(types).sort((a, b) => b[1] - a[1]).slice(0, 6).map(([type, count]) => [type, count, deed(type)]);
  return top.length ? bars(top, Math.max(...top.map(([, count]) => count)), number) : null;
}

function recent(profile, items) {
  if (!profile.recent.length) return null;
  return element("ul", { class: "past" }, ...profile.recent.slice(0, MOST_RECENT).map(([id, time, type]) =>
    element("li", {}, named(element("span", { class: "title" }), title(items[id], id)),
      element("span", { class: "when" }, `${deed(type)}, ${time >= profile.at ? "just now" : `${span(profile.at - time)} before`}`))));
}

function footnote(profile) {
  const learning = Object.values(profile.learning);
  return learning.length ? element("p", { class: "learning" }, `Learned by ${learning.join(", ")}`) : null;
}
