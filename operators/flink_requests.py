"""When the user step asks the rank stage for a user: for a list, or only to show what is known of them now."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.common import Row
from pyflink.datastream.timerservice import TimerService

from operators.flink_counts import StepCounts
from operators.flink_rows import request_row
from operators.flink_settings import StepFunctionSettings
from operators.pressure import Pressure
from operators.refresh import Edge, RefreshPolicy, RefreshSettings
from operators.refresh_request import LEADING, QUIET, RefreshRequest, encode_request
from schemas.records import Event
from schemas.state import UserState

QUIET_MS = 5_000
"""A user's profile and segments are published at most so often where no list is made."""


class Requests:
    """Asks for one subtask, at once or with a timer of the wall clock. All times are ms.

    `lists` says when a list is made, and follows the pressure on the rank stage; `quiet` when profile and segments are
    shown without one.
    """

    def __init__(self, settings: StepFunctionSettings, counts: StepCounts) -> None:
        self.lists = RefreshPolicy(settings.refresh)
        self.quiet = RefreshPolicy(RefreshSettings(interval=QUIET_MS, followed=settings.refresh.followed))
        self._pressure = Pressure(settings.pressure) if settings.pressure else None
        self._counts = counts

    def of_event(
        self,
        timers: TimerService,
        event: Event,
        user: UserState,
        state: bytes,
        now: int,
        *,
        changes_list: bool,
    ) -> bytes | None:
        """What the event asks for now, of a user whose record is `state`; None: nothing, or a timer will."""
        self._adapt(now)
        since = event.sent if event.sent is not None else now
        policy, kind = (self.lists, LEADING) if changes_list else (self.quiet, QUIET)
        edge, due = policy.ask(user.uid, now, since)
        if edge is Edge.LEADING:
            if kind == LEADING:
                self._counts.leading.inc()
            return encode_request(RefreshRequest(state, since, kind))
        if edge is Edge.TRAILING:
            timers.register_processing_time_timer(due)
        return None

    def of_time(self, timers: TimerService, user: UserState, state: bytes, now: int) -> Iterator[Row]:
        """Show what time alone has changed about a user, whose record is `state`: now, or when a timer fires."""
        edge, due = self.quiet.ask(user.uid, now, now)
        if edge is Edge.LEADING:
            yield request_row(user, state, now, QUIET)
        elif edge is Edge.TRAILING:
            timers.register_processing_time_timer(due)

    def knows(self, uid: str) -> bool:
        """Whether the user was heard of lately: after a restart nobody was, and timers of before still fire."""
        return self.lists.knows(uid) or self.quiet.knows(uid)

    def _adapt(self, now: int) -> None:
        if self._pressure is not None and self._pressure.is_due(now):
            self.lists.adapt(*self._pressure.read(now))
            self._counts.interval.set(int(self.lists.interval))
            self._counts.budget.set(int(self.lists.budget.rate))
