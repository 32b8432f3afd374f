"""For every item the newest serial numbers that were added for it, in one arena of bounded size.

A list is a ring in a region of 8, 16, 32, … entries. When full it moves to a region twice as long and leaves
its own to others; at its longest, or when the arena is at its bound, new entries overwrite its oldest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.compiled import compiled

SHORTEST = 8
CLASSES = 24
NONE = -1


class PostingArrays(NamedTuple):
    """`entry` int64[E] is the arena. Per item, `start` int64[I] (-1: no region), `room` and `added` int64[I].

    `added` counts what was put into the region, so the newest is at `start + (added - 1) % room`. `free`
    int64[24] is the first free region of each length (its first entry names the next), `tail` int64[1] the
    end of what was ever given out, and `longest` int64[1] the most entries of a list.
    """

    entry: NDArray[np.int64]
    start: NDArray[np.int64]
    room: NDArray[np.int64]
    added: NDArray[np.int64]
    free: NDArray[np.int64]
    tail: NDArray[np.int64]
    longest: NDArray[np.int64]


class PostingLists:
    """Lists of at most `per_item` entries in an arena of at most `most_entries`.

    >>> lists = PostingLists(per_item=16, most_entries=1_000)
    >>> lists.reserve_items(1)
    >>> for serial in range(20):
    ...     lists.reserve_entries(1); _ = add_posting(lists.arrays, 0, serial, 0)
    >>> lists.of(0)[:3], len(lists.of(0))
    ([19, 18, 17], 16)
    """

    def __init__(self, per_item: int, most_entries: int) -> None:
        self._most_entries = max(most_entries, SHORTEST)
        self._longest = max(per_item, SHORTEST)
        self.arrays = PostingArrays(
            entry=np.zeros(min(SMALLEST, self._most_entries), np.int64),
            start=np.full(SMALLEST, NONE, np.int64),
            room=np.zeros(SMALLEST, np.int64),
            added=np.zeros(SMALLEST, np.int64),
            free=np.full(CLASSES, NONE, np.int64),
            tail=np.zeros(1, np.int64),
            longest=np.full(1, self._longest, np.int64),
        )

    def reserve_items(self, rows: int) -> None:
        """Make sure that items 0 to `rows` - 1 have their entries."""
        held = self.arrays
        self.arrays = held._replace(
            start=grown(held.start, rows, NONE),
            room=grown(held.room, rows, 0),
            added=grown(held.added, rows, 0),
        )

    def reserve_entries(self, additions: int) -> None:
        """Give the arena room for the worst that so many additions can ask for, within its bound."""
        held = self.arrays
        wanted = min(int(held.tail[0]) + additions * self._longest, self._most_entries)
        rows = rows_for(wanted, len(held.entry), self._most_entries)
        self.arrays = held._replace(entry=grown(held.entry, rows, 0))

    def clear(self, items: NDArray[np.int64]) -> None:
        """Empty the lists of these items; their regions stay with them."""
        self.arrays.added[items] = 0

    def of(self, item: int) -> list[int]:
        """The entries of an item, newest first."""
        held = self.arrays
        start, room, added = int(held.start[item]), int(held.room[item]), int(held.added[item])
        return [int(held.entry[start + (added - 1 - k) % room]) for k in range(min(added, room))]

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        return sum(array.nbytes for array in self.arrays)


@compiled
def _take_region(held: PostingArrays, size_class: int, room: int) -> int:
    """The start of a region of `room` entries, -1 where there is none left."""
    start = held.free[size_class]
    if start >= 0:
        held.free[size_class] = held.entry[start]
        return int(start)
    start = held.tail[0]
    if start + room > len(held.entry):
        return -1
    held.tail[0] = start + room
    return int(start)


@compiled
def add_posting(held: PostingArrays, item: int, serial: int, oldest: int) -> None:
    """Put `serial` into the list of an item, in its place by number: newest entries have the greatest.

    A list whose oldest entry is below `oldest`, and so of no use any more, need not be longer.
    """
    room, added = held.room[item], held.added[item]
    full = added >= room
    if full and room > 0 and held.entry[held.start[item] + added % room] < oldest:
        full = False
    if full and room < held.longest[0]:
        size_class = 0
        while (SHORTEST << size_class) <= room:
            size_class += 1
        wider = min(SHORTEST << size_class, held.longest[0])
        start = _take_region(held, size_class, wider)
        if start >= 0:
            old = held.start[item]
            kept = min(added, room)
            for k in range(kept):
                held.entry[start + k] = held.entry[old + (added - kept + k) % room]
            if old >= 0:
                held.entry[old] = held.free[size_class - 1]
                held.free[size_class - 1] = old
            held.start[item] = start
            held.room[item] = wider
            held.added[item] = kept
            added, room = kept, wider
    if room == 0:
        return
    start, place, first = held.start[item], added, max(added - room + 1, 0)
    while place > first and held.entry[start + (place - 1) % room] > serial:
        held.entry[start + place % room] = held.entry[start + (place - 1) % room]
        place -= 1
    held.entry[start + place % room] = serial
    held.added[item] = added + 1
