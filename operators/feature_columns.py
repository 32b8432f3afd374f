"""The loops that fill feature columns, compiled by numba: nothing is allocated per candidate.

Every function takes `start` int32[m + 1], the bounds of each user's rows, and writes into `out`, its own
columns of the matrix. What the columns mean is written in operators/features.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numba
import numpy as np
from numpy.typing import NDArray

from operators.affinity import INTERCEPT
from operators.compiled import compiled
from operators.sketch import SKETCH_DIM

RANK_STEPS = 256
FOLD_IN_DECAY = 0.9
LEAST_LOG = -12.0
MOST_PRICE_GAP = 4.0

NO_CATEGORY = 0
"""The shelf's number of the category '?', which is not like itself: nothing is known of its items."""

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


def _sum_of_products(a: Floats, b: Floats) -> float:
    total = np.float32(0.0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return float(total)


# Sums in any order, so that the compiler may use vector instructions: five times as fast at 64 factors.
dot = cast(
    Callable[[Floats, Floats], float],
    numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(_sum_of_products),
)


@compiled
def fill_sources(scores: Floats, begin: int, stop: int, start: Ints, out: Floats) -> None:
    """2 · S + 1 columns for the S sources from `begin` up to `stop`: each one's score, each one's rank, how many of
    them name the item."""
    sources = stop - begin
    most = 0
    for user in range(len(start) - 1):
        most = max(most, start[user + 1] - start[user])
    places = np.zeros((sources, RANK_STEPS + 1), np.int32)
    steps = np.empty((sources, most), np.int32)
    rank_of = np.empty(most + 1, np.float64)
    for user in range(len(start) - 1):
        first, end = start[user], start[user + 1]
        # Nothing here is decided by a branch that would be guessed wrongly half of the time: what a source does not
        # name is counted in a step of its own.
        for row in range(first, end):
            count = 0
            for source in range(sources):
                score = scores[row, begin + source]
                out[row, source] = score
                named = score > 0.0
                step = min(int(score * (RANK_STEPS - 1)), RANK_STEPS - 1) if named else RANK_STEPS
                places[source, step] += 1
                steps[source, row - first] = step
                count += named
            out[row, 2 * sources] = count
        for source in range(sources):
            listed = end - first - places[source, RANK_STEPS]
            for above in range(listed):
                rank_of[above] = 1.0 - above / listed
            rank_of[listed] = 0.0
            above = 0
            for step in range(RANK_STEPS - 1, -1, -1):  # a step's count becomes the number of items above it
                here = places[source, step]
                places[source, step] = above
                above += here
            places[source, RANK_STEPS] = listed
            for row in range(first, end):
                out[row, sources + source] = rank_of[places[source, steps[source, row - first]]]
        places[:] = 0


@compiled
def fill_popularity(
    items: Ints, start: Ints, popularity: NDArray[np.float64], log_sessions: Floats, out: Floats
) -> None:
    """2 columns: log popularity and log number of sessions, below the user's most popular candidate."""
    for user in range(len(start) - 1):
        top, most = -np.inf, np.float32(0.0)
        for row in range(start[user], start[user + 1]):
            top = max(top, popularity[items[row]])
            most = max(most, log_sessions[items[row]])
        for row in range(start[user], start[user + 1]):
            below = popularity[items[row]] - top if top > -np.inf else LEAST_LOG
            out[row, 0] = max(below, LEAST_LOG)
            out[row, 1] = log_sessions[items[row]] - most


@compiled
def fill_price(items: Ints, start: Ints, recent: Ints, price: Floats, out: Floats) -> None:
    """2 columns: signed and absolute gap of log price to the decayed mean log price of the recent items."""
    for user in range(len(start) - 1):
        total, weights, weight = 0.0, 0.0, 1.0
        for place in range(recent.shape[1]):
            item = recent[user, place]
            if item < 0:
                break
            if price[item] > 0.0:
                total += weight * np.log(price[item])
                weights += weight
            weight *= FOLD_IN_DECAY
        for row in range(start[user], start[user + 1]):
            gap = 0.0
            if weights > 0.0 and price[items[row]] > 0.0:
                gap = np.log(price[items[row]]) - total / weights
                gap = min(max(gap, -MOST_PRICE_GAP), MOST_PRICE_GAP)
            out[row, 0] = gap
            out[row, 1] = abs(gap)


@compiled
def fill_categories(
    items: Ints,
    start: Ints,
    recent: Ints,
    favourite: Ints,
    favourite_weight: Floats,
    category: Ints,
    top_category: Ints,
    out: Floats,
) -> None:
    """3 columns: share of the top-level category, share of the recent items, likeness to the last item."""
    of_recent = np.empty(recent.shape[1], category.dtype)
    for user in range(len(start) - 1):
        known = 0
        while known < recent.shape[1] and recent[user, known] >= 0:
            of_recent[known] = category[recent[user, known]]
            known += 1
        last = recent[user, 0]
        for row in range(start[user], start[user + 1]):
            here, top = category[items[row]], top_category[items[row]]
            share = 0.0
            for k in range(favourite.shape[1]):
                if top >= 0 and favourite[user, k] == top:
                    share = favourite_weight[user, k]
            same = 0
            if here != NO_CATEGORY:
                for place in range(known):
                    same += of_recent[place] == here
            likeness = 0.0
            if known > 0 and here != NO_CATEGORY:
                if category[last] == here:
                    likeness = 1.0
                elif top >= 0 and top_category[last] == top:
                    likeness = 0.5
            out[row, 0] = share
            out[row, 1] = same / known if known > 0 else 0.0
            out[row, 2] = likeness


@compiled
def fill_affinity(
    items: Ints, start: Ints, affinity: Floats, category: Ints, category_sketch: Floats, out: Floats
) -> None:
    """1 column: the online model's probability for the item's category."""
    for user in range(len(start) - 1):
        weights = affinity[user, :SKETCH_DIM]
        for row in range(start[user], start[user + 1]):
            raw = dot(weights, category_sketch[category[items[row]]]) + affinity[user, INTERCEPT]
            out[row, 0] = 1.0 / (1.0 + np.exp(-raw))


@compiled
def fill_factors(
    items: Ints, start: Ints, recent: Ints, factor_row: Ints, factors: Floats, out: Floats
) -> None:
    """2 columns: cosine of the item's factors with the folded-in user, and with the last item."""
    folded = np.empty(factors.shape[1], np.float32)
    for user in range(len(start) - 1):
        folded[:] = 0.0
        weight = np.float32(1.0)
        for place in range(recent.shape[1]):
            item = recent[user, place]
            if item < 0:
                break
            if item < len(factor_row) and factor_row[item] >= 0:
                for k in range(len(folded)):
                    folded[k] += weight * factors[factor_row[item], k]
            weight *= np.float32(FOLD_IN_DECAY)
        length = np.float32(np.sqrt(dot(folded, folded)))
        last = recent[user, 0]
        for row in range(start[user], start[user + 1]):
            out[row, 0] = 0.0
            out[row, 1] = 0.0
            if items[row] >= len(factor_row) or length == 0.0:
                continue
            item = factor_row[items[row]]
            if item >= 0:
                out[row, 0] = dot(folded, factors[item]) / length
                if last < len(factor_row) and factor_row[last] >= 0:
                    out[row, 1] = dot(factors[factor_row[last]], factors[item])


@compiled
def fill_anchor(
    start: Ints, anchor: NDArray[np.int8], age_hours: Floats, bought: NDArray[np.bool_], out: Floats
) -> None:
    """3 columns: nearness of the anchor among the recent items, log of its age, whether it was bought."""
    for user in range(len(start) - 1):
        for row in range(start[user], start[user + 1]):
            place = anchor[row]
            out[row, 0] = 1.0 / (1.0 + place) if place >= 0 else 0.0
            out[row, 1] = np.log1p(max(age_hours[user, place], 0.0)) if place >= 0 else 0.0
            out[row, 2] = 1.0 if place >= 0 and bought[user, place] else 0.0


@compiled
def fill_users(start: Ints, own: Floats, out: Floats) -> None:
    """Each user's own row of `own`, repeated for their candidates."""
    for user in range(len(start) - 1):
        for row in range(start[user], start[user + 1]):
            for k in range(own.shape[1]):
                out[row, k] = own[user, k]
