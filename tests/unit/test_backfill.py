"""The cut-over of a backfill: silence before it, one list per user after it, the same record all along."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.backfill import BackfillRefused, cut_over_control
from jobs.cells import time_ms
from operators.backfill import Backfill, BackfillSettings, CutOver, CutOverRefused, Moment, cut_over_of
from operators.idle_clock import IdleClock
from operators.item_facts import Catalogue
from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState, encode_state

DAY = 86_400_000
BEGIN = 1_700_000_000_000
SETTINGS = BackfillSettings(dry=30_000, spread=60_000)


@dataclass
class Subtask:
    """What the user step's function does with a backfill: records, lists asked for, timers by wall clock."""

    backfill: Backfill = field(default_factory=lambda: Backfill(SETTINGS))
    step: UserStep = field(default_factory=lambda: UserStep(StepSettings(), Catalogue()))
    users: dict[str, UserState] = field(default_factory=dict)
    lists: list[tuple[str, int]] = field(default_factory=list)
    timers: set[tuple[int, str]] = field(default_factory=set)
    now: int = 0

    def take(self, event: Event) -> None:
        user = self.users.setdefault(event.user_id, UserState(event.user_id, born=BEGIN))
        outcome = self.step.update(user, event, b"")
        if outcome.refused is not None:
            return
        if not self.backfill.is_history(event.time):
            if outcome.changes_list:
                self.lists.append((user.uid, self.now))
        elif (due := self.backfill.met(user.uid, self.now)) is not None:
            self.timers.add((due, user.uid))

    def wait(self, until: int) -> None:
        """Let the wall clock go on, firing timers."""
        while self.timers and (first := min(self.timers))[0] <= until:
            self.timers.remove(first)
            self.now, uid = first
            self._fire(uid)
        self.now = until

    def restart(self) -> None:
        """Memory is lost; records and timers come back."""
        self.backfill = Backfill(SETTINGS)

    def _fire(self, uid: str) -> None:
        if (due := self.backfill.postponed(uid, self.now)) is not None:
            self.timers.add((due, uid))
            return
        moment = self.backfill.fired(uid, self.now, self.users[uid].last, self.now)
        if moment is Moment.CUT_OVER:
            self.lists.append((uid, self.now))
        elif moment is Moment.AGAIN:
            again = self.backfill.met(uid, self.now)
            assert again is not None
            self.timers.add((again, uid))


def ninety_days(users: int = 40, events: int = 4_000, seed: int = 1) -> list[Event]:
    rng = random.Random(seed)
    return [
        Event(
            event_id=f"e{number}",
            user_id=f"u{rng.randrange(users)}",
            type=rng.choice(("view", "view", "click", "add_to_cart", "purchase", "scroll")),
            time=BEGIN + number * 90 * DAY // events - rng.randrange(2 * 3_600_000),
            item_id=f"i{rng.randrange(50)}",
            value=1.0,
        )
        for number in range(events)
    ]


def test_ninety_days_give_the_records_of_a_live_run_and_one_list_per_user() -> None:
    events = ninety_days()
    live = Subtask()
    for event in events:
        live.now = event.time
        live.take(event)
    loaded = Subtask()
    loaded.backfill.cut_over(BEGIN + 91 * DAY)
    loaded.now = BEGIN + 91 * DAY
    for event in events:
        loaded.wait(loaded.now + 40)  # 160 s in all: longer than a user waits
        loaded.take(event)
    assert loaded.lists == []
    loaded.wait(loaded.now + 200_000)
    assert {uid: encode_state(user) for uid, user in loaded.users.items()} == {
        uid: encode_state(user) for uid, user in live.users.items()
    }
    assert sorted(uid for uid, _ in loaded.lists) == sorted(loaded.users)
    assert len(live.lists) > 20 * len(loaded.lists)


def test_the_lists_of_a_cut_over_are_spread_and_come_when_history_has_run_dry() -> None:
    subtask = Subtask()
    subtask.backfill.cut_over(BEGIN + 91 * DAY)
    subtask.now = ended = BEGIN + 91 * DAY
    for event in ninety_days(users=300, events=3_000):
        subtask.take(event)
    subtask.wait(ended + 600_000)
    moments = [moment - ended for _, moment in subtask.lists]
    assert min(moments) >= SETTINGS.dry
    assert max(moments) <= SETTINGS.dry + SETTINGS.spread
    busiest = max(
        sum(low <= moment < low + 6_000 for moment in moments) for low in range(30_000, 90_000, 6_000)
    )
    assert busiest < len(moments) / 4


def test_a_user_who_goes_live_meanwhile_is_not_asked_for_again() -> None:
    subtask = Subtask()
    subtask.backfill.cut_over(BEGIN + DAY)
    subtask.take(Event(event_id="1", user_id="ann", type="view", time=BEGIN, item_id="mug"))
    subtask.take(Event(event_id="2", user_id="ann", type="view", time=BEGIN + DAY, item_id="cup"))
    assert subtask.lists == [("ann", 0)]
    subtask.wait(10 * DAY)
    assert subtask.lists == [("ann", 0)]


