// Puts the page together: which user is watched, which view is open, and where each message goes.

import { byId, element } from "./element.js";
import { deeds, Explore } from "./explore.js";
import { Figures } from "./figures.js";
import { ask, Live } from "./live.js";
import { Profile } from "./profile.js";
import { RankedList } from "./ranked_list.js";
import { Refused } from "./refused.js";
import { RuleEditor } from "./rule_editor.js";
import { Segments } from "./segments.js";
import { SlotTabs } from "./slot_tabs.js";
import { Timeline } from "./timeline.js";
import { Visitor } from "./visitor.js";
import { country, named, number } from "./words.js";

const QUIET_MS = 6000;
const RETRY_MS = 2000;

let watched = null;
let own = null;
let changedAt = 0;
let following = false;
let newest = [];

const figures = new Figures(byId("flow"));
const refused = new Refused(byId("refused"));
const visitor = new Visitor(byId("trip"), byId("peek"));
const watchList = new SlotTabs(new RankedList(byId("watch-list"), {
  heading: "Recommended now", who: "they", least_ms: 700, spoken: byId("spoken"),
  empty: "No list yet. It appears with this user's next event.",
}));
const watchProfile = new Profile(byId("watch-profile"), "Profile", "Nothing is known of this user yet.");
const timeline = new Timeline(byId("timeline"));
const editor = new RuleEditor(byId("rule-editor"));
const segments = new Segments(byId("segment-counts"), byId("segment-changes"), {
  watch: (uid) => {
    location.hash = `#watch=${uid}`;
    follow(false);
  },
  edit: (rule) => editor.take(rule),
  answered: (answers) => editor.answered(answers),
});
const ownList = new SlotTabs(new RankedList(byId("visit-list"), {
  heading: "Your list", who: "you", least_ms: 0, spoken: byId("spoken"),
  empty: "No list yet. Click an item, and it appears here.",
  actions: (id, position, recId) => {
    const at = { position, rec_id: recId };
    return [
      element("button", { type: "button", class: "deed", "data-type": "view", onclick: () => visitor.send("view", id, at) }, "View"),
      ...deeds((type) => () => visitor.send(type, id, at)),
    ];
  },
}));
const ownProfile = new Profile(byId("visit-profile"), "Your profile", "Nothing is known of you yet.");
const explore = new Explore((type, id) => visitor.send(type, id));

const live = new Live({
  open: () => status("live", true),
  lost: () => status("connecting again", false),
  hello: ({ flink, history }) => {
    figures.restart(history);
    const link = byId("flink");
    link.hidden = !flink;
    if (flink) link.href = flink;
  },
  health: tellHealth,
  figures: (now) => figures.add(now),
  recent: ({ users }) => {
    newest = users;
    drawRecent();
    if (!watched && users.length) watch(users[0].uid);
    else if (following && users.length && performance.now() - changedAt > QUIET_MS) goOn();
  },
  user: (view) => {
    if (view.uid === watched) {
      changedAt = performance.now();
      watchList.show(view);
      watchProfile.show(view);
      timeline.show(view);
    }
    if (view.uid === own) {
      ownList.show(view);
      ownProfile.show(view);
    }
  },
  segments: (now) => segments.take(now),
  refused: (now) => refused.show(now.refused),
  arrived: (trip) => visitor.arrived(trip),
});

function status(words, good) {
  byId("live").classList.toggle("good", good);
  byId("live-text").textContent = words;
}

function tellHealth({ redis, kafka, flink }) {
  const away = [];
  if (redis === false) away.push("Redis is away: what you see is the last that was read.");
  if (kafka === false) away.push("Kafka is away: clicks cannot be sent.");
  if (flink === false) away.push("Flink is away: lists do not change until it is back.");
  const banner = byId("banner");
  banner.hidden = !away.length;
  banner.textContent = away.length ? `${away.join(" ")} The page goes on by itself.` : "";
}

function watch(uid) {
  if (uid === watched) return;
  watched = uid;
  changedAt = performance.now();
  if (placeOf(location.hash) === "watch") history.replaceState(null, "", `#watch=${uid}`);
  const nobody = { uid, rec: null, profile: null, items: {} };
  watchList.show(nobody);
  watchProfile.show(nobody);
  timeline.show(nobody);
  live.watch([watched, own]);
  drawRecent();
}

function goOn() {
  const next = newest.find((user) => user.uid !== watched);
  if (next) watch(next.uid);
}

function drawRecent() {
  const list = byId("recent");
  if (list.matches(":hover") || list.contains(document.activeElement)) return markRecent(list);
  list.replaceChildren(...newest.map((user) => element("li", {},
    element("button", { type: "button", "data-uid": user.uid, onclick: () => stay(user.uid) },
      element("code", {}, user.uid.slice(0, 8)),
      named(element("span", { class: "last" }), user.last ?? ""),
      element("span", { class: "about" }, [user.country && country(user.country), user.events && `${number(user.events)} ${user.events === 1 ? "event" : "events"}`].filter(Boolean).join(", "))))));
  if (!newest.length) list.append(element("li", { class: "empty" }, "Nobody yet. Users appear here with their events."));
  return markRecent(list);
}

function markRecent(list) {
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-pressed", `${button.dataset.uid === watched}`);
}

function stay(uid) {
  follow(false);
  watch(uid);
}

function follow(on) {
  following = on;
  byId("follow").setAttribute("aria-pressed", `${on}`);
}

byId("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const note = byId("find-note");
  try {
    const { uid, found } = await ask("/users", { user: byId("find-text").value });
    note.textContent = found ? "" : "No list of this user yet. If an event of theirs comes, it shows here.";
    stay(uid);
  } catch (error) {
    note.textContent = error.message;
  }
});

byId("surprise").addEventListener("click", async () => {
  try {
    stay((await ask("/users/surprise")).uid);
    byId("find-note").textContent = "";
    byId("find-text").value = "";
  } catch (error) {
    byId("find-note").textContent = error.message;
  }
});

byId("follow").addEventListener("click", () => {
  follow(!following);
  if (following) goOn();
});

function placeOf(hash) {
  return ["visit", "segments"].find((place) => hash.startsWith(`#${place}`)) ?? "watch";
}

function open() {
  const here = placeOf(location.hash);
  for (const place of ["watch", "visit", "segments"]) {
    byId(place).hidden = place !== here;
    if (place === here) byId(`tab-${place}`).setAttribute("aria-current", "page");
    else byId(`tab-${place}`).removeAttribute("aria-current");
  }
  const uid = /^#watch=([0-9a-z]{1,64})$/.exec(location.hash)?.[1];
  if (uid && uid !== watched) watch(uid);
  if (here === "visit") explore.renew();
  if (here === "segments") segments.choose(null);
}

async function introduce() {
  try {
    own = await visitor.uid();
    live.watch([watched, own]);
    ownProfile.show({ uid: own, profile: null, items: {} });
  } catch {
    setTimeout(introduce, RETRY_MS);
  }
}

byId("peek").addEventListener("click", (event) => {
  event.preventDefault();
  byId("trip").scrollIntoView({ behavior: "smooth" });
});
addEventListener("hashchange", open);
open();
live.watch([watched, own]);
introduce();
