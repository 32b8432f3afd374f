"""One robot makes 30 % of all events: trending and similar items stay as they are without it, to within 1 %."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from heapq import merge

import msgspec
import pytest

from operators.item_facts import facts_of
from operators.statistics import ItemStatistics
from operators.traffic import TrafficStep, is_repeat
from operators.traffic_settings import TrafficSettings
from operators.user_step import StepSettings, UserStep
from schemas.records import NO_CONTEXT, Context, Event
from schemas.state import UserState
from schemas.traffic_state import reasons
from tests.robots import (
    SAYS_SO,
    Lists,
    Site,
    Times,
    by_exponential_gaps,
    by_the_clock,
    changed,
    in_one_rush,
    lists,
    offsets_of,
    thirty_percent,
)

SITE = Site(people=1_500, items=300, begin=1_700_000_000_123)
CATALOGUE = {item.item_id: facts_of(item) for item in SITE.catalogue()}
ROBOT = "robot"


@cache
def honest() -> tuple[Event, ...]:
    return tuple(SITE.visits())


def robot(times: Times, context: Context = NO_CONTEXT, items: int | None = None) -> Iterator[Event]:
    return SITE.robot(ROBOT, thirty_percent(len(honest())), times, context, items)


def learned(
    *streams: Iterator[Event], settings: TrafficSettings = TrafficSettings()
) -> tuple[ItemStatistics, dict[str, UserState], int]:
    """What the job makes of the streams, every user's record, and how many events of the robot counted."""
    step = UserStep(StepSettings(), CATALOGUE)
    traffic = TrafficStep(settings)
    statistics = ItemStatistics()
    users: dict[str, UserState] = {}
    counted = 0
    for event in merge(*streams, key=lambda event: event.time):
        user = users.setdefault(event.user_id, UserState(event.user_id, born=event.time))
        repeat = is_repeat(user.recent, event, 30 * 60_000)
        outcome = step.update(user, event, None)
        verdict = traffic.update(user.traffic, event, user.uid)
        if outcome.step is not None and verdict.weight and not repeat:
            weight = outcome.step.weight * verdict.weight
            statistics.update(msgspec.structs.replace(outcome.step, weight=weight))
            counted += event.user_id == ROBOT
    return statistics, users, counted


@cache
def without() -> ItemStatistics:
    return learned(iter(honest()))[0]


def shown(statistics: ItemStatistics) -> Lists:
    return lists(statistics, SITE, offsets_of(without(), SITE))


ROBOTS = {
    "one that says so": (in_one_rush, SAYS_SO, None, 0),
    "in a rush": (in_one_rush, NO_CONTEXT, None, 70),
    "by the clock, with a fifth of jitter": (by_the_clock, NO_CONTEXT, None, 24),
    "slow and irregular": (by_exponential_gaps, NO_CONTEXT, None, 1_200),
    "one page again and again": (by_exponential_gaps, NO_CONTEXT, 1, 1),
}


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_with_30_percent_of_all_events_changes_lists_by_less_than_1_percent(name: str) -> None:
    times, context, items, most_counted = ROBOTS[name]
    before = shown(without())
    statistics, users, counted = learned(iter(honest()), robot(times, context, items))
    after = shown(statistics)
    assert reasons(users[ROBOT].traffic.marks)
    assert not any(user.traffic.marks for uid, user in users.items() if uid != ROBOT)
    assert counted <= most_counted
    assert changed("trending", before, after) <= 0.01
    assert changed("similar", before, after) <= 0.01


def test_the_same_robot_unnoticed_would_change_them_by_far_more() -> None:
    before = shown(without())
    statistics, _, _ = learned(
        iter(honest()), robot(by_exponential_gaps), settings=TrafficSettings(enabled=False)
    )
    after = shown(statistics)
    assert changed("trending", before, after) > 0.1
    assert changed("similar", before, after) > 0.1
