// The lists of a user's slots: tabs where there are several, and the list of the one that is chosen.

import { element } from "./element.js";

const HOME = "home";
const FIRST = [HOME, "product", "cart", "email"];
const EMPTY = {
  product: "Nothing yet that goes with the item looked at last.",
  cart: "Nothing in the cart that a list could go with.",
};

export class SlotTabs {
  #chosen = HOME;
  #view = null;

  /** `list` is the `RankedList` that shows the chosen slot. */
  constructor(list) {
    this.list = list;
    this.empty = list.empty.textContent;
    this.tabs = element("div", { class: "slots", role: "group", "aria-label": "Places that show a list", hidden: true });
    list.heading.parentNode.after(this.tabs);
  }

  /** Show a user's view: in the slot that was chosen, as long as there is one. */
  show(view) {
    this.#view = view;
    const slots = view.slots ?? {};
    const names = [HOME, ...Object.keys(slots)].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    // Of a user who is not read yet nothing is known: the tabs stay, so that the choice does.
    if (view.rec) this.#draw(names);
    const slot = names.includes(this.#chosen) ? this.#chosen : HOME;
    this.list.empty.textContent = (view.rec && EMPTY[slot]) || this.empty;
    this.list.show({
      uid: slot === HOME ? view.uid : `${view.uid}:${slot}`, rec: slot === HOME ? view.rec : slots[slot], items: view.items,
    });
  }

  #draw(names) {
    this.tabs.hidden = names.length < 2;
    if (!names.includes(this.#chosen)) this.#chosen = HOME;
    if (this.tabs.dataset.shown !== `${names}`) {
      this.tabs.dataset.shown = `${names}`;
      this.tabs.replaceChildren(...names.map((name) => element("button", {
        type: "button", class: "chip", "data-slot": name,
        onclick: () => {
          this.#chosen = name;
          this.show(this.#view);
        },
      }, name.replaceAll("_", " "))));
    }
    for (const tab of this.tabs.children) tab.setAttribute("aria-pressed", `${tab.dataset.slot === this.#chosen}`);
  }
}

/** The usual slots stand first, in the order of a visit; those of the shop's own behind them. */
function rank(name) {
  const place = FIRST.indexOf(name);
  return place < 0 ? FIRST.length : place;
}
