"""The pace of one user in event time: how much of late, and how regularly. 25 bytes."""

from __future__ import annotations

from math import log
from struct import Struct

_FORM = Struct("<q4fB")
_unpack, _pack = _FORM.unpack, _FORM.pack

GAPS = 24
"""Regularity is judged over about so many gaps, and not before there were so many."""

LEAST_GAP = 250
"""Events less than so many ms apart are one action that was told twice, like a click and the view it leads to."""

LONGEST_GAP = 6 * 3_600_000
"""A longer pause is a night, not a gap."""

STEPS_OF_CLOCK = 20
"""A gap tells of regularity where it is at least so many steps of the clock that measured it."""

_SECOND, _MINUTE = 1_000, 60_000

Pace = tuple[int, float, float, float, float, int]
"""Time of the latest action (ms); decayed actions of the short and of the long half-life; mean and variance of the
logarithm of gaps (ms); how many gaps, up to `GAPS`."""


def extended(stored: bytes, time: int, action: float, short: int, long: int) -> Pace:
    """The pace after an action at `time` (ms) that counts `action`, by its half-lives (ms).

    An action from before the latest one counts, but says nothing of gaps.

    >>> stored = b""
    >>> for second in range(0, 1_000, 10):
    ...     last, minute, day, mean, variance, gaps = extended(stored, second * 1_000 + 1, 1.0, 60_000, 43_200_000)
    ...     stored = _pack(last, minute, day, mean, variance, gaps)
    >>> round(minute), round(day), variance < 1e-6, gaps, len(stored)
    (9, 99, True, 24, 25)
    """
    if not stored:
        return time, action, action, 0.0, 0.0, 0
    last, minute, day, mean, variance, gaps = _unpack(stored)
    gap = time - last
    if gap <= 0:
        return last, minute + action, day + action, mean, variance, gaps
    minute = minute * 2.0 ** (-gap / short) + action
    day = day * 2.0 ** (-gap / long) + action
    if LEAST_GAP <= gap <= LONGEST_GAP and action == 1.0 and gap >= STEPS_OF_CLOCK * _step_of_clock(time):
        if gaps < GAPS:
            gaps += 1
        off = log(gap) - mean
        share = 1.0 / gaps
        mean += share * off
        variance = (1.0 - share) * (variance + share * off * off)
    return time, minute, day, mean, variance, gaps


def _step_of_clock(time: int) -> int:
    """The coarsest of minute, second and ms in which a time (ms) may have been measured."""
    if time % _SECOND:
        return 1
    return _SECOND if time % _MINUTE else _MINUTE


def latest(stored: bytes) -> int:
    """The time of the latest action of a stored pace that is not empty."""
    return int.from_bytes(stored[:8], "little", signed=True)


packed = _pack
"""The stored bytes of a pace, given field by field."""
