"""The sources that need no history: what trends in the user's country, everywhere, in favourite categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.arrival_votes import Freshness, freshness
from operators.compiled import compiled_in_place
from operators.new_items import ArrivalArrays
from operators.ranked_rows import RowArrays
from operators.score_sheet import CATEGORY, NAMED, TRENDING, ScoreSheet, Screen, may_name, place_of


@compiled_in_place
def _name_scope(
    rows: RowArrays,
    screen: Screen,
    scope: int,
    column: int,
    base: float,
    weight: float,
    arrived: ArrivalArrays,
    now: int,
    novelty: Freshness,
    limit: int,
    sheet: ScoreSheet,
    listed: int,
    named: int,
) -> tuple[int, int]:
    """Name the first `limit` items that trend in a scope; each scores `base` plus up to `weight`, and its novelty times
    that. Of the others those are named too that novelty lifts above the last of the first."""
    member, log_score = rows.member, rows.score
    score = sheet.score[column]
    taken = 0
    least = 0.0
    for k in range(rows.filled[scope]):
        item = member[scope, k]
        trend = base + weight * np.exp(log_score[scope, k] - log_score[scope, 0])
        boost = freshness(arrived.came[item], now, novelty) if novelty.weight > 0.0 else 0.0
        if taken >= limit:
            if novelty.weight <= 0.0 or taken >= 2 * limit:
                break
            if trend * (1.0 + boost) <= least:
                continue
        else:
            least = trend
        trend *= 1.0 + boost
        place = place_of(sheet.slot, sheet.item, listed, item)
        if place < 0:
            continue
        if place == listed:
            listed += 1
        if not may_name(screen, sheet.state, place, item):
            continue
        taken += 1
        if sheet.state[place] != NAMED:
            sheet.state[place] = NAMED
            sheet.named[named] = place
            named += 1
        if trend > score[place]:
            score[place] = trend
            sheet.scope[place] = scope
    return listed, named


@compiled_in_place
def name_trending(
    rows: RowArrays,
    screen: Screen,
    country: int,
    favourite: NDArray[np.int32],
    share: NDArray[np.float32],
    everywhere: float,
    arrived: ArrivalArrays,
    now: int,
    novelty: Freshness,
    limit: int,
    category_limit: int,
    most: int,
    sheet: ScoreSheet,
    listed: int,
    named: int,
) -> tuple[int, int]:
    """Name what trends: `limit` items in the country first and overall where it has too little, then
    `category_limit` in the favourite categories by their shares. (How many are listed, how many named)."""
    before = named
    # With novelty a scope names twice: what trends, and what trends and is new.
    times = 2 if novelty.weight > 0.0 else 1
    # Scope 0 is everywhere; a country goes before it.
    for turn in range(2):
        scope = country if turn == 0 else 0
        left = min(limit - (named - before), (most - named) // times)
        if scope < 0 or scope >= len(rows.filled) or left <= 0:
            continue
        base = everywhere if scope > 0 else 0.0
        weight = 1.0 - base if scope > 0 else (everywhere if named > before else 1.0)
        listed, named = _name_scope(
            rows, screen, scope, TRENDING, base, weight, arrived, now, novelty, left, sheet, listed, named
        )
    for j in range(len(favourite)):
        scope = favourite[j]
        if scope < 0 or scope >= len(rows.filled):
            continue
        wanted = min(int(np.ceil(share[j] * category_limit)), (most - named) // times)
        listed, named = _name_scope(
            rows, screen, scope, CATEGORY, 0.0, share[j], arrived, now, novelty, wanted, sheet, listed, named
        )
    return listed, named


@compiled_in_place
def add_everywhere(
    rows: RowArrays,
    popularity: NDArray[np.float64],
    country: int,
    everywhere: float,
    sheet: ScoreSheet,
    named: int,
) -> None:
    """Let the overall trend speak for every candidate, whoever named it."""
    if rows.filled[0] == 0:
        return
    weight = everywhere if 0 <= country < len(rows.filled) and rows.filled[country] else 1.0
    best, score, scope = rows.score[0, 0], sheet.score[TRENDING], sheet.scope
    for j in range(named):
        place = sheet.named[j]
        trend = weight * np.exp(popularity[sheet.item[place]] - best)
        if trend > score[place]:
            score[place] = trend
            if scope[place] < 0:
                scope[place] = 0
