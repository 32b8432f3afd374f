"""VMIS-kNN: what the nearest of the newest sessions that share an item with the user's query hold.

Kersbergen, Sprangers and Schelter, "Serenade" (SIGMOD 2022), on the incremental index of `session_index`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.best_of import keep_best, sort_best
from operators.compiled import compiled_in_place
from operators.posting_lists import PostingArrays
from operators.session_index import SessionArrays

MOST_QUERY = 64
"""Items of a query at most."""

FIRST_WINDOW = 512
"""So many of the newest sessions are looked at first; then twice as many, and so on."""

_LOW = 0xFFFF_FFFF


class KnnScratch(NamedTuple):
    """Working memory. `slot` int32[S] says by session row where it stands in the columns of the sessions met,
    counted from 1 (0: not met, as everywhere between users).

    Those columns are `serial` int64[M] (`spare` is another, to sort in), `similarity` float32[M] and `shared`
    int32[M], the place in the query of the newest item shared. `left` int64[64] is how far each query item's
    list was read. `best` int64[k] are keys of the nearest, and `row` int64[k], `score` float32[k] and
    `newest_shared` int32[k] those sessions, the nearest first.
    """

    slot: NDArray[np.int32]
    serial: NDArray[np.int64]
    spare: NDArray[np.int64]
    similarity: NDArray[np.float32]
    shared: NDArray[np.int32]
    left: NDArray[np.int64]
    best: NDArray[np.int64]
    row: NDArray[np.int64]
    score: NDArray[np.float32]
    newest_shared: NDArray[np.int32]


def knn_scratch(rows: int, met: int, neighbours: int) -> KnnScratch:
    """Working memory for `rows` session rows, at most `met` of which a query meets, and k `neighbours`."""
    return KnnScratch(
        np.zeros(rows, np.int32),
        np.zeros(met, np.int64),
        np.zeros(met, np.int64),
        np.zeros(met, np.float32),
        np.zeros(met, np.int32),
        np.zeros(MOST_QUERY, np.int64),
        np.zeros(neighbours, np.int64),
        np.zeros(neighbours, np.int64),
        np.zeros(neighbours, np.float32),
        np.zeros(neighbours, np.int32),
    )


@compiled_in_place
def nearest_sessions(
    sessions: SessionArrays,
    postings: PostingArrays,
    query: NDArray[np.int32],
    weights: NDArray[np.float32],
    own: int,
    newest: int,
    scratch: KnnScratch,
) -> int:
    """How many nearest sessions were found: they are in `scratch.row`, `score` and `newest_shared`.

    `query` int32[q] are item numbers, newest first, up to the first below 0, `weights` float32[q] what
    sharing each adds to the similarity. Of the sessions that share an item (not those with key `own`), the
    `newest` latest count. Of equally near ones the later goes first.
    """
    # Arrays are taken out of their tuples once: in the loop that would cost reference counts.
    entry, starts, rooms, added = postings.entry, postings.start, postings.room, postings.added
    key, rows = sessions.key, len(sessions.length)
    slot, serials, similarity = scratch.slot, scratch.serial, scratch.similarity
    shared, left = scratch.shared, scratch.left
    reached = sessions.next_serial[0]
    oldest = reached - sessions_held(sessions)
    # Row 0 holds the session `turn`, or after it the next: saves a division per entry.
    turn = reached // rows * rows
    length = 0
    while length < len(query) and query[length] >= 0 and query[length] < len(starts):
        left[length] = added[query[length]]
        length += 1
    met = before = 0
    window = FIRST_WINDOW
    # All lists are read side by side from the newest session back: long ones need not be read to their end.
    while reached > oldest and met < newest:
        reached = max(reached - window, oldest)
        window *= 2
        before = met
        for j in range(length):
            item, weight = query[j], weights[j]
            room = rooms[item]
            if room == 0 or weight <= 0.0:
                continue
            place, end = left[j], max(added[item] - room, 0)
            first = starts[item]
            at = first + (place - 1) % room
            while place > end:
                serial = entry[at]
                if serial < reached:
                    break
                place -= 1
                at = at - 1 if at > first else first + room - 1
                row = serial - turn
                if row < 0:
                    row += rows
                stands = slot[row] - 1
                if stands >= 0:
                    similarity[stands] += weight
                    shared[stands] = min(shared[stands], j)
                elif key[row] != own:
                    serials[met] = serial
                    similarity[met] = weight
                    shared[met] = j
                    met += 1
                    slot[row] = met
            left[j] = place
    latest = 0
    if met > newest:
        # What was met before the last window is newer than all that was met in it.
        latest = _greatest(serials, before, met, newest - before, scratch.spare)
    return _nearest_of(met, latest, oldest, turn, rows, scratch)


@compiled_in_place
def _greatest(numbers: NDArray[np.int64], start: int, end: int, rank: int, spare: NDArray[np.int64]) -> int:
    """The `rank`-th greatest (from 1) of different numbers from `start` to `end`, by Hoare's quickselect."""
    for k in range(start, end):
        spare[k] = numbers[k]
    low, high, wanted = start, end - 1, start + rank - 1
    while low < high:
        pivot = spare[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while spare[left] > pivot:
                left += 1
            while spare[right] < pivot:
                right -= 1
            if left <= right:
                swapped = spare[left]
                spare[left] = spare[right]
                spare[right] = swapped
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return int(spare[wanted])


@compiled_in_place
def _nearest_of(met: int, latest: int, oldest: int, turn: int, rows: int, scratch: KnnScratch) -> int:
    """Rank the sessions met, those from the serial number `latest` on, and make `slot` clean again."""
    slot, serials, best = scratch.slot, scratch.serial, scratch.best
    # The bits of positive floats are in the order of the floats.
    similarity = scratch.similarity.view(np.int32)
    found = 0
    for k in range(met):
        if serials[k] >= latest:
            found = keep_best(best, found, len(best), np.int64(similarity[k]) << 32 | (serials[k] - oldest))
    sort_best(best, found)
    for k in range(found):
        row = (best[k] & _LOW) + oldest - turn
        if row < 0:
            row += rows
        stands = slot[row] - 1
        scratch.row[k] = row
        scratch.score[k] = scratch.similarity[stands]
        scratch.newest_shared[k] = scratch.shared[stands]
    for k in range(met):
        row = serials[k] - turn
        slot[row if row >= 0 else row + rows] = 0
    return found


@compiled_in_place
def sessions_held(sessions: SessionArrays) -> int:
    """How many sessions the index holds now."""
    return min(int(sessions.next_serial[0]), len(sessions.length))


@compiled_in_place
def rarity(log_count: NDArray[np.float32], item: int, log_held: float) -> float:
    """The inverse session frequency of an item, ln(sessions / sessions with the item); at least a little.

    `log_count` is that of `SessionArrays`, `log_held` the logarithm of how many sessions are held.
    """
    return max(log_held - float(log_count[item]), 0.01)
