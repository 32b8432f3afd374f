// A user's list, best first. What moves is shown moving; what is new is marked for a few seconds.

import { element } from "./element.js";
import { moved } from "./movement.js";
import { category, hue, moment, named, number, price, reason, title } from "./words.js";

const MARKED_MS = 4500;
const SPOKEN_EVERY_MS = 6000;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class RankedList {
  #rows = new Map();
  #uid = null;
  #seq = "";
  #spokenAt = -SPOKEN_EVERY_MS;
  #waiting = null;
  #drawnAt = 0;

  /** `options`: `heading`, `who` ("you" or "they"), `empty` (a sentence), `least_ms` between two drawings,
      `spoken` (the element that is read out), `actions(item_id, position, rec_id)` (nodes for each row). */
  constructor(root, options) {
    this.options = options;
    this.heading = element("h2", {}, options.heading);
    this.meta = element("p", { class: "meta" });
    this.rows = element("ol", { class: "rows" });
    this.empty = element("p", { class: "empty" }, options.empty);
    root.append(element("header", { class: "list-head" }, this.heading, this.meta), this.empty, this.rows);
  }

  /** Show a user's view, at once or when the last drawing has been seen. */
  show(view) {
    const wait = this.options.least_ms - (performance.now() - this.#drawnAt);
    clearTimeout(this.#waiting);
    if (view.uid === this.#uid && wait > 0) this.#waiting = setTimeout(() => this.#draw(view), wait);
    else this.#draw(view);
  }

  #draw(view) {
    this.#drawnAt = performance.now();
    const fresh = view.uid !== this.#uid;
    if (fresh) {
      this.rows.replaceChildren();
      this.#rows.clear();
      this.#uid = view.uid;
      this.#seq = "";
    }
    const list = view.rec;
    this.empty.hidden = Boolean(list?.items.length);
    this.meta.replaceChildren(...(list ? this.#about(list, view.items) : []));
    if (!list || list.seq === this.#seq) return;
    const first = !this.#seq;
    this.#seq = list.seq;
    this.#place(list, view.items, !first);
  }

  #about(list, items) {
    return [
      list.item && element("span", { title: "The item that this list goes with" }, "beside ", named(element("span"), title(items[list.item], list.item))),
      element("span", { title: "The model that ranked this list" }, list.model || "no model"),
      element("span", { title: "Event time for which the list was made" }, moment(list.at)),
      element("span", { title: `Version ${list.seq}` }, `after ${number(Number(list.seq.split(".")[1] ?? 0))} events`),
    ].filter(Boolean);
  }

  #place(list, items, moving) {
    const before = new Map([...this.#rows].map(([id, row], place) => [id, { place, top: row.node.offsetTop }]));
    const scores = list.items.map(([, score]) => score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    const rows = new Map();
    list.items.forEach(([id, score, why], place) => {
      const row = this.#rows.get(id) ?? this.#row(id);
      this.#write(row, { id, item: items[id], items, why, place, list });
      row.node.style.setProperty("--level", high > low ? (0.12 + (0.88 * (score - low)) / (high - low)).toFixed(3) : "1");
      row.node.title = `score ${score.toPrecision(4)}`;
      rows.set(id, row);
    });
    this.#rows = rows;
    this.rows.replaceChildren(...[...rows.values()].map((row) => row.node));
    if (!moving) return;
    const shifted = moved([...rows.keys()], new Map([...before].map(([id, { place }]) => [id, place])));
    let arrived = 0;
    [...rows].forEach(([id, row], place) => {
      const old = before.get(id);
      if (!old) arrived += 1;
      this.#mark(row, old, place, shifted.has(id));
      this.#glide(row, old);
    });
    this.#speak(arrived, shifted.size, list, items);
  }

  #row(id) {
    const row = {
      rank: element("span", { class: "rank" }),
      tile: element("span", { class: "tile", "aria-hidden": "true" }),
      title: element("span", { class: "title" }),
      why: element("span", { class: "why" }),
      price: element("span", { class: "price" }),
      move: element("span", { class: "move" }),
      actions: element("span", { class: "actions" }),
    };
    row.node = element("li", { class: "row", "data-item": id },
      row.rank, row.tile, element("span", { class: "words" }, row.title, row.why), row.price, row.move, row.actions);
    return row;
  }

  #write(row, { id, item, items, why, place, list }) {
    const name = title(item, id);
    const { kind, words, subject, rule } = reason(why, items, this.options.who);
    row.rank.textContent = place + 1;
    row.tile.textContent = (name.match(/[\p{L}\p{N}]/u) ?? ["·"])[0];
    row.tile.style.setProperty("--hue", hue(item?.category ?? id));
    row.tile.title = category(item?.category);
    named(row.title, name);
    row.why.replaceChildren(element("i", { class: `reason ${kind}`, "aria-hidden": "true" }), words, subject ? named(element("span"), subject) : "");
    row.why.title = words + (subject ?? "") + (rule ? `, moved by the rule ${rule}` : "");
    row.price.textContent = price(item);
    if (this.options.actions) row.actions.replaceChildren(...this.options.actions(id, place + 1, list.id));
  }

  #mark(row, old, place, shifted) {
    const way = !old ? "new" : !shifted ? "" : old.place > place ? "up" : old.place < place ? "down" : "";
    if (!way && row.marked) return;
    clearTimeout(row.marked);
    row.marked = null;
    row.move.className = `move ${way}`;
    row.move.textContent = way === "new" ? "new" : way ? `${way === "up" ? "▲" : "▼"} ${Math.abs(old.place - place)}` : "";
    row.node.classList.toggle("fresh", way === "new");
    if (way) {
      row.marked = setTimeout(() => {
        row.marked = null;
        row.move.className = "move";
        row.move.textContent = "";
        row.node.classList.remove("fresh");
      }, MARKED_MS);
    }
  }

  #glide(row, old) {
    const top = row.node.offsetTop;
    if (still.matches || old?.top === top) return;
    const easing = "cubic-bezier(.2,.75,.25,1)";
    if (old) row.node.animate([{ transform: `translateY(${old.top - top}px)` }, { transform: "none" }], { duration: 480, easing });
    else row.node.animate([{ opacity: 0, transform: "translateX(14px)" }, { opacity: 1, transform: "none" }], { duration: 380, easing });
  }

  #speak(arrived, shifted, list, items) {
    const now = performance.now();
    if (!this.options.spoken || (!arrived && !shifted) || now - this.#spokenAt < SPOKEN_EVERY_MS) return;
    this.#spokenAt = now;
    const [first] = list.items[0];
    this.options.spoken.textContent = `List changed: ${arrived} new, ${shifted} moved. First is ${title(items[first], first)}.`;
  }
}
