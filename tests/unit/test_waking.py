"""When a user is to be looked at again: never more than one timer of either kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.idle_clock import IdleClock
from operators.waking import Waking

HOUR = 3_600_000
EVENTS = st.lists(st.tuples(st.integers(1, HOUR), st.integers(0, 3 * HOUR)), min_size=1, max_size=40)


@given(EVENTS, st.integers(1, 200))
def test_wall_timers_do_not_pile_up(events: list[tuple[int, int]], fired: int) -> None:
    """However often timers fire, each user is left with one: the others had been overtaken by an earlier one."""
    clock = IdleClock(now=0)
    waking = Waking(clock, followed=10)
    pending: list[int] = []
    now = 0
    for passed, ahead in events:
        now += passed
        clock.met(now, now)
        _, wall = waking.timers("ann", now + ahead, now)
        pending += [wall] if wall is not None else []
    due = now + 1_000 * HOUR
    for _ in range(len(pending) + fired):
        pending.sort()
        at = pending.pop(0)
        now = max(now, at)
        # A timer of a list fires as well, and is not taken for a look.
        assert not pending or pending[0] <= now or not waking.is_look("ann", at - 1)
        if waking.is_look("ann", at) and (wall := waking.look("ann", due, now)) is not None:
            pending.append(wall)
        assert pending
    assert len(pending) == 1


def test_an_earlier_due_time_gets_an_earlier_timer() -> None:
    waking = Waking(IdleClock(now=0, patience=10), followed=10)
    assert waking.timers("ann", HOUR, now=0)[0] == HOUR
    assert waking.timers("ann", HOUR // 2, now=0)[0] == HOUR // 2
    assert waking.timers("ann", HOUR, now=0) == (None, None)


def test_history_sets_no_timer_of_the_wall_clock() -> None:
    waking = Waking(IdleClock(now=0), followed=10)
    assert waking.timers("ann", HOUR, now=0, live=False) == (HOUR, None)


def test_who_goes_live_after_history_is_looked_at_by_the_wall_clock_for_what_history_left_due() -> None:
    waking = Waking(IdleClock(now=0, patience=10), followed=10)
    assert waking.timers("ann", HOUR, now=0, live=False) == (HOUR, None)
    event_time, wall = waking.timers("ann", HOUR, now=20)
    assert event_time is None
    assert wall is not None
    assert waking.timers("ann", HOUR, now=21) == (None, None)
    assert (waking.set_for("ann", wall), waking.set_for("ann", wall - 1)) == (True, False)


def test_a_user_who_is_not_remembered_may_be_looked_at_by_any_timer() -> None:
    waking = Waking(IdleClock(now=0), followed=1)
    waking.timers("ann", HOUR, now=0)
    waking.timers("bob", HOUR, now=0)
    assert waking.is_look("ann", 1)
    assert not waking.is_look("bob", 1)
