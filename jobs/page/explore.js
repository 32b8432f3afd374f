// The catalogue to click from: trending now, or a search.

import { byId, element } from "./element.js";
import { ask } from "./live.js";
import { category, hue, named, price, scope, title } from "./words.js";

const MOST_CARDS = 36;
const MOST_ON_PHONE = 12;
const RENEW_MS = 5000;
const MOST_SCOPES = 14;

export class Explore {
  #scope = "all";
  #query = "";
  #timer = null;
  #asked = 0;
  #did = new Map();
  #send;

  /** `send(type, item_id)` sends an event of the visitor. */
  constructor(send) {
    this.#send = send;
    byId("search").addEventListener("submit", (event) => event.preventDefault());
    byId("search-text").addEventListener("input", (event) => {
      this.#query = event.target.value.trim();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.renew(), 120);
    });
    setInterval(() => !document.hidden && !byId("visit").hidden && !this.#query && this.renew(), RENEW_MS);
  }

  /** Ask the server again and draw. Cards stay where they are while the pointer or focus is among them. */
  async renew() {
    const asked = ++this.#asked;
    const cards = byId("cards");
    const held = !this.#query && cards.childElementCount && (cards.matches(":hover") || cards.contains(document.activeElement));
    if (held && cards.dataset.scope === this.#scope) return;
    try {
      const path = this.#query ? `/search?q=${encodeURIComponent(this.#query)}` : `/trending?scope=${encodeURIComponent(this.#scope)}`;
      const answer = await ask(path);
      if (asked !== this.#asked) return;
      if (answer.scopes) this.#drawScopes(answer.scopes);
      cards.dataset.scope = this.#query ? "" : this.#scope;
      cards.replaceChildren(...answer.items.slice(0, matchMedia("(max-width: 760px)").matches ? MOST_ON_PHONE : MOST_CARDS).map((item) => this.#card(item)));
      this.#say(answer);
    } catch (error) {
      if (asked === this.#asked) byId("explore-note").textContent = error.message;
    }
  }

  #say({ items, known }) {
    byId("explore-note").textContent = items.length ? "" : this.#query
      ? `Nothing in the catalogue (${known} items) holds “${this.#query}”.`
      : "Nothing trends here yet. It appears with the first events, or search the catalogue above.";
  }

  #drawScopes(scopes) {
    const root = byId("scopes");
    const shown = ["all", ...scopes.filter((name) => name !== "all").slice(0, MOST_SCOPES)];
    if (root.dataset.shown === `${shown}|${this.#scope}`) return;
    root.dataset.shown = `${shown}|${this.#scope}`;
    root.replaceChildren(...shown.map((name) => element("button", {
      type: "button", class: "chip", "aria-pressed": `${name === this.#scope}`,
      onclick: () => {
        this.#scope = name;
        this.#query = "";
        byId("search-text").value = "";
        this.#drawScopes(scopes);
        this.renew();
      },
    }, named(element("span"), name === "all" ? "Trending" : scope(name)))));
  }

  #card(item) {
    const name = title(item, item.id);
    const did = this.#did.get(item.id) ?? new Set();
    this.#did.set(item.id, did);
    const tile = element("span", { class: "tile", "aria-hidden": "true" }, (name.match(/[\p{L}\p{N}]/u) ?? ["·"])[0]);
    tile.style.setProperty("--hue", hue(item.category ?? item.id));
    const act = (type) => (event) => {
      did.add(type);
      event.currentTarget.classList.add("did");
      this.#send(type, item.id);
    };
    const look = element("button", { type: "button", class: "look", "data-type": "view", onclick: act("view") },
      tile, element("span", { class: "words" }, named(element("span", { class: "title" }), name),
        element("span", { class: "why" }, named(element("span"), category(item.category)), category(item.category) && price(item) ? ", " : "", price(item))));
    const card = element("li", { class: "card", "data-item": item.id }, look, element("span", { class: "deeds" }, ...deeds(act)));
    for (const button of card.querySelectorAll("button")) button.classList.toggle("did", did.has(button.dataset.type));
    return card;
  }
}

/** Like, add to cart and buy; `act(type)` gives what a press does. */
export function deeds(act) {
  return [["like", "Like"], ["add_to_cart", "Add to cart"], ["purchase", "Buy"]]
    .map(([type, name]) => element("button", { type: "button", class: "deed", "data-type": type, onclick: act(type) }, name));
}
