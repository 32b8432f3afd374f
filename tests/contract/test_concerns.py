"""What all that keep state promise: to go on from a snapshot, stay bounded, know duplicates, forget."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.files import open_items, read_events
from operators.item_facts import Catalogue, ItemFacts, facts_of
from operators.item_step import ItemStep
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import ShelfRecord, encode_records
from operators.state_size import size_by_part, size_report
from operators.statistics import ItemStatistics, StatisticsSettings
from operators.user_step import DUPLICATE, LATE, StepOutcome, StepSettings, UserStep
from schemas.records import EVENT_TYPES, Context, Event, Item
from schemas.state import UserState, decode_state, encode_state

MINUTE = 60_000
BEGIN = 1_700_000_000_000
CATALOGUE: Catalogue = {
    f"item-{n}": ItemFacts(f"Department {n % 5}/Shelf {n % 9}", 1.0 + n) for n in range(200)
}
RETAIL = Path(__file__).parents[2] / "data" / "online_retail_2010_2011.parquet"

EVENTS = st.lists(
    st.builds(
        Event,
        event_id=st.integers(0, 60).map(str),
        user_id=st.just("ann"),
        type=st.sampled_from(sorted(EVENT_TYPES - {"forget"})),
        time=st.integers(0, 3 * 24 * 60).map(lambda minute: BEGIN + minute * MINUTE),
        item_id=st.none() | st.integers(0, 30).map(lambda n: f"item-{n}"),
        value=st.none() | st.floats(0.5, 5.0),
        order_id=st.none() | st.sampled_from("AB"),
        attributes=st.just({}) | st.sampled_from([{"tier": "gold"}, {"tier": "blue", "source": "crm"}]),
        context=st.builds(
            Context, country=st.sampled_from([None, "GB"]), device=st.sampled_from([None, "tv"])
        ),
    ),
    max_size=80,
)


class Followed:
    """A user followed as the job does it: between two events only stored bytes remain of them."""

    def __init__(self, user_id: str = "ann", *, stored_between: bool = True) -> None:
        self.step = UserStep(StepSettings(), CATALOGUE)
        self.user = UserState(user_id, born=BEGIN)
        self.window: bytes | None = None
        self._stored_between = stored_between

    def update(self, event: Event) -> StepOutcome:
        if self._stored_between:
            self.user = decode_state(encode_state(self.user))
        window = self.window if self.step.needs_drift_window(self.user, event) else None
        outcome = self.step.update(self.user, event, window)
        if outcome.drift_window is not None:
            self.window = outcome.drift_window
        return outcome

    def stored(self) -> tuple[bytes, bytes | None]:
        return encode_state(self.user), self.window


def shopping(length: int, seed: int, items: int = 200) -> Iterator[Event]:
    """An endless-looking user: the design's mix of types, over departments that change now and then."""
    rng = random.Random(seed)
    mix = ("view",) * 60 + ("scroll",) * 8 + ("impression",) * 7 + ("click",) * 15
    mix += ("add_to_cart",) * 7 + ("purchase",) * 3
    time = BEGIN
    for number in range(length):
        time += int(rng.expovariate(1 / (20 * MINUTE)))
        kind = rng.choice(mix)
        yield Event(
            event_id=f"{seed}-{number}",
            user_id="ann",
            type=kind,
            time=time - (rng.randrange(5 * MINUTE) if rng.random() < 0.1 else 0),
            item_id=None if kind == "scroll" else f"item-{min(int(rng.paretovariate(0.7)), items) - 1}",
            value=0.5 if kind == "scroll" else 9.5,
            context=Context(country=rng.choice(["GB", "DE"]), device="mobile"),
        )


@given(EVENTS)
def test_a_snapshot_between_any_two_events_changes_nothing(events: list[Event]) -> None:
    restored, uninterrupted = Followed(), Followed(stored_between=False)
    for event in events:
        assert restored.update(event) == uninterrupted.update(event)
    assert restored.stored() == uninterrupted.stored()


def test_a_snapshot_changes_nothing_over_drifts_either() -> None:
    restored, uninterrupted = Followed(), Followed(stored_between=False)
    drifts = 0
    for number in range(400):
        department = 0 if number < 200 else 3
        event = Event(
            event_id=str(number), user_id="ann", type="view", time=BEGIN + number * MINUTE,
            item_id=f"item-{department + 5 * (number % 9)}",
        )  # fmt: skip
        outcome = restored.update(event)
        assert outcome == uninterrupted.update(event)
        drifts += outcome.drift is not None
    assert drifts >= 1
    assert restored.stored() == uninterrupted.stored()


@given(EVENTS)
def test_a_duplicate_changes_nothing(events: list[Event]) -> None:
    followed = Followed()
    for event in events:
        if followed.update(event).refused == LATE:
            continue
        before = followed.stored()
        again = followed.update(event)
        assert (again.refused, again.step, again.drift) == (DUPLICATE, None, None)
        assert followed.stored() == before


@given(EVENTS)
def test_a_late_event_changes_nothing(events: list[Event]) -> None:
    followed = Followed()
    for event in events:
        followed.update(event)
    if followed.user.n:
        before = followed.stored()
        stale = Event(event_id="stale", user_id="ann", type="view", time=followed.user.last - 86_400_001)
        assert followed.update(stale).refused == LATE
        assert followed.stored() == before