def test_a_restart_forgets_nobody_and_asks_nobody_twice() -> None:
    subtask = Subtask()
    subtask.backfill.cut_over(BEGIN + 91 * DAY)
    subtask.now = BEGIN + 91 * DAY
    events = ninety_days()
    for event in events[:2_000]:
        subtask.take(event)
    subtask.wait(subtask.now + 20_000)
    subtask.restart()
    subtask.backfill.cut_over(BEGIN + 91 * DAY)
    for event in events[2_000:]:
        subtask.take(event)
    subtask.wait(subtask.now + 300_000)
    assert sorted(uid for uid, _ in subtask.lists) == sorted(subtask.users)


def test_an_idle_restart_still_asks_for_everyone() -> None:
    subtask = Subtask()
    subtask.backfill.cut_over(BEGIN + 91 * DAY)
    for event in ninety_days(events=200):
        subtask.take(event)
    subtask.restart()
    subtask.backfill.cut_over(BEGIN + 91 * DAY)
    subtask.wait(subtask.now + 300_000)
    assert sorted(uid for uid, _ in subtask.lists) == sorted(subtask.users)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=60), st.integers(0, 200))
def test_every_user_of_history_alone_is_asked_for_once(met: list[tuple[int, int]], until: int) -> None:
    backfill = Backfill(BackfillSettings(dry=30, spread=50))
    backfill.cut_over(until)
    timers: set[tuple[int, str]] = set()
    asked: list[str] = []
    steps = sorted((now, f"u{user}") for user, now in met)
    now = 0
    while steps or timers:
        event_next = bool(steps) and (not timers or steps[0][0] <= min(timers)[0])
        now, user = steps.pop(0) if event_next else min(timers)
        if event_next:
            if backfill.is_history(0) and (due := backfill.met(user, now)) is not None:
                timers.add((due, user))
            continue
        timers.remove((now, user))
        if (due := backfill.postponed(user, now)) is not None:
            timers.add((due, user))
        elif backfill.fired(user, now, 0, now) is Moment.CUT_OVER:
            asked.append(user)
            assert not steps or steps[0][0] >= now
    latest = max((moment for _, moment in met), default=0)
    gaps = [moment for _, moment in met]
    if (
        until
        and gaps
        and max(b - a for a, b in zip([min(gaps), *sorted(gaps)], sorted(gaps), strict=False)) < 30
    ):
        assert sorted(asked) == sorted({f"u{user}" for user, _ in met})
        assert now <= latest + 80


def test_the_body_of_a_cut_over_comes_back() -> None:
    assert cut_over_of(cut_over_control(5_000, 9_000).body) == CutOver(5_000, 9_000)


@pytest.mark.parametrize(
    "body", ["{}", '{"until": "soon", "declared": 1}', '{"until": -1, "declared": 1}', "["]
)
def test_a_body_that_names_no_cut_over_is_refused(body: str) -> None:
    with pytest.raises(CutOverRefused, match=r"backfill"):
        cut_over_of(body)


def test_a_time_that_is_none_is_refused_before_anything_is_sent() -> None:
    from jobs.backfill import begin_backfill

    with pytest.raises(BackfillRefused, match="--cut-over"):
        begin_backfill("tomorrow", topics=None)  # type: ignore[arg-type]
    assert time_ms("2026-03-01T00:00:00Z") == 1_772_323_200_000


@pytest.mark.parametrize("settings", [{"dry": 0}, {"spread": 0}, {"followed": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        BackfillSettings(**settings)


def test_an_idle_hour_lets_what_is_due_come() -> None:
    wall = 2_000_000_000
    clock = IdleClock(now=wall)
    clock.met(BEGIN, wall)
    due = BEGIN + 3_600_000
    moment = clock.moment_of(due, wall)
    assert moment == wall + 3_600_000
    assert not clock.has_come(due, moment - 1)
    assert clock.has_come(due, moment)


def test_while_events_come_the_idle_clock_is_silent() -> None:
    clock = IdleClock(now=0)
    for now in range(0, 3_600_000, 9_000):
        clock.met(BEGIN, now)
        assert not clock.has_come(BEGIN - 1, now)


def test_after_a_backfill_the_idle_clock_reads_live_time() -> None:
    wall = BEGIN + 10 * DAY
    clock = IdleClock(now=wall)
    clock.met(BEGIN, wall + 1_000_000)  # history, long after live began
    clock.anchor(wall, wall)
    due = wall + 1_800_000
    assert clock.moment_of(due, wall + 1_000_000) == due
    assert clock.has_come(due, due)
    assert not clock.has_come(due, due - 1)


def test_after_an_idle_restart_a_timer_is_believed() -> None:
    clock = IdleClock(now=50_000)
    assert not clock.has_come(BEGIN, 59_999)
    assert clock.has_come(BEGIN, 60_000)
