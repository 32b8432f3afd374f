"""The source that needs no history of an item: its text is like that of what the user touched lately."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place
from operators.ranked_rows import RowArrays
from operators.score_sheet import COVISIT, FACTORS, KNN, ScoreSheet, place_of

WELL_KNOWN = 10.0
"""An item that so many times as many sessions hold as halve its vote gets none."""


@compiled_in_place
def vote_by_texts(
    rows: RowArrays,
    column: int,
    holders: NDArray[np.int32],
    recent: NDArray[np.int32],
    weights: NDArray[np.float32],
    few: float,
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """Items of like text score the greatest of weight * cosine over the user's recent items, in a column.

    It falls with evidence, `holders` int32[I] sessions that hold the item: by few / (few + sessions). How
    many items are listed by now.
    """
    slot, items, anchor, score = sheet.slot, sheet.item, sheet.anchor, sheet.score[column]
    member, cosines, filled = rows.member, rows.score, rows.filled
    most = few * WELL_KNOWN
    for j in range(len(recent)):
        seed = recent[j]
        if seed < 0 or weights[j] <= 0.0:
            break
        if seed >= len(filled):
            continue
        for k in range(filled[seed]):
            item = member[seed, k]
            if holders[item] > most:
                continue
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
            vote = np.float32(weights[j] * cosines[seed, k] * few / (few + holders[item]))
            if vote > score[place]:
                score[place] = vote
                if sheet.score[KNN, place] + sheet.score[COVISIT, place] + sheet.score[FACTORS, place] == 0.0:
                    anchor[place] = j
    return listed