@given(EVENTS, EVENTS, st.randoms(use_true_random=False))
def test_a_user_does_not_depend_on_others(mine: list[Event], others: list[Event], rng: random.Random) -> None:
    step = UserStep(StepSettings(), CATALOGUE)
    alone, beside, other = (UserState(uid, born=BEGIN) for uid in ("ann", "ann", "bob"))
    for event in mine:
        step.update(alone, event, None)
    queue, rest = list(mine), list(others)
    while queue:
        if rest and rng.random() < 0.5:
            step.update(other, rest.pop(0), None)
        else:
            step.update(beside, queue.pop(0), None)
    assert encode_state(alone) == encode_state(beside)


def test_a_users_state_is_bounded_under_endless_events() -> None:
    rng = random.Random(3)
    followed = Followed()
    largest = []
    for number in range(12_000):
        event = Event(
            event_id=str(number), user_id="ann", type=rng.choice(("view", "purchase", f"own type {number}")),
            time=BEGIN + number * MINUTE, item_id=f"new-{number}", value=9.5,
        )  # fmt: skip
        followed.update(event)
        if number % 1_000 == 999:
            largest.append(sum(map(len, filter(None, followed.stored()))))
    assert max(largest[6:]) <= max(largest[:6]) + 100
    assert max(largest) < 8_192


def test_item_statistics_are_bounded_under_endless_steps() -> None:
    bounds = StatisticsSettings(items=50, scopes=10, members=20, scope_members=30)
    statistics = ItemStatistics(bounds)
    for number in range(20_000):
        statistics.update(
            ItemStep(
                item=f"i{number}", prev=(f"i{number - 1}", f"i{number - 2}"),
                scopes=("all", f"s{number % 40}"), weight=1.0, session=number, time=BEGIN + number * MINUTE,
            )
        )  # fmt: skip
        if number % 100 == 0:
            list(statistics.records())
    assert len(statistics) <= 50 * 20 + 10 * 30


def records_of(events: Iterator[Event]) -> list[ShelfRecord]:
    followed, statistics = Followed(), ItemStatistics()
    records: list[ShelfRecord] = []
    for number, event in enumerate(events):
        step = followed.update(event).step
        if step is not None:
            statistics.update(step)
        if number % 50 == 49:
            records += statistics.records()
    return records


def held_by(shelf: Shelf) -> dict[str, dict[str, float]]:
    """Neighbours and trends by name, however the items are numbered."""
    rows = {a: shelf.neighbours.of(n) for a, n in shelf.index.items()}
    rows |= {scope: shelf.trending.of(row) for row, scope in enumerate(shelf.scopes.names)}
    return {name: {shelf.item_id(item): s for item, s in row} for name, row in rows.items()}


def test_a_shelf_built_again_from_its_records_is_the_same_shelf() -> None:
    shelf, again = Shelf(ShelfBounds()), Shelf(ShelfBounds())
    for record in records_of(shopping(600, seed=1)):
        shelf.apply(record)
    for record in shelf.dump():
        again.apply(record)
    assert held_by(again) == held_by(shelf)
    assert len(again.sessions) == len(shelf.sessions) > 10


def test_sums_that_reach_a_shelf_twice_change_nothing() -> None:
    once, twice = Shelf(ShelfBounds()), Shelf(ShelfBounds())
    for record in records_of(shopping(600, seed=2)):
        once.apply(record)
        twice.apply(record)
        twice.apply(record)
    assert held_by(once) == held_by(twice)


def test_what_outlives_a_user_names_nobody() -> None:
    records = records_of(shopping(400, seed=4))
    assert b"ann" not in encode_records(records)
    assert all(b"mobile" not in encode_records([record]) for record in records)


@pytest.mark.parametrize("source", ["the design's mix", "Online Retail"])
def test_a_user_takes_at_most_2_kb_on_average_at_50_events(source: str) -> None:
    if source == "Online Retail":
        catalogue = {item.item_id: facts_of(item) for item in open_items(RETAIL) if isinstance(item, Item)}
        events = (e for e in islice(read_events(RETAIL), 60_000) if isinstance(e, Event))
    else:
        catalogue = CATALOGUE
        events = (
            Event(
                event_id=e.event_id, user_id=f"user-{seed}", type=e.type, time=e.time, item_id=e.item_id,
                value=e.value, context=e.context,
            )
            for seed in range(100)
            for e in shopping(50, seed)
        )  # fmt: skip
    step = UserStep(StepSettings(), catalogue)
    users: dict[str, UserState] = {}
    windows: dict[str, bytes] = {}
    measured = []
    for event in events:
        user = users.setdefault(event.user_id, UserState("9dc6a1e4ef03b1e5e9a1ce44", born=event.time))
        outcome = step.update(user, event, windows.get(event.user_id))
        if outcome.drift_window is not None:
            windows[event.user_id] = outcome.drift_window
        if outcome.refused is None and user.n == 50:
            measured.append(size_by_part(user, windows.get(event.user_id)))
    report = size_report(measured)
    assert len(measured) >= 100
    assert report["total"].mean <= 2_048
    assert report["drift_window"].mean > 0
    assert report["total"].p99 <= 3_072
    assert report["seen"].mean < 512


@given(EVENTS)
@settings(max_examples=30)
def test_the_parts_of_a_record_are_the_whole(events: list[Event]) -> None:
    followed = Followed()
    for event in events:
        followed.update(event)
    sizes = size_by_part(followed.user, followed.window)
    total = sizes.pop("total")
    assert total - sum(sizes.values()) in range(5)  # the version byte and the array's own header
