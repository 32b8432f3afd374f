"""When a user is to be looked at again because time alone may change something about them.

Event time tells it while events flow. Where they stop, so does event time: then the wall clock does. Of each kind one
timer of a user leads to the next; one that an earlier timer overtook leads nowhere. More would pile up, one an event.
"""

from __future__ import annotations

from operators.due_timers import DueTimers
from operators.idle_clock import IdleClock


class Waking:
    """Says which timers to set; `followed` users are remembered, the last heard of. All times are ms.

    >>> waking = Waking(IdleClock(now=0, patience=10), followed=100)
    >>> waking.timers("ann", 500, now=0), waking.timers("ann", 700, now=1)
    ((500, 10), (None, None))
    >>> waking.is_look("ann", 7), waking.is_look("ann", 10), waking.look("ann", 500, now=10)
    (False, True, 20)
    """

    def __init__(self, clock: IdleClock, followed: int) -> None:
        self._clock = clock
        self._event_time = DueTimers(followed)
        self._wall = DueTimers(followed)

    def timers(
        self, user: str, due: int | None, now: int, *, live: bool = True
    ) -> tuple[int | None, int | None]:
        """The timers to be set for what is due at event time `due`: of event time, and of the wall clock.

        Without `live`, history is being loaded and the wall clock has no part in it.
        """
        if due is None:
            return None, None
        if self._event_time.wants(user, due):
            return due, self.look(user, due, now) if live else None
        # What history set, it set without one of the wall clock.
        return None, self.look(user, due, now) if live and self._wall.due_of(user) is None else None

    def fired(self, user: str, to: int) -> None:
        """Time has passed for `user` up to event time `to`."""
        self._event_time.fired(user, to)

    def is_look(self, user: str, at: int) -> bool:
        """Whether a wall timer of `user` that fired at `at` is the one to look again. True where none is known."""
        return self._wall.fired(user, at)

    def set_for(self, user: str, at: int) -> bool:
        """Whether the wall timer to look at `user` again is known to be the one for `at`."""
        return self._wall.due_of(user) == at

    def has_come(self, due: int, now: int) -> bool:
        """Whether event time `due` has come by the wall clock, no event having told it."""
        return self._clock.has_come(due, now)

    def look(self, user: str, due: int, now: int) -> int | None:
        """The wall timer to be set for a user for whom `due` has not come; None where one is set already."""
        moment = self._clock.moment_of(due, now)
        return moment if self._wall.wants(user, moment) else None
