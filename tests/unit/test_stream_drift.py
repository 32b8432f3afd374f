"""The whole stream is watched in bounded memory: what changes is told with its reason, what does not is not."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.item_facts import ItemFacts
from operators.rate_watch import RateWatch, RateWatchSettings
from operators.stream_drift import DAY, StreamDrift, StreamDriftSettings
from operators.stream_summary import (
    MOST_NAMES,
    StreamSummary,
    Summariser,
    decode_summary,
    encode_summary,
)
from schemas.records import STREAM, Context, DriftAlert, Event

SETTINGS = StreamDriftSettings(batch_events=200, least_asked=100, period=DAY, least_events=500)
Change = Callable[[random.Random, Event, ItemFacts | None, float], tuple[Event, ItemFacts | None, float]]
DAYS = 8
EVENTS_A_DAY = 4_000


def stream(seed: int, change: Change | None = None) -> Iterator[tuple[Event, ItemFacts | None, float]]:
    """A steady shop over `DAYS` days, changed from half of them on."""
    rng = random.Random(seed)
    for number in range(DAYS * EVENTS_A_DAY):
        time = number * DAY // EVENTS_A_DAY
        kind = rng.choices(("view", "click", "purchase"), (70, 20, 10))[0]
        event = Event(
            event_id=str(number), user_id="u", type=kind, time=time, item_id="mug",
            value=9.5 if kind == "purchase" else None, session_id="s",
            context=Context(country=rng.choices(("GB", "DE", None), (80, 15, 5))[0], device="mobile"),
        )  # fmt: skip
        facts = ItemFacts(rng.choice(["Home/Mugs", "Toys/Cars"]), rng.lognormvariate(2.0, 0.5))
        seen = (event, facts if rng.random() > 0.02 else None, min(1.0, rng.random() * 0.6))
        if change is not None and number >= DAYS * EVENTS_A_DAY // 2:
            seen = change(rng, *seen)
        yield seen


def alerts_of(seed: int, change: Change | None = None, store_every: int = 10**9) -> list[DriftAlert]:
    summariser, drift, alerts = Summariser(SETTINGS.batch_events), StreamDrift(SETTINGS), []
    for number, (event, facts, error) in enumerate(stream(seed, change)):
        full = summariser.add(event, facts, error, drifted=False)
        if full is not None:
            alerts += drift.take(decode_summary(encode_summary(full)))
        if number % store_every == 0:
            drift = StreamDrift.from_bytes(drift.to_bytes(), SETTINGS)
    return alerts


def without_country(rng: random.Random, event: Event, facts: ItemFacts | None, error: float):  # type: ignore[no-untyped-def]
    context = Context(country=None if rng.random() < 0.3 else event.context.country, device="mobile")
    changed = Event(
        event_id=event.event_id, user_id="u", type=event.type, time=event.time, item_id=event.item_id,
        value=event.value, session_id="s", context=context,
    )  # fmt: skip
    return changed, facts, error


def unknown_item(rng: random.Random, event: Event, facts: ItemFacts | None, error: float):  # type: ignore[no-untyped-def]
    return event, None if rng.random() < 0.2 else facts, error


def dearer(rng: random.Random, event: Event, facts: ItemFacts | None, error: float):  # type: ignore[no-untyped-def]
    return event, facts and ItemFacts(facts.category, (facts.price or 1.0) * 1.5), error


def other_categories(rng: random.Random, event: Event, facts: ItemFacts | None, error: float):  # type: ignore[no-untyped-def]
    return (
        event,
        facts and ItemFacts("Toys/Cars" if rng.random() < 0.5 else facts.category, facts.price),
        error,
    )


def model_errs(rng: random.Random, event: Event, facts: ItemFacts | None, error: float):  # type: ignore[no-untyped-def]
    return event, facts, min(1.0, error + 0.15)


def test_a_steady_stream_gives_no_alert() -> None:
    assert [alerts_of(seed) for seed in range(3)] == [[]] * 3


@pytest.mark.parametrize(
    ("change", "signal"),
    [
        (without_country, "missing/country"),
        (unknown_item, "unknown_items"),
        (dearer, "distribution/price"),
        (dearer, "price_level"),
        (other_categories, "distribution/category"),
        (model_errs, "prediction_error"),
    ],
)
def test_a_change_of_the_stream_is_told_by_its_signal_with_a_reason(change: Change, signal: str) -> None:
    alerts = [alert for alert in alerts_of(1, change) if alert.signal == signal]
    assert alerts
    first = alerts[0]
    assert DAYS * DAY // 2 <= first.at <= DAYS * DAY // 2 + 2 * DAY
    assert (first.scope, first.uid) == (STREAM, "")
    assert signal.removeprefix("distribution/") in first.reason


def test_the_new_state_of_a_stream_is_told_once() -> None:
    assert len([a for a in alerts_of(2, unknown_item) if a.signal == "unknown_items"]) == 1


def test_storing_it_between_batches_changes_no_alert() -> None:
    def told(alerts: list[DriftAlert]) -> list[tuple[str, str, int]]:
        return [(alert.signal, alert.detector, alert.at) for alert in alerts]

    assert told(alerts_of(3, without_country, store_every=100)) == told(alerts_of(3, without_country))


def test_what_is_remembered_stays_bounded_whatever_names_come() -> None:
    drift, sizes = StreamDrift(SETTINGS), []
    for day in range(60):
        summary = StreamSummary()
        for number in range(1_000):
            summary.add(
                Event(
                    event_id="e", user_id="u", type=f"own {day} {number}", time=day * DAY + number,
                    context=Context(country=f"{number}", device=f"{number}"),
                ),
                None, None, False,
            )  # fmt: skip
        drift.take(summary)
        sizes.append(len(drift.to_bytes()))
        assert len(summary.names["type"]) <= MOST_NAMES + 1
    assert max(sizes) < 64_000
    assert max(sizes[20:]) <= max(sizes[:20]) + 2_000


@given(st.lists(st.sampled_from(["view", "own", "purchase"]), max_size=30), st.integers(0, 30))
def test_two_summaries_added_up_are_the_summary_of_both(kinds: list[str], cut: int) -> None:
    def summary_of(part: list[tuple[int, str]]) -> StreamSummary:
        made = StreamSummary()
        for time, kind in part:
            event = Event(event_id="e", user_id="u", type=kind, time=time, item_id="mug")
            made.add(event, ItemFacts("Home", 8.0), 0.25, False)
        return made

    numbered = list(enumerate(kinds))
    both = summary_of(numbered[:cut])
    both.merge(summary_of(numbered[cut:]))
    assert both == summary_of(numbered)


def test_records_that_were_refused_are_a_rate_of_all() -> None:
    summariser = Summariser(4)
    event = Event(event_id="e", user_id="u", type="search", time=7)
    assert [summariser.add(event, None, None, False) for _ in range(3)] == [None] * 3
    full = summariser.reject(9)
    assert full is not None
    assert (full.asked["rejected"], full.shown["rejected"], full.last) == (4, 1.0, 9)


@pytest.mark.parametrize("stored", [b"\x09", b"\x01 no MessagePack"])
def test_what_cannot_be_read_begins_anew_and_says_so(stored: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        drift = StreamDrift.from_bytes(stored, SETTINGS)
    assert drift.to_bytes() == StreamDrift(SETTINGS).to_bytes()
    assert "begins anew" in caplog.text


def test_a_rate_that_is_steady_with_chance_alone_gives_few_alarms() -> None:
    rng = random.Random(4)
    alarms = 0
    for rate in (0.001, 0.02, 0.3):
        watch = RateWatch(RateWatchSettings())
        for _ in range(1_500):
            if watch.update(sum(rng.random() < rate for _ in range(200)) / 200, 200):
                alarms += 1
                watch = RateWatch(RateWatchSettings())
    assert alarms <= 2


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.9), ("periods", 0), ("least_distance", 2.0)])
def test_a_setting_out_of_its_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        StreamDriftSettings(**{name: value})  # type: ignore[arg-type]


def with_garbage(share: float, batches: int, turned_away: int) -> Iterator[StreamSummary]:
    """Batches of 500 accepted events, and between them summaries of what was turned away: that share of all records."""
    for number in range(batches):
        accepted = StreamSummary(500, number, number, {"rejected": 500}, {"rejected": 0.0})
        garbage = round(500 * share / (1 - share))
        for _ in range(turned_away):
            yield StreamSummary.of_rejected(garbage // turned_away, number, number)
        yield accepted


def test_what_was_turned_away_before_the_user_step_counts_in_the_rate_among_what_is_accepted() -> None:
    drift = StreamDrift(StreamDriftSettings())
    steady = [drift.take(summary) for summary in with_garbage(0.2, 300, turned_away=5)]
    assert not any(steady)
    found = [alert for summary in with_garbage(0.5, 100, turned_away=3) for alert in drift.take(summary)]
    assert [alert.signal for alert in found] == ["rejected"]
    assert found[0].error_before == pytest.approx(0.2, abs=0.01)
    assert found[0].error_after == pytest.approx(0.5, abs=0.01)


def test_a_stream_of_nothing_but_garbage_is_told_though_nobody_accepts_anything() -> None:
    drift = StreamDrift(StreamDriftSettings())
    for summary in with_garbage(0.01, 100, turned_away=1):
        drift.take(summary)
    found = [alert for _ in range(1_000) for alert in drift.take(StreamSummary.of_rejected(500, 200, 200))]
    assert [alert.signal for alert in found] == ["rejected"]
    assert found[0].error_after == 1.0
