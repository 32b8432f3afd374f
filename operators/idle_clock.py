"""The events' clock while no event comes: so that what is due in an idle hour happens in it.

Watermarks stand still when the stream does. An idle subtask has read all there was, so its clock may go on
with the wall's from where the last event left it. All times are ms; `now` is wall clock, passed in.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 10_000
"""ms without any event after which a subtask counts as idle."""


class IdleClock:
    """Tells when a moment of event time has come although no event came; `now` is when the subtask begins.

    >>> clock = IdleClock(now=1_000_000, patience=10_000)
    >>> clock.met(time=5_000, now=1_000_000)
    >>> clock.moment_of(65_000, now=1_001_000)
    1060000
    >>> clock.has_come(65_000, now=1_060_000), clock.has_come(65_001, now=1_060_000)
    (True, False)
    >>> clock.met(time=6_000, now=1_059_000)
    >>> clock.has_come(65_000, now=1_060_000)
    False
    """

    def __init__(self, now: int, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._met_at = now
        self._latest: int | None = None
        self._anchor: int | None = None

    @property
    def latest(self) -> int | None:
        """The latest event time that was met; None: none yet."""
        return self._latest

    def met(self, time: int, now: int) -> None:
        """An event of event time `time` was handled at `now`."""
        self._met_at = now
        if self._latest is None or time > self._latest:
            self._latest = time

    def anchor(self, time: int, wall: int) -> None:
        """Live began at event time `time`, when the wall clock read `wall`: it lags no further behind."""
        self._anchor = time - wall

    def has_come(self, due: int, now: int) -> bool:
        """Whether the timer set for the moment of `due` is right. False while events come: watermarks tell then.

        After a restart, until the first event, the timer is believed: it was set by a clock that knew.
        """
        if now < self._met_at + self._patience:
            return False
        reading = self._reading(now)
        return reading is None or reading >= due

    def moment_of(self, due: int, now: int) -> int:
        """The wall clock at which `due` has come if no further event does: when a timer is to look again.

        At least the patience from `now`: a timer for an earlier moment would find the stream busy.
        """
        reading = self._reading(now)
        soonest = now + self._patience
        return soonest if reading is None else max(now + due - reading, soonest)

    def _reading(self, now: int) -> int | None:
        live = None if self._anchor is None else now + self._anchor
        if self._latest is None:
            return live
        reading = self._latest + now - self._met_at
        return reading if live is None else max(reading, live)
