"""Every kind of cell against all events ever given to it: late ones, equal times, edges of windows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.item_facts import ItemFacts
from operators.segments.cell import NEVER, NumberCell
from operators.segments.newest import MOST_TIMES, Newest
from operators.segments.newest_keys import MOST_KEYS, NewestKeys
from operators.segments.selection import Selection
from operators.segments.steps_cell import StepsCell
from operators.segments.total import Latest, Total
from operators.segments.window import BUCKETS, Window
from schemas.records import Event

VIEWS = Selection(frozenset({"view"}))
FACTS = ItemFacts()


@dataclass(frozen=True)
class Given:
    """An event at `time`, judged at `now`, when the user was already there."""

    time: int
    now: int
    value: float
    item: str


@st.composite
def givens(draw: st.DrawFn, most: int = 40, step: int = 60) -> list[Given]:
    now, found = 1_000, []
    for _ in range(draw(st.integers(1, most))):
        now += draw(st.integers(0, step))
        behind = draw(st.sampled_from([0, 0, 0, 1, 20, 99, 100, 101, 150]))
        value, item = draw(st.sampled_from([0.25, 1.0, 2.0, 7.5])), draw(st.sampled_from("abcdef"))
        found.append(Given(now - behind, now, value, item))
    return found


def busy(seed: int) -> list[Given]:
    """Up to 300 events, so many that windows are cut into buckets."""
    rng = random.Random(seed)
    now, found = 1_000, []
    for _ in range(rng.randrange(1, 300)):
        now += rng.randrange(5)
        behind = rng.choice([0, 0, 0, 1, 20, 99, 399, 400, 401])
        found.append(Given(now - behind, now, rng.choice([0.25, 1.0, 2.0, 7.5]), "a"))
    return found


BUSY = st.integers(0, 2**32).map(busy)


def event(given: Given) -> Event:
    return Event(
        event_id=str(id(given)),
        user_id="u",
        type="view",
        time=given.time,
        value=given.value,
        item_id=given.item,
    )


def fed(cell: NumberCell, given: list[Given]) -> bytes:
    held = b""
    for each in given:
        held = cell.add(held, each.time, event(each), FACTS, each.now)
        assert len(held) <= cell.most_bytes
    return held


def within(given: list[Given], now: int, window: int) -> list[Given]:
    return [each for each in given if each.time > now - window]


@given(givens(), st.integers(0, 130), st.integers(1, 16))
def test_newest_tells_at_least_n_and_until_when(given: list[Given], later: int, n: int) -> None:
    cell = Newest(VIEWS, 100, 16)
    held, now = fed(cell, given), given[-1].now + later
    inside = sorted(each.time for each in within(given, now, 100))
    assert cell.value(held, now) == min(16, len(inside))
    until = cell.leaves(held, n)
    assert (until > now) == (len(inside) >= n)
    if len(inside) >= n:
        assert until == inside[-n] + 100


@given(givens(), st.integers(0, 130), st.integers(1, 6))
def test_newest_keys_tell_at_least_n_different_ones(given: list[Given], later: int, n: int) -> None:
    cell = NewestKeys(VIEWS, 100, 16, "item")
    held, now = fed(cell, given), given[-1].now + later
    latest: dict[str, int] = {}
    for each in within(given, now, 100):
        latest[each.item] = max(each.time, latest.get(each.item, 0))
    assert cell.value(held, now) == len(latest)
    times = sorted(latest.values())
    assert (cell.leaves(held, n) > now) == (len(times) >= n)
    if len(times) >= n:
        assert cell.leaves(held, n) == times[-n] + 100


def test_newest_keys_forget_none_that_still_decides() -> None:
    cell = NewestKeys(VIEWS, None, 1, "item")
    orders = [Given(time, 1_000, 1.0, f"o{time}") for time in (*range(40), *range(20))]
    assert cell.value(fed(cell, orders), 1_000) == 16


REDUCE = {"count": len, "sum": fsum, "minimum": min, "maximum": max}


@given(
    givens(most=BUCKETS), st.integers(0, 130), st.sampled_from(sorted(REDUCE)), st.sampled_from([100, 1000])
)
def test_a_window_of_few_events_is_exact(given: list[Given], later: int, function: str, window: int) -> None:
    cell = Window(function, VIEWS, window, "value")
    held, now = fed(cell, given), given[-1].now + later
    inside = [each.value for each in within(given, now, window)]
    expected = REDUCE[function](inside) if inside or function in ("count", "sum") else None
    assert cell.value(held, now) == expected


@given(givens(), st.integers(0, 130), st.sampled_from(["count", "sum", "first"]))
def test_a_window_next_changes_when_its_oldest_event_leaves(
    given: list[Given], later: int, function: str
) -> None:
    cell = Window(function, VIEWS, 100, "" if function == "count" else "value")
    held, now = fed(cell, given), given[-1].now + later
    inside = [each.time for each in within(given, now, 100)]
    assert cell.next_change(held, now) == (min(inside) + 100 if inside else NEVER)
    assert cell.value(held, now) == {
        "count": len(inside), "sum": fsum(e.value for e in within(given, now, 100)), "first": min(inside, default=None)
    }[function]  # fmt: skip


@given(
    BUSY,
    st.integers(0, 500),
    st.sampled_from(["count", "sum", "minimum", "maximum", "first"]),
)
def test_a_window_of_many_events_is_off_by_a_64th_at_most(
    given: list[Given], later: int, function: str
) -> None:
    window = 400
    cell = Window(function, VIEWS, window, "value")
    held, now = fed(cell, given), given[-1].now + later
    inside, further = within(given, now, window), within(given, now, window + -(-window // BUCKETS))
    got = cell.value(held, now)
    if function == "first":
        times = [[each.time for each in found] for found in (inside, further)]
        least, most = (min(found, default=None) for found in times)
    else:
        reduce = REDUCE[function]
        numbers = [[each.value for each in found] for found in (inside, further)]
        least, most = (reduce(found) if found or function in ("count", "sum") else None for found in numbers)
    if got is None or least is None or most is None:
        assert least is None or got is not None
    else:
        assert min(least, most) <= got <= max(least, most)


@given(BUSY)
def test_a_window_is_exact_again_once_it_was_empty(given: list[Given]) -> None:
    cell = Window("sum", VIEWS, 400, "value")
    held = fed(cell, given)
    new = Given(given[-1].now + 1_000, given[-1].now + 1_000, 2.0, "a")
    held = cell.add(held, new.time, event(new), FACTS, new.now)
    assert cell.next_change(held, new.now) == new.time + 400
    assert cell.value(held, new.now) == 2.0


@given(givens(), st.booleans())
def test_the_latest_and_the_first_time(given: list[Given], first: bool) -> None:
    times = [each.time for each in given]
    assert Latest(VIEWS, first=first).value(fed(Latest(VIEWS, first=first), given), 0) == (
        min if first else max
    )(times)


@given(givens(), st.sampled_from(sorted(REDUCE)))
def test_totals(given: list[Given], function: str) -> None:
    cell = Total(function, VIEWS, "value")
    assert cell.value(fed(cell, given), 0) == REDUCE[function]([each.value for each in given])


def test_a_total_of_many_small_numbers_does_not_drift() -> None:
    cell = Total("sum", VIEWS, "value")
    given = [Given(n, n, 1e16 if n == 0 else 0.1, "a") for n in range(1_001)]
    assert cell.value(fed(cell, given), 0) == fsum([1e16, *[0.1] * 1_000])


@given(givens(most=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_steps_in_whatever_order_they_arrive(given: list[Given], second: list[bool]) -> None:
    cell = StepsCell(VIEWS, Selection(frozenset({"purchase"})))
    held = b""
    for each, is_second in zip(given, second, strict=False):
        add = cell.add_second if is_second else cell.add_first
        held = add(held, each.time, event(each), FACTS, each.now)
        assert len(held) <= cell.most_bytes
    pairs = list(zip(given, second, strict=False))
    seconds = [each.time for each, is_second in pairs if is_second]
    firsts = [
        each.time for each, is_second in pairs if not is_second and seconds and each.time <= max(seconds)
    ]
    assert cell.apart(held) == (max(seconds) - max(firsts) if firsts else None)


@pytest.mark.parametrize("cell", [Newest(VIEWS, 100, MOST_TIMES), NewestKeys(VIEWS, None, MOST_KEYS, "item")])
def test_a_cell_stays_within_its_bound(cell: NumberCell) -> None:
    given = [Given(n, n, 1.0, f"item-{n}") for n in range(500)]
    assert len(fed(cell, given)) <= cell.most_bytes
