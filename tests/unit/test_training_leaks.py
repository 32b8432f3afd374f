"""Nothing that a ranker is trained on knows the event to come, or any later one."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from jobs.bench_events import Traffic, events_of, items_of
from jobs.factorise import FactorSettings, ItemFactors, factorise
from jobs.future_seen import FutureSeenError
from jobs.plain_stream import PlainStream
from jobs.training_set import ListSampler
from operators.feature_plan import FeaturePlan, known_features
from operators.rank_settings import RankSettings
from operators.sessions import end_of
from operators.user_step import StepSettings
from schemas.records import Context, Event
from tests.unit.made_boosted import drawn_boosted

TRAFFIC = Traffic(events=1_200, users=20, items=120, per_second=0.01)
EVENTS = sorted(events_of(TRAFFIC), key=lambda event: event.time)
NAMES = tuple(sorted(known_features()))
"""Every feature that a bundle may ask for, those of the profile included."""


def item_factors() -> ItemFactors:
    ids = [item.item_id for item in items_of(TRAFFIC)]
    drawn = np.random.default_rng(2)
    users, items = (drawn.integers(0, most, 2_000).astype(np.int32) for most in (200, len(ids)))
    settings = FactorSettings(factors=8, neighbours=10, least_users=1)
    return factorise(users, items, np.ones(2_000, np.float32), ids, settings)


FACTORS = item_factors()
BOOSTED = drawn_boosted().model()


def learned(events: list[Event]) -> PlainStream:
    stream = PlainStream(items_of(TRAFFIC))
    for event in events:
        stream.learn(event)
    return stream


def rows_of(stream: PlainStream, event: Event) -> npt.NDArray[np.float32]:
    sampler = ListSampler(stream, FACTORS, RankSettings(), FeaturePlan(NAMES))
    sampler.use_boosted(BOOSTED)
    sampler.sample(event)
    return sampler.take().rows


def judged() -> tuple[int, PlainStream]:
    """The place of a late event whose item is among the candidates, and the stream just before it."""
    stream = learned(EVENTS[:1_000])
    for place in range(1_000, len(EVENTS)):
        if stream.counts(EVENTS[place]) and len(rows_of(stream, EVENTS[place])):
            return place, stream
        stream.learn(EVENTS[place])
    raise AssertionError("no event of the traffic has its item among the candidates")


@pytest.fixture(scope="module")
def before() -> tuple[int, PlainStream]:
    return judged()


def test_no_feature_reads_anything_of_the_event_to_come(before: tuple[int, PlainStream]) -> None:
    place, stream = before
    event = EVENTS[place]
    rows = rows_of(stream, event)
    # Of the time to come a list may know that it lies after the session's end, and no more.
    end = end_of(stream.states[event.user_id].session, StepSettings().session_gap)
    assert end is not None
    other = msgspec.structs.replace(
        event,
        event_id="other",
        type="purchase" if event.type != "purchase" else "view",
        time=end - 1 if event.time < end else event.time + 40 * 86_400_000,
        value=9_999.0,
        quantity=77,
        session_id="another",
        context=Context(device="tablet", country="NZ"),
        attributes={"coupon": "half"},
    )
    np.testing.assert_array_equal(rows_of(stream, other), rows)


def test_a_stream_that_knows_a_later_event_of_anyone_makes_no_list(before: tuple[int, PlainStream]) -> None:
    place, _ = before
    event = EVENTS[place]
    stream = learned(EVENTS[:place])
    later = Event(
        event_id="later", user_id="somebody", type="view", time=event.time + 1, item_id=event.item_id
    )
    stream.learn(later)
    with pytest.raises(
        FutureSeenError, match=f"learned one of {event.time + 1} ms; learn events in the order"
    ):
        rows_of(stream, event)


def test_a_planted_future_would_show_in_the_rows(before: tuple[int, PlainStream]) -> None:
    """Were it not refused, what others do with the item later would stand in its features."""
    place, stream = before
    event = EVENTS[place]
    honest, leaking = rows_of(stream, event), learned(EVENTS[:place])
    for k in range(30):
        leaking.learn(
            Event(event_id=f"x{k}", user_id=f"x{k}", type="view", time=event.time + 1, item_id=event.item_id)
        )
    leaking.latest = event.time
    leaked = rows_of(leaking, event)
    assert leaked.shape != honest.shape or (leaked != honest).any()


def test_factors_that_may_know_the_event_make_no_list(before: tuple[int, PlainStream]) -> None:
    place, stream = before
    event = EVENTS[place]
    at_its_time = ListSampler(stream, FACTORS, RankSettings(), factors_until=event.time)
    at_its_time.sample(event)
    sampler = ListSampler(stream, FACTORS, RankSettings(), factors_until=event.time + 1)
    with pytest.raises(FutureSeenError, match="sample events after those that made the factors"):
        sampler.sample(event)


def test_lists_keep_the_times_of_their_events(before: tuple[int, PlainStream]) -> None:
    place, stream = before
    sampler = ListSampler(stream, FACTORS, RankSettings())
    sampler.sample(EVENTS[place])
    assert sampler.take().times.tolist() == [EVENTS[place].time]


def test_when_what_came_will_be_bought_is_kept_beside_the_list_and_in_no_feature(
    before: tuple[int, PlainStream],
) -> None:
    place, stream = before
    event = EVENTS[place]
    sampler = ListSampler(stream, FACTORS, RankSettings(), FeaturePlan(NAMES))
    sampler.use_boosted(BOOSTED)
    sampler.sample(event, event.time + 5)
    made = sampler.take()
    assert made.bought_at.tolist() == [event.time + 5]
    assert not made.bought().any()  # later than the last list
    np.testing.assert_array_equal(made.rows, rows_of(stream, event))
