"""What a rule becomes: closures over a user's cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from operators.feature import FeatureValue
from operators.segments.cell import Cell
from operators.segments.reading import Reading
from schemas.state import UserState

Cells = dict[int, bytes]
"""The held bytes of a user's cells, by key."""

Judged = tuple[bool, int]
"""Whether a condition holds, and the earliest later time at which that could change without an event (`NEVER`).

That time may come too early, which costs one more look, and never too late.
"""

Judge = Callable[[Cells, UserState, int, set[str]], Judged]
"""(cells, user, now, the segments that the user is in) → whether a condition holds at `now`, and until when."""

Read = Callable[[Cells, UserState, int], FeatureValue]
"""(cells, user, now) → a value; None where it is not known."""

Number = Callable[[Cells, UserState, int], float | None]


NAMED_BYTES = 13
"""What a due time and a membership take in a stored record beside the name of the segment."""


@dataclass(frozen=True)
class Evidence:
    """One number that a rule was judged by. Durations are in seconds, points in time in seconds since 1970."""

    text: str
    read: Number


@dataclass(frozen=True)
class Compiled:
    """A rule ready to run: its condition, its evidence, and all that can make it change.

    `conditions` is how many comparisons it makes at most.
    """

    judge: Judge
    evidence: tuple[Evidence, ...]
    cells: tuple[Cell, ...]
    readings: tuple[Reading, ...]
    segments: frozenset[str]
    conditions: int

    def most_bytes(self, name: str) -> int:
        """The most that the rule takes of a user's record under this name: its cells, a due time, a membership."""
        return sum(cell.most_bytes for cell in self.cells) + 2 * len(name.encode()) + NAMED_BYTES
