"""When each event of a replay is due: at a fixed rate, at a multiple of recorded time, or at once.

Open loop: an event's due time does not move when earlier ones were late, so lag shows and is made up.
"""

from __future__ import annotations

import re
from typing import Protocol

from schemas.errors import HeadraceError

_MS = 1000.0


class PaceRefused(HeadraceError):  # noqa: N818 (named like the other refusals)
    """A rate or speed that is none."""


class Pace(Protocol):
    """Tells when an event is due, in seconds after the first; none when it is due at once."""

    def due(self, position: int, time: int) -> float | None:
        """`position` counts the events of the replay from 0, `time` is the event's own, ms."""


class AsFastAsPossible:
    """Every event is due at once."""

    def due(self, position: int, time: int) -> float | None:
        """Never later."""
        return None


class FixedRate:
    """So many events a second, whatever their times.

    >>> FixedRate(200).due(100, time=0)
    0.5
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second

    def due(self, position: int, time: int) -> float | None:
        """By position alone."""
        return position / self._per_second


class RecordedTime:
    """As recorded, so many times as fast. An event that is older than one before it is due with that one.

    >>> pace = RecordedTime(3600)
    >>> pace.due(0, time=0), pace.due(1, time=7_200_000)
    (0.0, 2.0)
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._first: int | None = None

    def due(self, position: int, time: int) -> float | None:
        """By the recorded time since the first event."""
        if self._first is None:
            self._first = time
        return (time - self._first) / _MS / self._speed


def pace_of(rate: str | None, speed: str | None) -> Pace:
    """The pace that `--rate 1000/s` or `--speed 3600x` asks for.

    Raises `PaceRefused` when both are given or one is not a number above zero.
    """
    if rate and speed:
        raise PaceRefused("--rate and --speed exclude each other: give one")
    if rate:
        return FixedRate(_positive("--rate", rate, "/s", "1000/s"))
    if speed:
        return RecordedTime(_positive("--speed", speed, "x", "3600x"))
    return AsFastAsPossible()


def _positive(option: str, given: str, unit: str, example: str) -> float:
    number = given.strip().removesuffix(unit)
    if not re.fullmatch(r"\d+(\.\d+)?", number) or float(number) == 0:
        raise PaceRefused(f"{option} {given!r} is not a number above zero; write it like {example}")
    return float(number)
