"""The sources that start from the user's recent items: sessions like theirs, pairs, and factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place
from operators.factor_neighbours import FactorArrays
from operators.ranked_rows import RowArrays
from operators.score_sheet import FACTORS, KNN, ScoreSheet, place_of
from operators.session_index import SessionArrays
from operators.session_knn import KnnScratch, rarity

_LN_2 = float(np.log(2.0))


@compiled_in_place
def vote_by_sessions(
    sessions: SessionArrays,
    near: KnnScratch,
    found: int,
    asks: NDArray[np.int32],
    recent: NDArray[np.int32],
    now: int,
    half_life: float,
    power: float,
    fade: NDArray[np.float32],
    log_held: float,
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """The `found` nearest sessions vote for what they hold, each by similarity^power, halved per half-life
    (ms) of its age, times `fade` float32[F] at the item's distance from the newest shared one: entry 0 is for
    that item, entry d for what lies d steps away on either side (1 in its own step), the last for all
    beyond. Then an item counts the more the rarer it is. `asks` int32[Q] is the query; its items beyond `recent`
    int32[R] are nobody's anchor. How many items are listed by now."""
    held, step, length, last = sessions.item, sessions.step, sessions.length, sessions.last
    log_count = sessions.log_count
    slot, items, anchor, score = sheet.slot, sheet.item, sheet.anchor, sheet.score[KNN]
    row_of, nearness, newest_shared = near.row, near.score, near.newest_shared
    decay = _LN_2 / half_life
    first = listed
    for k in range(found):
        row = row_of[k]
        age = max(now - last[row], 0)
        vote = np.float64(nearness[k]) * np.exp(-decay * age)
        if power != 1.0:
            vote *= np.exp((power - 1.0) * np.log(np.float64(nearness[k])))
        near_to = newest_shared[k]
        shared, at = asks[near_to], 0
        if near_to >= len(recent) or recent[near_to] < 0:
            near_to = -1
        for j in range(length[row]):
            if held[row, j] == shared:
                at = step[row, j]
                break
        for j in range(length[row]):
            item = held[row, j]
            if item < 0:
                continue
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
                anchor[place] = near_to
            away = 0 if item == shared else max(abs(step[row, j] - at), 1)
            score[place] += vote * fade[min(away, len(fade) - 1)]
    for place in range(first, listed):
        score[place] *= rarity(log_count, items[place], log_held)
    return listed


@compiled_in_place
def vote_by_pairs(
    rows: RowArrays,
    column: int,
    log_count: NDArray[np.float32],
    log_held: float,
    recent: NDArray[np.int32],
    weights: NDArray[np.float32],
    sheet: ScoreSheet,
    listed: int,
) -> int:
    """What goes with each recent item, by its share of all that does and its rarity: scores of a column. How many
    items are listed by now."""
    member, log_score, filled = rows.member, rows.score, rows.filled
    slot, items, score = sheet.slot, sheet.item, sheet.score[column]
    gains, anchor, strengths = sheet.gain, sheet.anchor, sheet.strength
    for j in range(len(recent)):
        seed = recent[j]
        if seed < 0:
            break
        if weights[j] <= 0.0:
            continue
        together = 0.0
        for k in range(filled[seed]):
            strengths[k] = np.exp(log_score[seed, k] - log_score[seed, 0])
            together += strengths[k]
        share = weights[j] / together if filled[seed] else 0.0
        for k in range(filled[seed]):
            item = member[seed, k]
            place = place_of(slot, items, listed, item)
            if place < 0:
                continue
            if place == listed:
                listed += 1
            gain = share * strengths[k] * rarity(log_count, item, log_held)
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
