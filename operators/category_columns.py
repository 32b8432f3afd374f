"""The loops of feature columns that depend on a candidate's category and its user alone.

A user's own values of categories are `numbers` and values from the user's `begin` to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.affinity import WIDEST
from operators.compiled import compiled
from operators.feature_columns import Floats, Ints, dot
from operators.logistic import INTERCEPT, WEIGHTS
from operators.sketch import SKETCH_DIM


@compiled
def fill_probability(
    items: Ints,
    start: Ints,
    weights: Floats,
    factors: int,
    begin: Ints,
    numbers: Ints,
    log_share: Floats,
    least: float,
    curve: NDArray[np.float64],
    category: Ints,
    category_sketch: Floats,
    out: Floats,
) -> None:
    """1 column: the calibrated probability of the candidate's category.

    `weights` are those of `Learner.table`, of so many `factors`; `log_share` are logarithms of shares, `least` that of
    all other categories; `curve` is intercept, slope of the model, slope of the share.
    """
    share_of = np.full(len(category_sketch), least, np.float32)
    # Candidates share few categories: each is computed once a user.
    found_for = np.full(len(category_sketch), -1, np.int32)
    found = np.zeros(len(category_sketch), np.float32)
    for user in range(len(start) - 1):
        own = weights[user]
        for k in range(begin[user], begin[user + 1]):
            share_of[numbers[k]] = log_share[k]
        for row in range(start[user], start[user + 1]):
            here = category[items[row]]
            if found_for[here] != user:
                example = category_sketch[here]
                raw = dot(own[:SKETCH_DIM], example) + own[INTERCEPT]
                for factor in range(factors):
                    total, squares = 0.0, 0.0
                    for place in range(SKETCH_DIM):
                        term = own[WEIGHTS + place * factors + factor] * example[place]
                        total += term
                        squares += term * term
                    raw += 0.5 * (total * total - squares)
                raw = min(max(raw, -WIDEST), WIDEST)
                odds = curve[0] + curve[1] * raw + curve[2] * share_of[here]
                found[here] = 1.0 / (1.0 + np.exp(-odds))
                found_for[here] = user
            out[row, 0] = found[here]
        for k in range(begin[user], begin[user + 1]):
            share_of[numbers[k]] = least


@compiled
def fill_by_category(
    items: Ints,
    start: Ints,
    begin: Ints,
    numbers: Ints,
    values: Floats,
    category: Ints,
    categories: int,
    out: Floats,
) -> None:
    """1 column: the value of the candidate's category, of so many `categories`, among the user's own; 0 of others."""
    value_of = np.zeros(categories, np.float32)
    for user in range(len(start) - 1):
        for k in range(begin[user], begin[user + 1]):
            value_of[numbers[k]] = values[k]
        for row in range(start[user], start[user + 1]):
            out[row, 0] = value_of[category[items[row]]]
        for k in range(begin[user], begin[user + 1]):
            value_of[numbers[k]] = 0.0
