"""Durations and points in time, as rules write them. Both are ms."""

from __future__ import annotations

import re
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")

LONGEST = 3660 * DAY
"""Ten years: no window is longer."""


def duration(text: str) -> int:
    """The ms of a duration.

    >>> duration("30d") == 30 * DAY, duration("1h30m"), duration("2.5s")
    (True, 5400000, 2500)

    Raises `ValueError` saying how durations are written.
    """
    at = total = 0
    while match := _PART.match(text, at):
        total += round(float(match.group(1)) * _UNITS[match.group(2)])
        at = match.end()
    if not text or at != len(text):
        raise ValueError(f'"{text}" is no duration; write "30d", "2h", "1h30m" (units: ms s m h d w)')
    if not 0 < total <= LONGEST:
        raise ValueError(f'"{text}" is not between 1ms and 3660d')
    return total


def shown_duration(ms: float) -> str:
    """A duration as rules write it, in at most two units.

    >>> shown_duration(30 * DAY), shown_duration(5_400_000), shown_duration(0)
    ('30d', '1h30m', '0s')
    """
    rest = round(ms)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        size = _UNITS[unit]
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts) or "0s"


def point_in_time(text: str) -> int:
    """The ms since 1970 of an ISO 8601 date or time; UTC where no zone is given.

    >>> point_in_time("1970-01-02")
    86400000

    Raises `ValueError` saying how dates are written.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no date; write "2026-01-31" or "2026-01-31T18:00"') from None
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    return round(read.timestamp() * 1000)
