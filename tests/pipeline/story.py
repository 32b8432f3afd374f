"""A story of forty shoppers: what is sent to the job, and what the plain classes make of the same events."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jobs.plain_stream import PlainStream
from operators.dead_letters import Rejected, dead_letter
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.ranker import Ranker
from operators.segments.rules_file import ready_rules
from operators.shelf import Shelf, ShelfBounds
from operators.user_step import DUPLICATE, LATE
from schemas.codec import EVENTS, HEADER_SIZE, MARKER
from schemas.item_scores import log_score
from schemas.reason import Reason
from schemas.records import EVENT_TYPES, Context, DeadLetter, DriftAlert, Event, Item
from schemas.redis_keys import seq
from schemas.schema_book import SchemaBook
from udfs.shelf_follower import ShelfFollower

HOUR = 3_600_000
DAY = 24 * HOUR
EPOCH_START = 26 * 256 * 3 * DAY
"""An epoch of popularity (256 half-lives of 3 days) begins here, in September 2024."""

BEGIN = EPOCH_START - 12 * HOUR
SCORE_TOLERANCE = 2e-6
"""Scores are float32 sums; the order of their terms is not the same on both sides."""

CATEGORIES = ("Home/Mugs", "Home/Lamps", "Garden/Lights", "Toys", "Music/Vinyl", "Books")
ITEMS = [
    Item(
        item_id=f"item-{number:02d}",
        title=f"Item {number}",
        category=CATEGORIES[number % len(CATEGORIES)],
        price=2.0 + number,
        group_id="pair" if number in (7, 13) else None,
        in_stock=number != 5,
        deleted=number == 11,
    )
    for number in range(60)
]
COUNTRIES = ("GB", "Germany", "FRA", None)
DEVICES = ("iPhone", "desktop", None)
VALUES = {"rating": 4.0, "scroll": 0.5, "dwell": 12.0, "purchase": 9.5, "add_to_cart": 9.5, "refund": 9.5}
FREQUENT = ("view",) * 12 + ("click",) * 4 + ("add_to_cart",) * 2 + ("purchase",)
OFTEN = (*FREQUENT, *sorted(EVENT_TYPES - {"forget"}), "wishlist_share")


@dataclass
class Story:
    """What was sent to the job, and what the plain classes made of it."""

    live: Any
    plain: PlainStream
    accepted: int = 0
    duplicates: int = 0
    unknown_types: int = 0
    letters: list[DeadLetter] = field(default_factory=list)
    alerts: list[DriftAlert] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    late: int = 0
    pending: list[tuple[bytes, int, Any]] = field(default_factory=list)

    def send(self, message: bytes, key: str | None, at: int) -> None:
        """Send bytes as an event of that record time."""
        self.pending.append((message, at, self.live.send_raw(message, key, at)))
        self.sent += 1

    def tell(self, event: Event) -> bytes:
        """Send an event as producers should."""
        message = EVENTS.encode(event)
        self.send(message, event.user_id, event.time)
        return message

    def follow(self) -> None:
        """Let the plain classes take in what was sent since; per user in the order of sending."""
        ingest = Ingest(
            IngestSettings(),
            SchemaBook(),
            lambda item: next((i.category for i in ITEMS if i.item_id == item), "?"),
        )
        self.live.producer.flush()
        pending, self.pending = self.pending, []
        for message, at, sent in pending:
            place = sent.get(60)
            event = ingest.accept(message, at, at)
            if isinstance(event, Event):
                event = self._step(event)
            if isinstance(event, Rejected):
                self.letters.append(
                    dead_letter(event, message, self.live.topics.events, place.partition, place.offset, at)
                )

    def _step(self, event: Event) -> Event | Rejected:
        plain = self.plain
        if event.type == "forget":
            plain.forget(event.user_id)
            self.accepted += 1
            return event
        outcome = plain.learn(event)
        if outcome.refused == LATE:
            behind = plain.states[event.user_id].last - event.time
            return Rejected(Reason.LATE, f"{behind} ms behind the user's latest event")
        if outcome.refused == DUPLICATE:
            self.duplicates += 1
            return event
        self.accepted += 1
        self.unknown_types += event.type not in EVENT_TYPES
        if outcome.drift is not None:
            uid = self.live.pseudonym.of(event.user_id)
            self.alerts.append(msgspec.structs.replace(outcome.drift, uid=uid))
        return event


def shopping(story: Story, rng: random.Random) -> None:
    """A few thousand messages: everything that should come, and everything that should not."""
    clocks = {f"user-{number:02d}": BEGIN + rng.randrange(HOUR) for number in range(40)}
    tastes = {user: rng.sample(CATEGORIES, 2) for user in clocks}
    said: dict[str, list[bytes]] = {user: [] for user in clocks}
    for number in range(3_000):
        user = rng.choice(list(clocks))
        clocks[user] += int(rng.expovariate(1 / (HOUR if rng.random() < 0.1 else 3 * 60_000)))
        chance = rng.random()
        if chance < 0.03 and said[user]:
            story.send(rng.choice(said[user][-20:]), user, clocks[user])
            continue
        time = clocks[user]
        if chance < 0.10:
            time -= rng.randrange(5 * HOUR)
        elif chance < 0.12:
            time -= 2 * DAY
        kind = rng.choice(OFTEN)
        category = rng.choice(tastes[user]) if rng.random() < 0.8 else rng.choice(CATEGORIES)
        item = rng.choice([each for each in ITEMS if each.category == category]).item_id
        event = Event(
            event_id=f"event-{number}",
            user_id=user,
            type=kind,
            time=time,
            item_id=None if kind in ("search", "consent", "identify", "profile_update") else item,
            value=VALUES.get(kind),
            query="blue mug" if kind == "search" else None,
            context=Context(country=rng.choice(COUNTRIES), device=rng.choice(DEVICES)),
            items=("item-01", "item-02") if kind == "impression" else (),
            attributes={"colour": "blue"} if number % 7 == 0 else {},
        )
        said[user].append(story.tell(event))
        if chance > 0.96:
            spoil(story, rng, event)


def spoil(story: Story, rng: random.Random, event: Event) -> None:
    """Send something near an event that cannot be used."""
    message = EVENTS.encode(event)
    at, key = event.time, event.user_id
    other = msgspec.structs.replace(event, event_id=event.event_id + "-bad")
    match rng.randrange(7):
        case 0:
            story.send(rng.randbytes(40), None, at)
        case 1:
            story.send(message[: rng.randrange(HEADER_SIZE, len(message))], key, at)
        case 2:
            story.send(MARKER + rng.randbytes(8) + message[HEADER_SIZE:], key, at)
        case 3:
            story.send(message + b"more", key, at)
        case 4:
            story.tell(msgspec.structs.replace(other, type="purchase", item_id=None))
        case 5:
            story.tell(msgspec.structs.replace(other, type="rating", item_id="item-01", value=99.0))
        case 6:
            late_clock = EVENTS.encode(msgspec.structs.replace(other, time=at + HOUR))
            story.send(late_clock, key, at)


def change_of_taste(story: Story) -> None:
    """A user who looked at mugs alone takes to vinyl."""
    for number in range(160):
        [*mugs], [*vinyl] = ([i for i in ITEMS if i.category == c] for c in ("Home/Mugs", "Music/Vinyl"))
        item = (mugs if number < 100 else vinyl)[number % 9]
        story.tell(
            Event(
                event_id=f"flip-{number}", user_id="flip", type="view", time=BEGIN + number * 60_000,
                item_id=item.item_id,
            )
        )  # fmt: skip


def know_catalogue(story: Story) -> None:
    """Send the catalogue, and wait until both sides of the job have it."""
    live = story.live
    for item in ITEMS:
        live.send_item(item)
    last = ITEMS[-1]
    live.until(lambda: live.redis.exists(live.names.item(last.item_id)), "the catalogue in Redis")
    tries = iter(range(1_000_000))

    def known() -> bool:
        # A user of its own, forgotten at the end: with `dislike` there is no step, so no item statistics.
        story.tell(
            Event(
                event_id=f"probe-{next(tries)}", user_id="probe", type="dislike", time=BEGIN,
                item_id=last.item_id,
            )
        )  # fmt: skip
        live.producer.flush()
        profile = live.profile("probe")
        return profile is not None and last.category in json.loads(profile)["categories"]

    live.until(known, "the user step knows the catalogue")
    story.tell(Event(event_id="probe-end", user_id="probe", type="forget", time=BEGIN))


def sums_agree(story: Story) -> bool:
    """Whether Redis holds the plain item statistics to 1e-9."""
    live, statistics = story.live, story.plain._statistics
    pipeline = live.redis.pipeline(transaction=False)
    for item in ITEMS:
        pipeline.zrange(live.names.co(item.item_id), 0, -1, withscores=True)
    scopes = ["all", *(f"category:{c.split('/')[0]}" for c in CATEGORIES), "country:GB", "country:DE"]
    for scope in scopes:
        pipeline.zrange(live.names.pop(scope), 0, -1, withscores=True)
    expected = [dict(statistics.neighbours(item.item_id)) for item in ITEMS]
    expected += [dict(statistics.popular(scope)) for scope in scopes]
    for found, sums in zip(pipeline.execute(), expected, strict=True):
        held = {member.decode(): log_score(score) for member, score in found}
        if held.keys() != sums.keys():
            return False
        # A score is the logarithm of a sum: its difference is the sum's relative one.
        if any(abs(held[member] - score) > 1e-9 for member, score in sums.items()):
            return False
    return True


def refresh_everyone(story: Story, turn: int) -> None:
    """One more event of each user, of a type that asks for a list and is no item step; wait for its list."""
    live = story.live
    for user, state in list(story.plain.states.items()):
        story.tell(
            Event(event_id=f"last-{turn}-{user}", user_id=user, type="profile_update", time=state.last)
        )
    story.follow()
    for user, state in story.plain.states.items():
        version = seq(state.born, state.n)
        live.until(lambda: (live.rec(user) or {}).get("seq") == version, f"{user} at {version}")  # noqa: B023


def expected_lists(story: Story, times: dict[str, int]) -> dict[str, Any]:
    """What a ranker of our own says as of these times, on a shelf that is filled from Redis as a worker's is."""
    live = story.live
    shelf = Shelf(ShelfBounds())
    ShelfFollower(live.redis, live.names, shelf, ShelfBounds().neighbours).fill()
    shelf.settle()
    users = list(story.plain.states)
    # A user's own session is no neighbour of theirs, and sessions are numbered by the pseudonym.
    states = [
        msgspec.structs.replace(story.plain.states[user], uid=live.pseudonym.of(user)) for user in users
    ]
    return dict(zip(users, Ranker(shelf).rank(states, [times[user] for user in users]), strict=True))


