"""VMIS-kNN: what the nearest of the newest sessions that share an item with the user's query hold.

Kersbergen, Sprangers and Schelter, "Serenade" (SIGMOD 2022), on the incremental index of `session_index`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.best_of import keep_best, sort_best
from operators.compiled import compiled
from operators.posting_lists import PostingArrays
from operators.session_index import SessionArrays

MOST_QUERY = 64
"""Items of a query at most."""

FIRST_WINDOW = 512
"""So many of the newest sessions are looked at first; then twice as many, and so on."""


class KnnScratch(NamedTuple):
    """Working memory. `similarity` float32[S], zero between users, and `newest_shared` int32[S] are by
    session row.

    `left` int64[64] is how far each query item's list was read, `met` and `serials` int64[most met] are the
    rows that were met and their sessions' numbers; `best_*` keep the k nearest of them.
    """

    similarity: NDArray[np.float32]
    newest_shared: NDArray[np.int32]
    left: NDArray[np.int64]
    met: NDArray[np.int64]
    serials: NDArray[np.int64]
    best_score: NDArray[np.float32]
    best_order: NDArray[np.int64]
    best_row: NDArray[np.int64]


def knn_scratch(rows: int, met: int, neighbours: int) -> KnnScratch:
    """Working memory for `rows` session rows, at most `met` of which a query meets, and k `neighbours`."""
    return KnnScratch(
        np.zeros(rows, np.float32),
        np.zeros(rows, np.int32),
        np.zeros(MOST_QUERY, np.int64),
        np.zeros(met, np.int64),
        np.zeros(met, np.int64),
        np.zeros(neighbours, np.float32),
        np.zeros(neighbours, np.int64),
        np.zeros(neighbours, np.int64),
    )


@compiled
def _read_back(
    sessions: SessionArrays,
    postings: PostingArrays,
    item: int,
    j: int,
    weight: float,
    own: int,
    reached: int,
    scratch: KnnScratch,
    met: int,
) -> int:
    """Meet the sessions of one item down to serial `reached`; how many sessions were met by now."""
    start, room = postings.start[item], postings.room[item]
    end = max(postings.added[item] - room, 0)
    place = scratch.left[j]
    at = (place - 1) % room if room else 0
    rows = len(sessions.length)
    while place > end:
        serial = postings.entry[start + at]
        if serial < reached:
            break
        place -= 1
        at = at - 1 if at else room - 1
        row = serial % rows
        if sessions.key[row] == own:
            continue
        if scratch.similarity[row] == 0.0:
            scratch.met[met] = row
            scratch.serials[met] = serial
            scratch.newest_shared[row] = j
            met += 1
        elif j < scratch.newest_shared[row]:
            scratch.newest_shared[row] = j
        scratch.similarity[row] += weight
    scratch.left[j] = place
    return met


@compiled
def nearest_sessions(
    sessions: SessionArrays,
    postings: PostingArrays,
    query: NDArray[np.int32],
    weights: NDArray[np.float32],
    own: int,
    newest: int,
    scratch: KnnScratch,
) -> int:
    """How many nearest sessions were found: rows and similarities are in `scratch.best_*`, the nearest first.

    `query` int32[q] are item numbers, newest first, up to the first below 0, `weights` float32[q] what
    sharing each adds to the similarity. Of the sessions that share an item (not those with key `own`), the
    `newest` latest count. Of equally near ones the later goes first. `scratch.newest_shared` holds for the
    found rows the place in the query of the newest item they share.
    """
    reached = sessions.next_serial[0]
    oldest = reached - sessions_held(sessions)
    length = 0
    while length < len(query) and query[length] >= 0 and query[length] < len(postings.start):
        scratch.left[length] = postings.added[query[length]]
        length += 1
    met = 0
    window = FIRST_WINDOW
    # All lists are read side by side from the newest session back: long ones need not be read to their end.
    while reached > oldest and met < newest:
        reached = max(reached - window, oldest)
        window *= 2
        for j in range(length):
            if weights[j] > 0.0:
                met = _read_back(sessions, postings, query[j], j, weights[j], own, reached, scratch, met)
    first = np.int64(0)
    if met > newest:
        first = np.partition(scratch.serials[:met], met - newest)[met - newest]
    found = 0
    for k in range(met):
        row = scratch.met[k]
        if scratch.serials[k] >= first:
            found = keep_best(
                scratch.best_score,
                scratch.best_order,
                scratch.best_row,
                found,
                scratch.similarity[row],
                scratch.serials[k],
                row,
            )
        scratch.similarity[row] = 0.0
    sort_best(scratch.best_score, scratch.best_order, scratch.best_row, found)
    return found


@compiled
def sessions_held(sessions: SessionArrays) -> int:
    """How many sessions the index holds now."""
    return min(int(sessions.next_serial[0]), len(sessions.length))


@compiled
def rarity(log_count: NDArray[np.float32], item: int, log_held: float) -> float:
    """The inverse session frequency of an item, ln(sessions / sessions with the item); at least a little.

    `log_count` is that of `SessionArrays`, `log_held` the logarithm of how many sessions are held.
    """
    return max(log_held - float(log_count[item]), 0.01)
