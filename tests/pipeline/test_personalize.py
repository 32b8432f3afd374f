"""The whole job, from Kafka to Redis, held to the plain classes on the same events."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from jobs.plain_stream import PlainStream
from operators.affinity import AffinityModel, AffinitySettings
from operators.dead_letters import Rejected, dead_letter
from operators.drift import DriftDetector, DriftSettings
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.profile import learning_classes, profile_of
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.user_step import DUPLICATE, LATE
from schemas.codec import DEAD_LETTERS, DRIFT_ALERTS, EVENTS, HEADER_SIZE, MARKER, RECOMMENDATIONS
from schemas.item_scores import log_score
from schemas.reason import Reason
from schemas.records import EVENT_TYPES, Context, DeadLetter, DriftAlert, Event, Item, Recommendation
from schemas.redis_keys import seq
from schemas.redis_values import profile_value
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
            plain.states.pop(event.user_id, None)
            plain._drift_windows.pop(event.user_id, None)
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


def expected_lists(story: Story) -> dict[str, Any]:
    """What a ranker of our own says, on a shelf that is filled from Redis as a worker's is."""
    live = story.live
    shelf = Shelf(ShelfBounds())
    ShelfFollower(live.redis, live.names, shelf, ShelfBounds().neighbours).fill()
    users = list(story.plain.states)
    # A user's own session is no neighbour of theirs, and sessions are numbered by the pseudonym.
    states = [
        msgspec.structs.replace(story.plain.states[user], uid=live.pseudonym.of(user)) for user in users
    ]
    return dict(zip(users, Ranker(shelf).rank(states, [s.last for s in states]), strict=True))


def lists_agree(story: Story) -> list[str]:
    """Stored and expected list of each user where they differ."""
    wrong = []
    for user, made in expected_lists(story).items():
        stored = story.live.rec(user)["items"]
        same = [item for item, _, _ in stored] == made.items and all(
            math.isclose(score, expected, abs_tol=SCORE_TOLERANCE, rel_tol=1e-5) and why == because
            for (_, score, why), expected, because in zip(stored, made.scores, made.whys, strict=True)
        )
        if not same:
            wrong.append(
                f"{user}: {stored} is not {list(zip(made.items, made.scores, made.whys, strict=True))}"
            )
    return wrong


@pytest.fixture(scope="module")
def story(live_job: Any) -> Story:
    """Everything sent, followed to its end, each user's list made once more."""
    story = Story(live_job, PlainStream(ITEMS))
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


def test_every_message_is_accepted_a_duplicate_or_a_dead_letter(story: Story) -> None:
    reasons = Counter(letter.reason for letter in story.letters)
    rejected = {
        name.removeprefix("rejected."): count
        for name, count in story.counters.items()
        if name.startswith("rejected.") and count
    }
    users = len(story.plain.states)
    turns = story.sent - story.counters["accepted"] - story.counters["duplicates"] - sum(rejected.values())
    assert rejected == dict(reasons)
    assert len(reasons) >= 7
    assert story.counters["duplicates"] == story.duplicates > 30
    assert turns % users == 0  # what was sent after the counting: one event per user and turn
    assert story.counters["accepted"] == story.accepted - turns
    assert story.counters["unknown_types"] == story.unknown_types > 0


def test_every_profile_is_the_plain_classes_own(story: Story) -> None:
    model = AffinityModel(AffinitySettings())
    learning = learning_classes(model, DriftDetector(DriftSettings()))
    assert len(story.plain.states) == 41
    for user, state in story.plain.states.items():
        assert story.live.profile(user) == profile_value(profile_of(state, model, learning)), user


def test_dead_letters_hold_the_message_its_origin_and_the_reason(story: Story) -> None:
    found = [DEAD_LETTERS.decode(letter) for letter in story.live.read(story.live.topics.dead_letters)]
    of_events = [letter for letter in found if letter.topic == story.live.topics.events]
    by_place = lambda letter: (letter.partition, letter.offset)  # noqa: E731
    assert sorted(of_events, key=by_place) == sorted(story.letters, key=by_place)


def test_item_sums_in_redis_are_the_plain_ones(story: Story) -> None:
    assert sums_agree(story)
    assert len(story.plain._statistics) > 1_000


def test_every_list_is_what_a_plain_ranker_says_after_a_final_refresh(story: Story) -> None:
    assert lists_agree(story) == []