def lists_agree(story: Story) -> list[str]:
    """Stored and expected list of each user where they differ."""
    wrong = []
    lists = {user: story.live.rec(user) for user in story.plain.states}
    for user, made in expected_lists(story, {user: rec["at"] for user, rec in lists.items()}).items():
        stored = lists[user]["items"]
        same = [item for item, _, _ in stored] == made.items and all(
            math.isclose(score, expected, abs_tol=SCORE_TOLERANCE, rel_tol=1e-5) and why == because
            for (_, score, why), expected, because in zip(stored, made.scores, made.whys, strict=True)
        )
        if not same:
            wrong.append(
                f"{user}: {stored} is not {list(zip(made.items, made.scores, made.whys, strict=True))}"
            )
    return wrong


def told(live_job: Any) -> Story:
    """Everything sent, followed to its end, each user's list made once more."""
    story = Story(live_job, PlainStream(ITEMS, segments=ready_rules()))
    know_catalogue(story)
    shopping(story, random.Random(7))
    change_of_taste(story)
    story.follow()
    live_job.until(lambda: live_job.handled() >= story.sent, "every message is handled")
    story.counters = live_job.counters()
    live_job.until(lambda: sums_agree(story), "Redis has the plain item sums", 60)
    for turn in range(4):
        refresh_everyone(story, turn)
        if not lists_agree(story):
            break
    return story
