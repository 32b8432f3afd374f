"""What all cells are: packed numbers of one user that one or more rules count in.

A cell is described by an object that holds nothing of any user; what is remembered of a user is its bytes. Two
rules that ask for the same text share one cell, and a new version of a rule finds the cells of the old one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import blake2b

from operators.item_facts import ItemFacts
from operators.segments.selection import Selection
from schemas.records import Event

NEVER = 1 << 62
"""An event time that does not come."""

KEY_BYTES = 9
"""Bytes that a cell's key and the length of its bytes take in a stored record, about."""


def key_of(text: str) -> int:
    """The stored name of a cell: 63 bits of the hash of its text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


Adding = Callable[[bytes, int, Event, ItemFacts, int], bytes]
"""(held, time, event, facts, now) → the bytes after a selected event at `time`.

`held` is empty for a user without the cell. `now` is the latest time judged so far, not before `time`: what has
left the window by then is not kept.
"""


class Cell(ABC):
    """One cell. `text` says fully what it remembers; `most_bytes` is the most that it takes of a user's record."""

    precision = "exact"
    """How exact the cell is, for people."""

    def __init__(self, text: str, most_bytes: int) -> None:
        self.text = text
        self.key = key_of(text)
        self.most_bytes = most_bytes + KEY_BYTES

    @property
    @abstractmethod
    def sees(self) -> tuple[tuple[Selection, Adding], ...]:
        """The events that it is to be given, and what takes them in."""


class NumberCell(Cell):
    """A cell that gives one number."""

    def __init__(self, text: str, selection: Selection, most_bytes: int) -> None:
        super().__init__(text, most_bytes)
        self._selection = selection

    @property
    def sees(self) -> tuple[tuple[Selection, Adding], ...]:
        return ((self._selection, self.add),)

    @abstractmethod
    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        """The bytes after a selected event; see `Adding`."""

    @abstractmethod
    def value(self, held: bytes, now: int) -> float | None:
        """The number that holds at `now`; None where there is none."""

    @abstractmethod
    def next_change(self, held: bytes, now: int) -> int:
        """The earliest time after `now` at which the number could change without an event; `NEVER`."""

    def look(self, held: bytes, now: int) -> tuple[float | None, int]:
        """Both at once: `value` and `next_change`."""
        return self.value(held, now), self.next_change(held, now)


class KeptCell(NumberCell):
    """A cell that keeps the newest of something in a window, and so knows when the n-th newest leaves it."""

    most: int
    """How many it keeps."""

    @abstractmethod
    def leaves(self, held: bytes, n: int) -> int:
        """When the n-th newest leaves the window (event time, ms); 0 where there are fewer."""
