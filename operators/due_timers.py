"""At most one timer per user for what time alone changes: more would pile up, one an event."""

from __future__ import annotations

from collections import OrderedDict


class DueTimers:
    """Remembers until when each user's timer waits; of at most `followed` users, the last heard of.

    A due time that moved away needs no new timer: when the old one fires, the user asks again.

    >>> timers = DueTimers(followed=10)
    >>> timers.wants("ann", 500), timers.wants("ann", 700), timers.wants("ann", 300)
    (True, False, True)
    >>> timers.fired("ann", 200), timers.fired("ann", 300), timers.wants("ann", 700)
    (False, True, True)
    """

    def __init__(self, followed: int) -> None:
        self._followed = followed
        self._waiting: OrderedDict[str, int] = OrderedDict()

    def wants(self, user: str, due: int) -> bool:
        """Whether a timer is to be set for `due`; it counts as set from then on."""
        waiting = self._waiting.get(user)
        if waiting is not None and waiting <= due:
            return False
        self._waiting[user] = due
        self._waiting.move_to_end(user)
        if len(self._waiting) > self._followed:
            self._waiting.popitem(last=False)
        return True

    def due_of(self, user: str) -> int | None:
        """Until when the timer of `user` waits; None where none is remembered."""
        return self._waiting.get(user)

    def fired(self, user: str, at: int) -> bool:
        """A timer of `user` has fired at `at`: whether it was this one. True as well where none is remembered."""
        waiting = self._waiting.get(user)
        if waiting is not None and waiting > at:
            return False
        self._waiting.pop(user, None)
        return True
