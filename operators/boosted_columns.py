"""The loops behind the boosted model of the next category: which categories are asked for, and what is known of each.

What the columns mean is written in operators/boosted_features.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.calibration import LEAST_SHARE
from operators.compiled import compiled
from operators.feature_columns import LEAST_LOG, Floats, Ints
from operators.ranked_rows import RowArrays

LAST = 5
"""Recent items whose neighbours are looked at, each counting `FADE` times the one after it."""

FADE = 0.7
LEAST = float(np.log(LEAST_SHARE))
NEVER = 9.0
"""The age, log(1 + hours), of what is not among the recent items."""


@compiled
def distinct_categories(items: Ints, start: Ints, category: Ints, categories: int) -> tuple[Ints, Ints, Ints]:
    """Of m users the categories of their n items, each once: `begin` int32[m + 1] and the categories' numbers between
    a user's bounds, and int32[n] the place of each item's category among them.

    There are so many `categories`; `start` int32[m + 1] bounds each user's items.
    """
    begin = np.zeros(len(start), np.int32)
    place_of = np.full(categories, -1, np.int32)
    found = np.empty(len(items), np.int32)
    place = np.empty(len(items), np.int32)
    count = 0
    for user in range(len(start) - 1):
        for row in range(start[user], start[user + 1]):
            here = category[items[row]]
            if place_of[here] < begin[user]:
                place_of[here] = count
                found[count] = here
                count += 1
            place[row] = place_of[here]
        begin[user + 1] = count
    return begin, found[:count], place


@compiled
def fill_popularity_of(asked: Ints, category: Ints, scope_of: Ints, trending: RowArrays, out: Floats) -> None:
    """1 column: log of what trends in the category, as a share of what trends everywhere, at least `LEAST_LOG`."""
    mass = np.zeros(len(scope_of), np.float64)
    seen = np.zeros(len(trending.filled), np.bool_)
    everywhere = 0.0
    best = trending.score[0, 0]
    for k in range(trending.filled[0]):
        everywhere += np.exp(trending.score[0, k] - best)
    for row in range(len(asked)):
        here = scope_of[asked[row]]
        if 0 <= here < len(seen) and not seen[here] and everywhere > 0.0:
            seen[here] = True
            for k in range(trending.filled[here]):
                mass[category[trending.member[here, k]]] += np.exp(trending.score[here, k] - best)
    for row in range(len(asked)):
        share = mass[asked[row]] / everywhere if everywhere > 0.0 else 0.0
        out[row, 0] = max(np.log(share), LEAST_LOG) if share > 0.0 else LEAST_LOG


@compiled
def fill_of_record(
    begin: Ints,
    asked: Ints,
    recent: Ints,
    age_hours: Floats,
    in_session: NDArray[np.bool_],
    purchased: NDArray[np.bool_],
    category: Ints,
    scope_of: Ints,
    counted_begin: Ints,
    counted: Ints,
    log_share: Floats,
    neighbours: RowArrays,
    scopes: int,
    out: Floats,
) -> None:
    """11 columns: those of `operators.boosted_features.OF_RECORD`."""
    n = len(scope_of)
    share_of = np.full(n, LEAST, np.float32)
    touched, session, bought, goes, goes_last = (
        np.zeros(n, np.float64), np.zeros(n, np.float64), np.zeros(n, np.float64),
        np.zeros(n, np.float64), np.zeros(n, np.float64),
    )  # fmt: skip
    first = np.full(n, -1, np.int32)
    top = np.zeros(scopes + 1, np.float64)  # the last is that of no scope
    for user in range(len(begin) - 1):
        for k in range(counted_begin[user], counted_begin[user + 1]):
            share_of[counted[k]] = log_share[k]
            top[scope_of[counted[k]]] += np.exp(log_share[k])
        known, of_session, stayed = 0, 0, 0
        last = -1
        for k in range(recent.shape[1]):
            item = recent[user, k]
            if item < 0:
                break
            here = category[item]
            known += 1
            touched[here] += 1.0
            if in_session[user, k]:
                of_session += 1
                session[here] += 1.0
            if purchased[user, k]:
                bought[here] += 1.0
            if first[here] < 0:
                first[here] = k
            if k > 0 and category[recent[user, k - 1]] == here:
                stayed += 1
            if k == 0:
                last = here
        total, total_last, weight = 0.0, 0.0, 1.0
        for k in range(min(known, LAST)):
            item = recent[user, k]
            for j in range(neighbours.filled[item]):
                told = weight * np.exp(neighbours.score[item, j] - neighbours.score[item, 0])
                here = category[neighbours.member[item, j]]
                goes[here] += told
                total += told
                if k == 0:
                    goes_last[here] += told
                    total_last += told
            weight *= FADE
        for row in range(begin[user], begin[user + 1]):
            here = asked[row]
            place = first[here]
            own_scope = scope_of[here]
            out[row, 0] = share_of[here]
            out[row, 1] = top[own_scope] if own_scope >= 0 else 0.0
            out[row, 2] = touched[here] / max(known, 1)
            out[row, 3] = session[here] / max(of_session, 1)
            out[row, 4] = bought[here] / max(known, 1)
            out[row, 5] = 1.0 / (1.0 + place) if place >= 0 else 0.0
            out[row, 6] = np.log1p(age_hours[user, place]) if place >= 0 else NEVER
            same_top = last >= 0 and own_scope >= 0 and scope_of[last] == own_scope
            out[row, 7] = 1.0 if here == last else 0.5 if same_top else 0.0
            out[row, 8] = goes[here] / total if total > 0.0 else 0.0
            out[row, 9] = goes_last[here] / total_last if total_last > 0.0 else 0.0
            out[row, 10] = stayed / (known - 1) if known > 1 else 0.0
        for k in range(counted_begin[user], counted_begin[user + 1]):
            share_of[counted[k]] = LEAST
            top[scope_of[counted[k]]] = 0.0
        for k in range(known):
            item = recent[user, k]
            here = category[item]
            touched[here] = session[here] = bought[here] = 0.0
            first[here] = -1
            if k < LAST:
                for j in range(neighbours.filled[item]):
                    there = category[neighbours.member[item, j]]
                    goes[there] = goes_last[there] = 0.0