def test_lists_leave_out_what_cannot_be_had_and_what_was_bought(story: Story) -> None:
    bought: dict[str, set[str]] = {}
    for user, state in story.plain.states.items():
        bought[user] = {r.item_id for r in state.recent if r.type == "purchase"}
        shown = [item for item, _, _ in story.live.rec(user)["items"]]
        assert len(shown) == 20
        assert len(set(shown)) == 20
        assert not {"item-05", "item-11"} & set(shown)
        assert not {"item-07", "item-13"} <= set(shown)
        assert not bought[user] & set(shown)
    assert any(bought.values())


def test_the_log_tells_each_list_that_is_in_redis(story: Story) -> None:
    logged: dict[str, Recommendation] = {}
    for message in story.live.read(story.live.topics.recommendations):
        entry = RECOMMENDATIONS.decode(message)
        if entry.uid not in logged or logged[entry.uid].seq < entry.seq:
            logged[entry.uid] = entry
    for user in story.plain.states:
        entry, stored = logged[story.live.pseudonym.of(user)], story.live.rec(user)
        assert (entry.rec_id, entry.seq, entry.at) == (stored["id"], stored["seq"], stored["at"])
        assert [(i.item_id, i.why) for i in entry.items] == [(i, why) for i, _, why in stored["items"]]
        assert all(scored.sources for scored in entry.items if scored.score > 0)


def test_a_change_of_taste_is_told_on_the_drift_topic(story: Story) -> None:
    found = [DRIFT_ALERTS.decode(alert) for alert in story.live.read(story.live.topics.drift)]
    order = lambda alert: (alert.uid, alert.at)  # noqa: E731
    assert sorted(found, key=order) == sorted(story.alerts, key=order)
    assert story.live.pseudonym.of("flip") in {alert.uid for alert in found}


def test_public_item_lists_are_rendered(story: Story) -> None:
    live = story.live
    item = json.loads(live.redis.get(live.names.item("item-03")))
    assert (item["title"], item["category"]) == ("Item 3", "Toys")
    best = story.plain._statistics.popular("country:GB")
    sold = [name for name, _ in best if name not in ("item-05", "item-11")][:20]
    live.until(
        lambda: (
            [n for n, _ in json.loads(live.redis.get(live.names.trending("country:GB")))["items"]] == sold
        ),
        "trending in GB",
        30,
    )
    similar = json.loads(live.redis.get(live.names.similar("item-03")))["items"]
    assert similar
    assert similar[0][1] == 1.0


def test_a_forgotten_user_leaves_no_key(story: Story) -> None:
    live = story.live
    user = "to-be-forgotten"
    now = BEGIN + DAY
    live.send(Event(event_id="f1", user_id=user, type="view", time=now, item_id="item-01"))
    live.until(lambda: live.rec(user), "a list before")
    live.send(Event(event_id="f2", user_id=user, type="forget", time=now + 1))
    keys = live.names.of_user(live.pseudonym.of(user))
    live.until(lambda: not live.redis.exists(*keys), "no key after")
    live.send(Event(event_id="f3", user_id=user, type="profile_update", time=now + 2))
    live.until(lambda: live.profile(user), "a new start")
    assert json.loads(live.profile(user))["events"] == 1


def test_a_newcomer_without_history_gets_what_is_popular_in_their_country(story: Story) -> None:
    live = story.live
    live.send(
        Event(
            event_id="n1", user_id="newcomer", type="profile_update", time=BEGIN + DAY,
            context=Context(country="GB"),
        )
    )  # fmt: skip
    made = live.until(lambda: live.rec("newcomer"), "the newcomer's list")
    assert len(made["items"]) == 20
    assert made["items"][0][2] == "trending:country:GB"


def test_scrolls_and_impressions_ask_for_no_list(story: Story) -> None:
    live = story.live
    before = live.counters()
    for number in range(10):
        kind = "scroll" if number % 2 else "impression"
        live.send(Event(event_id=f"q{number}", user_id="quiet", type=kind, time=BEGIN + DAY + number))
    live.until(lambda: live.counters()["accepted"] >= before["accepted"] + 10, "ten more accepted")
    live.send(Event(event_id="q-other", user_id="not-quiet", type="search", time=BEGIN + DAY))
    live.until(lambda: live.rec("not-quiet"), "somebody else's list")
    assert live.rec("quiet") is None
    assert live.profile("quiet") is None


