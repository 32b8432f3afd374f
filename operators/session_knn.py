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


class KnnScratch(NamedTuple):
    """Working memory, all zero between users: `similarity` float32[S] and `nearest` int32[S] by session row, and
    the rows that were met, int64[most met], with what keeps the k nearest of them."""

    similarity: NDArray[np.float32]
    newest_shared: NDArray[np.int32]
    met: NDArray[np.int64]
    serials: NDArray[np.int64]
    best_score: NDArray[np.float32]
    best_order: NDArray[np.int64]
    best_row: NDArray[np.int64]


def knn_scratch(rows: int, met: int, neighbours: int) -> KnnScratch:
    """Working memory for an index of `rows` rows, queries that meet at most `met` of them, and k `neighbours`."""
    return KnnScratch(
        np.zeros(rows, np.float32),
        np.zeros(rows, np.int32),
        np.zeros(met, np.int64),
        np.zeros(met, np.int64),
        np.zeros(neighbours, np.float32),
        np.zeros(neighbours, np.int64),
        np.zeros(neighbours, np.int64),
    )


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

    `query` int32[q] are item numbers, newest first, up to the first below 0, `weights` float32[q] what sharing each
    adds to the similarity. Of the sessions that share an item (not those with key `own`), the `newest` latest
    count. Of equally near ones the later goes first. `scratch.newest_shared` holds for the found rows the
    place in the query of the newest item they share.
    """
    oldest = sessions.next_serial[0] - sessions_held(sessions)
    rows = len(sessions.length)
    met = 0
    for j in range(len(query)):
        item = query[j]
        if item < 0:
            break
        if weights[j] <= 0.0 or item >= len(postings.start):
            continue
        start, room, added = postings.start[item], postings.room[item], postings.added[item]
        place = added
        for _ in range(min(added, room)):
            place -= 1
            serial = postings.entry[start + place % room]
            if serial < oldest:
                break
            row = serial % rows
            if sessions.key[row] == own:
                continue
            if scratch.similarity[row] == 0.0:
                scratch.met[met] = row
                scratch.serials[met] = serial
                scratch.newest_shared[row] = j
                met += 1
            scratch.similarity[row] += weights[j]
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
    return min(sessions.next_serial[0], len(sessions.length))


@compiled
def rarity(sessions: SessionArrays, item: int, log_held: float) -> float:
    """The inverse session frequency of an item: ln(sessions / sessions with the item), at least a little."""
    return max(log_held - sessions.log_count[item], 0.01)
