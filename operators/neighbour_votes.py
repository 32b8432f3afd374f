"""The sources that start from the user's recent items: sessions like theirs, pairs, and factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place
from operators.factor_neighbours import FactorArrays
from operators.ranked_rows import RowArrays
from operators.score_sheet import COVISIT, FACTORS, KNN, ScoreSheet, place_of
from operators.session_index import SessionArrays
from operators.session_knn import KnnScratch, rarity

_LN_2 = float(np.log(2.0))


@compiled_in_place
def vote_by_sessions(
    sessions: SessionArrays,
    near: KnnScratch,
    found: int,
    now: int,
    half_life: float,
    power: float,
    log_held: float,
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """The `found` nearest sessions vote for what they hold, each by similarity^power, halved per half-life
    (ms) of its age; then an item counts the more the rarer it is. How many items are listed by now."""
    held, length, last, log_count = sessions.item, sessions.length, sessions.last, sessions.log_count
    slot, items, anchor, score = sheet.slot, sheet.item, sheet.anchor, sheet.score[KNN]
    row_of, nearness, newest_shared = near.row, near.score, near.newest_shared
    decay = _LN_2 / half_life
    first = listed
    for k in range(found):
        row = row_of[k]
        age = max(now - last[row], 0)
        vote = np.exp(power * np.log(np.float64(nearness[k])) - decay * age)
        for j in range(length[row]):
            item = held[row, j]
            if item < 0:
                continue
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
                anchor[place] = newest_shared[k]
            score[place] += vote
    for place in range(first, listed):
        score[place] *= rarity(log_count, items[place], log_held)
    return listed


@compiled_in_place
def vote_by_pairs(
    rows: RowArrays,
    log_count: NDArray[np.float32],
    log_held: float,
    recent: NDArray[np.int32],
    weights: NDArray[np.float32],
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """What goes with each recent item, by its strength and its rarity. How many items are listed by now."""
    member, log_score, filled = rows.member, rows.score, rows.filled
    slot, items, score = sheet.slot, sheet.item, sheet.score[COVISIT]
    gains, anchor = sheet.gain, sheet.anchor
    for j in range(len(recent)):
        seed = recent[j]
        if seed < 0 or weights[j] <= 0.0:
            break
        for k in range(filled[seed]):
            item = member[seed, k]
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
            strength = np.exp(log_score[seed, k] - log_score[seed, 0])
            gain = weights[j] * strength * rarity(log_count, item, log_held)
            score[place] += gain
            if gain > gains[place]:
                gains[place] = gain
                anchor[place] = j
    return listed


@compiled_in_place
def vote_by_factors(
    factors: FactorArrays,
    recent: NDArray[np.int32],
    weights: NDArray[np.float32],
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """What is near each recent item in factor space, by the cosine. How many items are listed by now."""
    slot, items, anchor, score = sheet.slot, sheet.item, sheet.anchor, sheet.score[FACTORS]
    row_of, number, neighbours, cosines = factors.row, factors.number, factors.neighbours, factors.scores
    for j in range(len(recent)):
        seed = recent[j]
        if seed < 0 or weights[j] <= 0.0:
            break
        row = row_of[seed] if seed < len(row_of) else -1
        if row < 0:
            continue
        for k in range(neighbours.shape[1]):
            neighbour = neighbours[row, k]
            if neighbour < 0:
                break
            item = number[neighbour]
            if item < 0:
                continue
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
            score[place] += weights[j] * cosines[row, k]
            if anchor[place] < 0:
                anchor[place] = j
    return listed
