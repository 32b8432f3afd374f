"""What time alone brings a user to whom no event comes: segments left, and the list of a session's end.

Timers of Flink tell of it, of event time and of the wall clock.
"""

from __future__ import annotations

from pyflink.datastream.timerservice import TimerService

from operators.backfill import Backfill
from operators.flink_settings import StepFunctionSettings
from operators.following import Following
from operators.idle_clock import IdleClock
from operators.next_visit import NextVisits, list_gap
from operators.refresh import RefreshPolicy
from operators.refresh_request import ENDED, TRAILING
from operators.waking import Waking
from schemas.state import UserState


class WakingTimers:
    """Sets the timers of one subtask that wake users, and says what has come when one fires. All times are ms.

    It changes no user's record and asks for no list by itself: `lists` is the policy that has one wait for the next
    visit, at leisure. History wakes nobody by the wall clock, and its sessions end without a list.
    """

    def __init__(
        self,
        settings: StepFunctionSettings,
        following: Following,
        backfill: Backfill,
        clock: IdleClock,
        lists: RefreshPolicy,
    ) -> None:
        gap = list_gap(settings.following.step.session_gap, settings.refresh.at_session_end)
        self.visits = NextVisits(gap, settings.refresh.followed)
        self._waking = Waking(clock, settings.refresh.followed)
        self._following = following
        self._backfill = backfill
        self._clock = clock
        self._lists = lists

    def wake(self, timers: TimerService, user: UserState, time: int, now: int) -> None:
        """Have the user looked at again when time alone may change something after event time `time`."""
        live = not self._backfill.is_history(time)
        due = self._next_due(user, time)
        event_time, wall = self._waking.timers(user.uid, due, now, live=live)
        if event_time is not None:
            timers.register_event_time_timer(event_time)
        if wall is not None:
            timers.register_processing_time_timer(wall)

    def wakes(self, uid: str, at: int) -> bool:
        """Whether a wall timer that fires at `at` is known to be the one that wakes the user."""
        return self._waking.set_for(uid, at)

    def is_look(self, uid: str, at: int) -> bool:
        """Whether a wall timer that fired at `at` wakes the user. True where none is known: after a restart."""
        return self._waking.is_look(uid, at)

    def look(self, timers: TimerService, user: UserState, now: int) -> int | None:
        """The event time up to which a user whom the wall clock woke is to be brought; None: not yet, or never."""
        due = self._next_due(user, user.last)
        if due is None or self._backfill.waits(user.uid):
            return None
        if self._waking.has_come(due, now):
            return due
        if (wall := self._waking.look(user.uid, due, now)) is not None:
            timers.register_processing_time_timer(wall)
        return None

    def brought_up(self, timers: TimerService, user: UserState, to: int, now: int) -> None:
        """The user was brought up to event time `to`: wake them for what is next. A session's end has its list wait."""
        self._waking.fired(user.uid, to)
        self.wake(timers, user, to, now)
        if self.visits.take(user, to) and not self._backfill.is_history(to):
            moment = self._lists.ask_at_leisure(user.uid, now)
            if moment is not None:
                timers.register_processing_time_timer(moment)

    def edge_at(self, user: UserState, time: int | None) -> int:
        """The edge of a list that no event asks for at event time `time`: ENDED for the next visit, else TRAILING."""
        return ENDED if self.visits.take_over(user, time) else TRAILING

    def late_edge(self, timers: TimerService, user: UserState, now: int) -> int | None:
        """The edge of a list whose time has come; None: it is needless by now, or waits on, for the budget."""
        end = self.visits.end(user)
        come = end if end is not None and self._waking.has_come(end, now) else self._clock.latest
        edge = self.edge_at(user, come)
        if self._lists.is_at_leisure(user.uid):
            if edge == TRAILING:
                return None  # the session went on with an event that asked for no list
            if (later := self._lists.put_off(user.uid, now)) is not None:
                timers.register_processing_time_timer(later)
                return None
        return edge

    def _next_due(self, user: UserState, now: int) -> int | None:
        """When (event time, ms) something is to happen without an event after `now`; None: never."""
        other = self._following.next_due(user)
        end = self.visits.next_due(user, now)
        if end is None or self._backfill.is_history(end):
            return other
        return end if other is None else min(end, other)
