"""Counters that forget: their sum does not depend on the order of events, and their number is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decayed_counts import add, age_factor, discount
from operators.item_facts import Catalogue
from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState

DAY = 86_400_000
TIMES = st.lists(st.integers(0, DAY - 1), min_size=1, max_size=30, unique=True)


def counted(times: list[int], half_life: int) -> tuple[float, int]:
    """The counter of a user who viewed at these times, and the latest of them."""
    step = UserStep(StepSettings(counter_half_life=half_life), Catalogue())
    user = UserState("u", born=0)
    for time in times:
        event = Event(event_id=str(time), user_id="u", type="search", time=10 * DAY + time)
        assert step.update(user, event, None).refused is None
    return user.types["search"], user.last


@given(TIMES.flatmap(lambda times: st.tuples(st.just(times), st.permutations(times))))
def test_the_order_of_events_does_not_matter(orders: tuple[list[int], list[int]]) -> None:
    first, second = (counted(times, half_life=DAY // 4) for times in orders)
    assert first[1] == second[1]
    assert first[0] == pytest.approx(second[0], rel=1e-12)


@given(TIMES)
def test_a_counter_is_the_sum_of_what_is_left_of_each_event(times: list[int]) -> None:
    half_life = DAY // 3
    count, last = counted(times, half_life)
    assert count == pytest.approx(sum(2.0 ** (-(last - 10 * DAY - t) / half_life) for t in times), rel=1e-12)


def test_after_a_half_life_half_is_left() -> None:
    counts = {"view": 8.0, "click": 2.0}
    discount(counts, age_factor(500, half_life=500))
    assert counts == {"view": 4.0, "click": 1.0}


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(0.01, 10)), max_size=50), st.integers(1, 5))
def test_never_more_names_than_allowed_and_the_newest_stays(
    entries: list[tuple[str, float]], most: int
) -> None:
    counts: dict[str, float] = {}
    for name, weight in entries:
        add(counts, name, weight, most)
        assert len(counts) <= most
        assert name in counts


def test_the_smallest_other_counter_gives_way() -> None:
    counts = {"a": 5.0, "b": 1.0, "c": 3.0}
    add(counts, "d", 0.1, most=3)
    assert counts == {"a": 5.0, "c": 3.0, "d": 0.1}
