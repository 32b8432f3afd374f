"""What goes with the items that go with the user's: for users of whom the other sources know too little."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.best_of import keep_best, sort_best
from operators.compiled import compiled_in_place
from operators.ranked_rows import RowArrays
from operators.score_sheet import COVISIT, KNN, LAST_PLACE, REFUSED, ScoreSheet, Screen, is_barred, place_of
from operators.session_knn import rarity


class SecondHop(NamedTuple):
    """`seeds` items are started from, when fewer than `below` came up by then; the best of what they lead to
    says `weight` times what the best of co-visitation says."""

    seeds: int
    below: int
    weight: float


@compiled_in_place
def vote_by_second_hop(
    rows: RowArrays,
    log_count: NDArray[np.float32],
    log_held: float,
    hop: SecondHop,
    screen: Screen,
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """Co-visitation of the items that session-kNN and co-visitation put first speaks for items that came up
    nowhere yet, by strength, rarity and how well the seed did. How many items are listed by now.

    They share the seed's anchor. Items that are barred by their hash are neither seeds nor counted, as if they had
    not come up. Overwrites `sheet.gain`.
    """
    if hop.weight <= 0.0 or hop.below <= 0:
        return listed
    knn, covisit, state = sheet.score[KNN], sheet.score[COVISIT], sheet.state
    best_knn = best_covisit = np.float32(0.0)
    came_up = 0
    for place in range(listed):
        if is_barred(screen, sheet.item[place]):
            state[place] = REFUSED
            continue
        came_up += 1
        if came_up >= hop.below:
            return listed
        best_knn, best_covisit = max(best_knn, knn[place]), max(best_covisit, covisit[place])
    if best_covisit <= 0.0:
        return listed
    per_knn = 1.0 / best_knn if best_knn > 0.0 else 0.0
    gain, best = sheet.gain, sheet.best
    bits = gain.view(np.int32)
    seeds = 0
    for place in range(listed):
        if state[place] == REFUSED:
            continue
        gain[place] = knn[place] * per_knn + covisit[place] / best_covisit
        seeds = keep_best(best, seeds, hop.seeds, int(bits[place]) << 32 | (LAST_PLACE - place))
    sort_best(best, seeds)
    first = listed
    slot, items, anchor = sheet.slot, sheet.item, sheet.anchor
    member, log_score, filled = rows.member, rows.score, rows.filled
    greatest = np.float32(0.0)
    for s in range(seeds):
        seed = LAST_PLACE - (best[s] & LAST_PLACE)
        row = items[seed]
        for k in range(filled[row]):
            item = member[row, k]
            place = place_of(slot, items, listed, item)
            if place < first or state[place] == REFUSED:
                continue
            if place == listed:
                listed += 1
                anchor[place] = anchor[seed]
                if is_barred(screen, item):
                    state[place] = REFUSED
                    continue
            strength = np.exp(log_score[row, k] - log_score[row, 0])
            covisit[place] += gain[seed] * strength * rarity(log_count, item, log_held)
            greatest = max(greatest, covisit[place])
    # Strengths of sums that lie ages apart are too small for a number: then nothing speaks for anything.
    if greatest > 0.0:
        for place in range(first, listed):
            covisit[place] *= hop.weight * best_covisit / greatest
    return listed
