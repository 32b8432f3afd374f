"""What is small, bare or endless: one item in all, items of which nothing is told, a user who never stops."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jobs.factorise import FactorSettings, factorise
from jobs.plain_stream import PlainStream
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_events import TrainingEvents
from jobs.training_settings import TrainingSettings
from operators.bundle import load_bundle
from operators.candidates import SOURCES, CandidateSettings
from operators.item_facts import ItemFacts
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.user_step import StepSettings, UserStep
from schemas.records import Context, Event, Item
from schemas.state import UserState, decode_state, encode_state
from tests.small_bundles import write_network

MINUTE = 60_000
START = 1_700_000_000_000
ENDLESS = 100_000
"""Events of one user; the next 900,000 cost what these do, since the record of them is no larger: see the test."""

EVERY_SOURCE = RankSettings(
    candidates=CandidateSettings(
        bought_together=5, view_to_buy=5, again=5, new_arrivals=5, embedded=5, novelty=1.0
    )
)


def endless(events: int) -> Iterator[Event]:
    """A user who never stops: some of everything, orders and searches, items that nobody saw before."""
    drawn = random.Random(7)
    types = ("view",) * 6 + ("click", "search", "add_to_cart", "purchase", "impression", "rating")
    for k in range(events):
        kind = drawn.choice(types)
        yield Event(
            event_id=f"{k:x}",
            user_id="ann",
            type=kind,
            time=START + k * MINUTE,
            item_id=None if kind == "search" else f"item-{drawn.randrange(50) if k % 2 else k}",
            value={"purchase": 9.5, "rating": 4.0}.get(kind),
            order_id=f"o{k // 40}" if kind == "purchase" else None,
            query=f"word {k}" if kind == "search" else None,
            context=Context(country=("GB", "DE", "FR")[k % 3], device=("mobile", "desktop")[k % 2]),
            attributes={f"own {k}": "x"} if k % 50 == 0 else {},
        )


def test_a_user_with_endless_events_has_a_record_that_does_not_grow_and_events_that_cost_no_more() -> None:
    """The record goes through its stored form all the time, as in the job, so what it holds is what is stored."""
    catalogue = {f"item-{k}": ItemFacts(f"Department {k % 5}/Shelf {k % 9}", 1.0 + k) for k in range(50)}
    step, user, window = UserStep(StepSettings(), catalogue), UserState("ann", born=START), None
    bytes_at: list[int] = []
    seconds: list[float] = []
    parts = 20
    began = time.thread_time()
    for k, event in enumerate(endless(ENDLESS)):
        outcome = step.update(user, event, window if step.needs_drift_window(user, event) else None)
        window = window if outcome.drift_window is None else outcome.drift_window
        if k % 100 == 99:
            stored = encode_state(user)
            user = decode_state(stored)
            if k % (ENDLESS // parts) == ENDLESS // parts - 1:
                bytes_at.append(len(stored) + len(window or b""))
                seconds.append(time.thread_time() - began)
                began = time.thread_time()
    assert user.n == ENDLESS
    # A record goes up and down with the user's last days; it has no trend, and never a part that is not bounded.
    assert max(bytes_at) < 10_240
    assert max(bytes_at[parts // 2 :]) <= max(bytes_at[: parts // 2]) + 200
    # An event costs what one cost at first: the median of the later half, with room for a busy machine.
    assert float(np.median(seconds[parts // 2 :])) <= 1.5 * float(np.median(seconds[1 : parts // 2]))


@pytest.mark.parametrize("metadata", [True, False], ids=["an entry", "no metadata"])
def test_a_catalogue_of_one_item_gives_that_item_by_every_source_with_and_without_a_model(
    metadata: bool, tmp_path: Path
) -> None:
    stream = PlainStream([Item(item_id="only", title="The only one", category="All/One")] if metadata else [])
    for k, user in enumerate(["ann", "bob", "ann", "cyd"]):
        kind = "purchase" if k % 2 else "view"
        stream.learn(
            Event(event_id=str(k), user_id=user, type=kind, time=START + k, item_id="only", value=1.0)
        )
    stream.catch_up()
    bundle = load_bundle(write_network(tmp_path / "shop" / "1", seed=1))
    states = [*stream.states.values(), UserState("new", born=START)]
    for ranker in (Ranker(stream.shelf, EVERY_SOURCE), Ranker(stream.shelf, EVERY_SOURCE, bundle)):
        stream.shelf.settle()
        lists = ranker.rank(states, [START + 10] * len(states))
        # It is not shown to those who touched it, and there is nothing else.
        assert [made.items for made in lists] == [[], [], [], ["only"]]
        assert np.isfinite(lists[-1].scores).all()


def test_factors_of_one_item_and_a_training_on_one_item_end_well(tmp_path: Path) -> None:
    users = np.arange(5, dtype=np.int32)
    one = factorise(
        users, users * 0, np.ones(5, np.float32), ["only"], FactorSettings(factors=4, neighbours=3)
    )
    assert one.factors.shape == (1, 4)
    assert (one.neighbours == -1).all()
    events = [
        Event(event_id=str(k), user_id=f"u{k % 30}", type="view", time=START + k * MINUTE, item_id="only")
        for k in range(400)
    ]
    sizes = TrainingSettings(
        lists=100,
        validation=100,
        factors=FactorSettings(factors=4),
        rankers=RankerSettings(rankers=("trees",)),
    )
    # Nobody takes an item for the first time when there is one: no list to judge by, so the blend serves.
    report = Training(sizes).learn(TrainingEvents(events, [], 0), tmp_path / "one" / "1")
    assert report.ranker == "blend"
    assert load_bundle(tmp_path / "one" / "1").item_ids == ["only"]


def test_items_of_which_nothing_is_told_are_ranked_by_every_feature_with_numbers() -> None:
    stream = PlainStream([Item(item_id="bare"), Item(item_id="titled", title="A mug")])
    for k in range(120):
        stream.learn(
            Event(
                event_id=str(k),
                user_id=f"u{k % 12}",
                type="view",
                time=START + k * MINUTE,
                item_id=("bare", "titled", f"unheard-{k % 5}")[k % 3],
            )
        )
    stream.catch_up()
    state = stream.states["u1"]
    [made] = Ranker(stream.shelf, EVERY_SOURCE).rank([state], [state.last])
    assert set(made.items) <= {"bare", "titled", *(f"unheard-{k}" for k in range(5))}
    assert made.items
    assert made.said.shape == (len(made.items), len(SOURCES))
    assert np.isfinite(made.said).all()
