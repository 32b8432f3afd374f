// The person at this page as a visitor: who they are, what they click, and how long their list takes to follow.

import { element } from "./element.js";
import { ask } from "./live.js";
import { number } from "./words.js";

const KEY = "headrace.visitor";
const KEPT_TRIPS = 24;

/** A visitor id for this browser tab, the same until the tab is closed. */
function visitorId() {
  const kept = sessionStorage.getItem(KEY);
  if (/^visitor-[0-9a-f]{32}$/.test(kept ?? "")) return kept;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = `visitor-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  sessionStorage.setItem(KEY, id);
  return id;
}

export class Visitor {
  #id = visitorId();
  #clicked = new Map();
  #trips = [];
  #count = 0;
  #note;
  #root;
  #peek;

  constructor(root, peek) {
    this.#root = root;
    this.#peek = peek;
    this.#draw();
  }

  /** The pseudonym of this visitor; asks the server until it answers. */
  async uid() {
    return (await ask("/users", { user: this.#id })).uid;
  }

  /** Send an event; says on the page what came of it. */
  async send(type, itemId, at = {}) {
    const click = `c${Date.now().toString(36)}${this.#count++ % 36}`.slice(0, 16);
    const trip = { started: performance.now() };
    this.#clicked.set(click, trip);
    if (this.#clicked.size > 100) this.#clicked.delete(this.#clicked.keys().next().value);
    this.#note = "";
    this.#draw(true);
    try {
      const answer = await ask("/events", {
        visitor: this.#id, click, type, item_id: itemId, ...at, ...region(),
        device: matchMedia("(max-width: 700px)").matches ? "phone" : "desktop",
      });
      trip.kafka = answer.kafka_ms;
    } catch (error) {
      this.#clicked.delete(click);
      this.#note = error.message;
    }
    this.#draw();
  }

  /** The server saw the list that covers a click, and the page has drawn it. */
  arrived({ click, server_ms: server }) {
    const trip = this.#clicked.get(click);
    if (!trip) return;
    this.#clicked.delete(click);
    trip.list = performance.now() - trip.started;
    trip.server = server;
    this.#trips.push(trip);
    if (this.#trips.length > KEPT_TRIPS) this.#trips.shift();
    this.#draw();
  }

  #draw() {
    const last = this.#trips.at(-1);
    const waiting = this.#clicked.size > 0;
    this.#root.replaceChildren(
      element("div", { class: "trip-figure" },
        element("span", { class: "chart-name" }, "From click to list"),
        element("strong", { id: "round-trip", "data-trips": this.#trips.length }, last ? number(Math.round(last.list)) : "–", element("small", {}, last ? " ms" : ""))),
      element("p", { class: "trip-note" }, this.#note || this.#say(last, waiting)),
      element("div", { class: "trips", "aria-hidden": "true" }, ...this.#bars()));
    this.#peek.hidden = !last && !waiting;
    this.#peek.replaceChildren(element("span", {}, "Your list"), element("strong", {}, last ? `followed in ${Math.round(last.list)} ms` : "follows"));
  }

  #say(last, waiting) {
    if (!last) return waiting ? "On its way: Kafka, Flink, Redis, this page." : "Click an item and watch the list answer.";
    const median = [...this.#trips].sort((a, b) => a.list - b.list)[Math.floor(this.#trips.length / 2)].list;
    const kafka = last.kafka === undefined ? "" : `Kafka took ${number(last.kafka)} ms, `;
    return `${kafka}Redis had the list after ${number(Math.round(last.server))} ms. Median: ${Math.round(median)} ms.`;
  }

  #bars() {
    const most = Math.max(1, ...this.#trips.map((trip) => trip.list));
    return this.#trips.map((trip) => {
      const bar = element("i");
      bar.style.setProperty("--share", (trip.list / most).toFixed(3));
      return bar;
    });
  }
}

function region() {
  try {
    const code = new Intl.Locale(navigator.language).region;
    return /^[A-Z]{2}$/.test(code ?? "") ? { country: code } : {};
  } catch {
    return {};
  }
}
