// How things are said: prices, times, reasons, names.

const countries = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "region" }) : null;
const moments = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});
const clocks = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function country(code) {
  try {
    return countries ? countries.of(code) : code;
  } catch {
    return code; // not a region that Intl knows
  }
}

export function moment(ms) {
  return ms ? moments.format(ms) : "";
}

export function clock(ms) {
  return clocks.format(ms);
}

export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function price(item) {
  if (typeof item?.price !== "number") return "";
  if (item.currency) {
    try {
      return new Intl.NumberFormat("en-GB", { style: "currency", currency: item.currency }).format(item.price);
    } catch {
      return `${item.price.toFixed(2)} ${item.currency}`; // not an ISO 4217 code
    }
  }
  return item.price.toFixed(2);
}

export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Math.abs(value) >= 10000) return `${(value / 1000).toFixed(1)}k`;
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-GB");
  return Number.isInteger(value) ? `${value}` : value.toFixed(1);
}

/** A duration in ms and its unit; from ten seconds on in seconds. */
export function duration(ms) {
  return ms >= 10000 ? [number(ms / 1000), " s"] : [number(ms), " ms"];
}

export function title(item, id) {
  return item?.title || id;
}

/** Write a title into `node`. Shops often shout; a title in capitals only is shown in small letters. */
export function named(node, words) {
  node.textContent = words;
  node.title = words;
  node.classList.toggle("shouted", words.length > 2 && words === words.toUpperCase() && words !== words.toLowerCase());
  return node;
}

export function category(path) {
  return path && path !== "?" ? path.replaceAll("/", " › ") : "";
}

export function scope(name) {
  if (name === "all") return "everywhere";
  const [kind, ...rest] = name.split(":");
  const value = rest.join(":");
  return kind === "country" ? country(value) : value;
}

export const DEEDS = {
  view: "viewed", click: "clicked", like: "liked", add_to_cart: "put in the cart", purchase: "bought",
  dislike: "disliked", remove_from_cart: "took from the cart", rating: "rated", refund: "returned",
};

export function deed(type) {
  return DEEDS[type] ?? type.replaceAll("_", " ");
}

/** The kind of a reason, for its mark, its words, the title they end with, and the context rule that moved the item;
 *  `who` is "you" or "they". */
export function reason(why, items, who) {
  const [, plain, rule] = /^(.*?)(?:;rule:([\w.-]+))?$/s.exec(why);
  return { ...plainReason(plain, items, who), rule };
}

function plainReason(why, items, who) {
  const [kind, ...rest] = why.split(":");
  const subject = rest.join(":");
  if (kind.startsWith("because_") && subject) {
    return { kind: "viewed", words: `because ${who} ${kind.slice(8).replaceAll("_", " ")} `, subject: title(items[subject], subject) };
  }
  if (kind === "similar" && subject) {
    return { kind: "fitting", words: "similar to ", subject: title(items[subject], subject) };
  }
  if (kind === "new") return { kind: "trending", words: "new in the catalogue" };
  if (kind === "trending") return { kind: "trending", words: `trending ${subject === "all" ? "everywhere" : `in ${scope(subject)}`}` };
  if (kind === "for_you") return { kind: "fitting", words: who === "you" ? "fits your profile" : "fits their profile" };
  return { kind: "fitting", words: why.replaceAll("_", " ") };
}

/** A hue for a text, the same on every page; kept away from the page's own warning colours. */
export function hue(text) {
  let sum = 7;
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  return 90 + (sum % 200);
}
