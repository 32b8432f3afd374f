"""One step of river's `linear_model.LogisticRegression` with `optim.SGD`, on a plain list of weights.

river's dictionaries cost ten times as much on 35 weights; `tests/unit/test_affinity_river.py` holds these
functions to river's own classes.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from operators.losses import log_gradient
from operators.sketch import SKETCH_DIM, Sketch

PRICE = SKETCH_DIM
PRICE_SQUARED = SKETCH_DIM + 1
INTERCEPT = SKETCH_DIM + 2
WEIGHTS = SKETCH_DIM + 3
"""Layout of the stored weights: the sketch's places, price, squared price, intercept."""


def priced(category: Sketch, position: float) -> Sketch:
    """The example of a category at a price, given where the price lies in the user's own range.

    >>> priced(((0, 1.0),), 0.5)
    ((0, 1.0), (32, 0.5), (33, 0.25))
    """
    return (*category, (PRICE, position), (PRICE_SQUARED, position * position))


def sigmoid(raw: float) -> float:
    """The logistic function, saturated outside ±30 as river's.

    >>> sigmoid(0.0), sigmoid(-31.0)
    (0.5, 0.0)
    """
    if raw < -30.0:
        return 0.0
    if raw > 30.0:
        return 1.0
    return 1.0 / (1.0 + exp(-raw))


def sigmoids(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function of many, of what lies outside ±30 as at ±30: no probability is 0 or 1.

    >>> sigmoids(np.array([0.0, 99.0])).round(3).tolist()
    [0.5, 1.0]
    """
    found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(raw, -30.0, 30.0)))
    return found


def log_odds_of(probability: float) -> float:
    """What `sigmoid` makes this probability of, within ±30.

    >>> log_odds_of(0.5), log_odds_of(1.0), log_odds_of(0.0)
    (0.0, 30.0, -30.0)
    """
    if not 0.0 < probability < 1.0:
        return 60.0 * probability - 30.0
    return log(probability / (1.0 - probability))


def raw_score(weights: list[float] | tuple[float, ...], example: Sketch) -> float:
    """The model's log odds for an example.

    >>> raw_score([2.0] * WEIGHTS, ((0, 0.5),))
    3.0
    """
    raw = weights[INTERCEPT]
    for place, value in example:
        raw += weights[place] * value
    return raw


def sgd_step(
    weights: list[float],
    example: Sketch,
    label: int,
    weight: float,
    rate: float,
    intercept_rate: float,
    l2: float,
) -> None:
    """One `learn_one` of river's logistic regression with SGD, on a list of weights, in place.

    As in river, l2 pulls only on the weights of the example's own features.

    >>> weights = [0.0] * WEIGHTS
    >>> sgd_step(weights, ((0, 1.0),), 1, weight=1.0, rate=0.5, intercept_rate=0.1, l2=0.0)
    >>> weights[0], weights[INTERCEPT]
    (0.25, 0.05)
    """
    gradient = log_gradient(raw_score(weights, example), label) * weight
    weights[INTERCEPT] -= intercept_rate * gradient
    for place, value in example:
        weights[place] -= rate * (gradient * value + l2 * weights[place])
