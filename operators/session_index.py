"""The newest sessions of all users, and for every item the newest of them that hold it.

The index of VMIS-kNN (Kersbergen, Sprangers and Schelter, "Serenade: Low-Latency Session-Based Recommendation
in e-Commerce at Scale", SIGMOD 2022), kept while steps arrive. A session that outgrows its row goes on in
another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.compiled import compiled
from operators.posting_lists import SHORTEST, PostingArrays, PostingLists, add_posting

NO_KEY = -1


class SessionArrays(NamedTuple):
    """Sessions as rows: session number `serial` (0, 1, … in order of their starts) is in row serial % most.

    `item` int32[S, L] of which the first `length` int32[S] are held (-1: a freed item), each once, in the
    order in which they came; `step` int16[S, L] counts from 0 and rises with time: items of one time (the
    lines of an order) are of one step. `key`
    int64[S], `serial` int64[S] and `last` int64[S] (ms, its newest step) of the session in a row. `table`
    int64[T] finds the row of a key by open addressing (row + 1; 0: empty). `next_serial` int64[1].
    `holders` int32[I] is the number of held sessions per item, and `log_count` float32[I] its logarithm.
    """

    item: NDArray[np.int32]
    step: NDArray[np.int16]
    length: NDArray[np.int32]
    key: NDArray[np.int64]
    serial: NDArray[np.int64]
    last: NDArray[np.int64]
    table: NDArray[np.int64]
    next_serial: NDArray[np.int64]
    holders: NDArray[np.int32]
    log_count: NDArray[np.float32]


class SessionIndex:
    """At most `most_sessions` sessions of at most `session_items` items, at most `per_item` of them per item.

    >>> index = SessionIndex(most_sessions=100, session_items=5, per_item=10, most_items=10)
    >>> index.reserve_items(3)
    >>> index.add([7, 7, 8], [0, 1, 0], [10, 20, 30])
    >>> index.sessions_of(0), index.sessions_of(1), len(index)
    ([8, 7], [7], 2)
    """

    def __init__(self, most_sessions: int, session_items: int, per_item: int, most_items: int) -> None:
        self._most = most_sessions
        self._most_items = most_items
        n = min(SMALLEST, most_sessions)
        self.postings = PostingLists(
            per_item, most_entries=2 * most_sessions * session_items + SHORTEST * most_items
        )
        self.arrays = SessionArrays(
            item=np.full((n, session_items), -1, np.int32),
            step=np.zeros((n, session_items), np.int16),
            length=np.zeros(n, np.int32),
            key=np.full(n, NO_KEY, np.int64),
            serial=np.full(n, -1, np.int64),
            last=np.zeros(n, np.int64),
            table=np.zeros(_table_size(n), np.int64),
            next_serial=np.zeros(1, np.int64),
            holders=np.zeros(SMALLEST, np.int32),
            log_count=np.zeros(SMALLEST, np.float32),
        )

    def __len__(self) -> int:
        return min(int(self.arrays.next_serial[0]), self._most)

    def reserve_items(self, rows: int) -> None:
        """Make sure that items 0 to `rows` - 1 have their entries."""
        held = self.arrays
        wanted = rows_for(rows, len(held.holders), max(self._most_items, SMALLEST))
        self.arrays = held._replace(
            holders=grown(held.holders, wanted, 0), log_count=grown(held.log_count, wanted, 0.0)
        )
        self.postings.reserve_items(wanted)

    def add(self, keys: list[int], items: list[int], times: list[int]) -> None:
        """Session `keys[k]` went on to item `items[k]` at `times[k]` ms. Items below 0 are left out."""
        self._reserve_sessions(len(self) + len(keys))
        steps = (np.array(keys, np.int64), np.array(items, np.int32), np.array(times, np.int64))
        self.postings.reserve_entries(len(keys))
        _add_steps(self.arrays, self.postings.arrays, self._most, *steps)

    def forget(self, freed: NDArray[np.bool_]) -> None:
        """Take the items marked in `freed` out of all sessions."""
        held = self.arrays
        marked = np.flatnonzero(freed)
        _forget_items(held, freed)
        held.holders[marked] = 0
        held.log_count[marked] = 0.0
        self.postings.clear(marked)

    def sessions_of(self, item: int) -> list[int]:
        """Keys of the held sessions that the item's list has, newest first."""
        held = self.arrays
        oldest = int(held.next_serial[0]) - self._most
        return [int(held.key[s % self._most]) for s in self.postings.of(item) if s >= oldest]

    def steps(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """(keys, items, times) that build this index anew; the steps of a session come 1 ms apart, the last
        of them at its newest time."""
        held = self.arrays
        newest = int(held.next_serial[0])
        rows = np.arange(max(newest - self._most, 0), newest) % self._most
        lengths = held.length[rows]
        within = np.arange(held.item.shape[1])[None, :] < lengths[:, None]
        items = held.item[rows][within]
        steps = held.step[rows]
        last_step = np.take_along_axis(steps, np.maximum(lengths - 1, 0)[:, None].astype(np.int64), axis=1)
        keys, times = np.repeat(held.key[rows], lengths), np.repeat(held.last[rows], lengths)
        times = times + (steps - last_step)[within]
        kept = items >= 0
        return keys[kept], items[kept], times[kept]

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        return sum(array.nbytes for array in self.arrays) + self.postings.nbytes()

    def _reserve_sessions(self, sessions: int) -> None:
        held = self.arrays
        rows = rows_for(min(sessions, self._most), len(held.length), self._most)
        if rows == len(held.length):
            return
        self.arrays = held._replace(
            item=grown(held.item, rows, -1),
            step=grown(held.step, rows, 0),
            length=grown(held.length, rows, 0),
            key=grown(held.key, rows, NO_KEY),
            serial=grown(held.serial, rows, -1),
            last=grown(held.last, rows, 0),
            table=np.zeros(_table_size(rows), np.int64),
        )
        _fill_table(self.arrays)


def _table_size(rows: int) -> int:
    """A power of two that leaves the table at most half full."""
    return 1 << (2 * rows - 1).bit_length()


@compiled
def _place(held: SessionArrays, key: int) -> int:
    """The place of a key in the table, or the empty one where it belongs."""
    mask = len(held.table) - 1
    place = (key ^ (key >> 31)) & mask
    while held.table[place] and held.key[held.table[place] - 1] != key:
        place = (place + 1) & mask
    return place


@compiled
def _fill_table(held: SessionArrays) -> None:
    start = held.next_serial[0] - len(held.length)
    for serial in range(max(start, 0), held.next_serial[0]):
        row = serial % len(held.length)
        # A key that went on in another row is found at the newest of them.
        held.table[_place(held, held.key[row])] = row + 1


@compiled
def _remove_key(held: SessionArrays, row: int) -> None:
    """Take the key of a row out of the table, unless the session went on in another row."""
    mask = len(held.table) - 1
    hole = _place(held, held.key[row])
    if held.table[hole] != row + 1:
        return
    held.table[hole] = 0
    place = (hole + 1) & mask
    while held.table[place]:
        # Whoever was pushed on by the removed key must be found without it.
        moved = held.table[place]
        held.table[place] = 0
        held.table[_place(held, held.key[moved - 1])] = moved
        place = (place + 1) & mask


@compiled
def _begin_session(held: SessionArrays, most: int, key: int, place: int) -> int:
    serial = held.next_serial[0]
    row = serial % most
    if serial >= most:
        _remove_key(held, row)
        for k in range(held.length[row]):
            item = held.item[row, k]
            if item >= 0:
                held.holders[item] -= 1
                held.log_count[item] = np.log(max(held.holders[item], 1))
        place = _place(held, key)
    held.next_serial[0] = serial + 1
    held.key[row] = key
    held.serial[row] = serial
    held.length[row] = 0
    held.last[row] = 0
    held.table[place] = row + 1
    return int(row)


@compiled
def _add_steps(
    held: SessionArrays,
    postings: PostingArrays,
    most: int,
    keys: NDArray[np.int64],
    items: NDArray[np.int32],
    times: NDArray[np.int64],
) -> None:
    for k in range(len(keys)):
        item = items[k]
        if item < 0:
            continue
        place = _place(held, keys[k])
        row = held.table[place] - 1
        if row >= 0:
            known = False
            for j in range(held.length[row]):
                known = known or held.item[row, j] == item
            if known:
                held.last[row] = max(held.last[row], times[k])
                continue
        if row < 0 or held.length[row] == held.item.shape[1]:
            row = _begin_session(held, most, keys[k], place)
        count = held.length[row]
        held.item[row, count] = item
        held.step[row, count] = held.step[row, count - 1] + (times[k] > held.last[row]) if count else 0
        held.length[row] = count + 1
        held.last[row] = max(held.last[row], times[k])
        held.holders[item] += 1
        held.log_count[item] = np.log(held.holders[item])
        add_posting(postings, item, held.serial[row], held.next_serial[0] - most)


@compiled
def _forget_items(held: SessionArrays, freed: NDArray[np.bool_]) -> None:
    for row in range(len(held.length)):
        for k in range(held.length[row]):
            item = held.item[row, k]
            if item >= 0 and freed[item]:
                held.item[row, k] = -1
