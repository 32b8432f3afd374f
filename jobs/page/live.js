// The one connection of a page: server-sent events about the users it shows, and what all pages share.

export class Live {
  #source = null;
  #uids = "";
  #handlers;

  /** `handlers`: a function for each event name; and `open` and `lost`. */
  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("pagehide", () => this.#source?.close());
    addEventListener("pageshow", (event) => event.persisted && this.#open());
  }

  /** Watch these users from now on. */
  watch(uids) {
    const wanted = uids.filter(Boolean).map((uid) => `uid=${encodeURIComponent(uid)}`).join("&");
    if (this.#source && wanted === this.#uids) return;
    this.#uids = wanted;
    this.#open();
  }

  #open() {
    this.#source?.close();
    const source = new EventSource(`/live?${this.#uids}`);
    this.#source = source;
    source.addEventListener("open", () => this.#handlers.open());
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#handlers.lost();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => source === this.#source && this.#open(), 2000);
    });
    for (const name of ["hello", "health", "figures", "recent", "user", "segments", "refused", "arrived"]) {
      source.addEventListener(name, (event) => source === this.#source && this.#handlers[name](JSON.parse(event.data)));
    }
  }
}

/** The JSON answer of the page's own server; throws an Error with a sentence for the person. */
export async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
  } catch {
    throw new Error("The page's server does not answer.");
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error ?? `The server answered ${answer.status}.`);
  return value;
}