def test_a_burst_makes_few_lists_and_the_last_one_covers_it(story: Story) -> None:
    live = story.live
    for number in range(50):
        live.send(Event(event_id=f"b{number}", user_id="burst", type="search", time=BEGIN + DAY + 4 * number))
    live.producer.flush()
    born = BEGIN + DAY
    live.until(lambda: (live.rec("burst") or {}).get("seq") == seq(born, 50), "a list of all 50")
    uid = live.pseudonym.of("burst")
    logged = [RECOMMENDATIONS.decode(m) for m in live.read(live.topics.recommendations)]
    assert 1 <= sum(entry.uid == uid for entry in logged) <= 10


def test_a_customers_own_schema_is_taken_once_it_is_added(story: Story, tmp_path: Any) -> None:
    live = story.live
    schema = json.loads(EVENTS.schema_json)
    schema["namespace"] = "shop"
    schema["fields"] = [f for f in schema["fields"] if f["name"] in ("event_id", "user_id", "type", "time")]
    file = tmp_path / "event.avsc"
    file.write_text(json.dumps(schema))
    from schemas.avro_schema import fingerprint, read_schema
    from schemas.avro_writer import compile_writer

    write = compile_writer(read_schema(file.read_text()))
    header = MARKER + fingerprint(file.read_text()).to_bytes(8, "little")

    def message(number: int) -> bytes:
        return header + write(
            Event(event_id=f"c{number}", user_id="customer", type="search", time=BEGIN + DAY + number)
        )

    early = live.send_raw(message(0), "customer", BEGIN + DAY).get(30)

    def waits() -> bool:
        letters = [DEAD_LETTERS.decode(letter) for letter in live.read(live.topics.dead_letters)]
        return any(
            (letter.reason, letter.partition, letter.offset)
            == ("unknown_schema", early.partition, early.offset)
            for letter in letters
        )

    live.until(waits, "the early event among the dead letters")
    said = live.headrace("schema", "add", str(file))
    assert said.returncode == 0, said.stderr
    live.until(
        lambda: any(
            status["applied"] and status["name"].startswith("shop.Event@")
            for status in map(json.loads, live.read(live.topics.control_status))
        ),
        "the job says that it knows the schema",
    )
    live.send_raw(message(1), "customer", BEGIN + DAY)
    live.until(lambda: live.rec("customer"), "the customer's user has a list")
    assert json.loads(live.profile("customer"))["events"] == 1


def test_bad_catalogue_entries_are_dead_letters(story: Story) -> None:
    live = story.live
    live.producer.send(live.topics.catalog, b"no item at all", b"bad")

    def found() -> list[DeadLetter]:
        letters = [DEAD_LETTERS.decode(letter) for letter in live.read(live.topics.dead_letters)]
        return [letter for letter in letters if letter.topic == live.topics.catalog]

    [letter] = live.until(found, "a dead letter of the catalogue")
    assert (letter.reason, letter.payload) == ("not_avro", b"no item at all")
    assert letter.offset == len(ITEMS)


def test_ten_thousand_garbage_messages_do_not_stop_the_job(story: Story) -> None:
    live, rng = story.live, random.Random(1)
    before = live.counters()
    for number in range(10_000):
        live.send_raw(rng.randbytes(60), None, BEGIN + DAY)
        if number % 10 == 0:
            live.send(
                Event(
                    event_id=f"g{number}", user_id=f"guest-{number % 200}", type="search",
                    time=BEGIN + DAY + number,
                )
            )  # fmt: skip
    live.producer.flush()
    live.until(lambda: live.counters()["accepted"] >= before["accepted"] + 1_000, "all valid ones accepted")
    rejected = lambda counted: sum(c for n, c in counted.items() if n.startswith("rejected."))  # noqa: E731
    live.until(lambda: rejected(live.counters()) >= rejected(before) + 10_000, "all garbage counted")
    live.until(lambda: live.rec("guest-190"), "a list of the last guest")
    assert live.service.alive()


def test_the_web_ui_shows_names_that_people_understand(story: Story) -> None:
    names = " ".join(v["name"] for v in story.live.rest(f"/jobs/{story.live.job()}")["vertices"])
    for name in ("user step", "rank and publish users", "publish co-visitation", "key by user", "events"):
        assert name in names
    assert "Python" not in names
