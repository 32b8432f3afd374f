"""From what a user's own model says of a category to the probability that their next event is there.

The model is taught against made-up contrasts, so its probabilities order a user's categories but are far too
high. Calibrated after Platt, "Probabilistic Outputs for Support Vector Machines" (1999), by a logistic curve,
here over two inputs: the model's log odds, and the log of the category's share in the user's decayed counts.
The curve is fitted offline (`headrace evaluate --calibration`) and is the same for all users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

import numpy as np
from numpy.typing import NDArray

from operators.logistic import sigmoid, sigmoids

LEAST_SHARE = 1e-4
"""The share that a category counts with which the user was never in, or hardly ever."""

_ROUNDS = 50
_RIDGE = 1e-3
"""Pulls the curve towards one that tells nothing apart, so that few examples do not make it steep."""


@dataclass(frozen=True)
class CalibrationSettings:
    """The logistic curve: log odds = `intercept` + `model` · the model's log odds + `share` · ln(share).

    The defaults are fitted on Online Retail (docs/learning.md).
    Raises `ValueError` for a number that is not finite or a slope below 0.
    """

    intercept: float = -1.18
    model: float = 0.26
    share: float = 0.79

    def __post_init__(self) -> None:
        for name in ("intercept", "model", "share"):
            value = getattr(self, name)
            if not isfinite(value) or abs(value) > 100.0 or (name != "intercept" and value < 0.0):
                raise ValueError(f"{name} is {value}; it must be finite, and a slope not below 0")


class Calibration:
    """Applies a fitted curve.

    >>> curve = Calibration(CalibrationSettings(intercept=-1.0, model=0.5, share=1.0))
    >>> curve.probability(2.0, 1.0), round(curve.probability(2.0, 0.5), 3)
    (0.5, 0.333)
    """

    def __init__(self, settings: CalibrationSettings) -> None:
        self._settings = settings

    def probability(self, log_odds: float, share: float) -> float:
        """The probability, given the model's log odds and the category's share of the decayed counts."""
        s = self._settings
        return sigmoid(s.intercept + s.model * log_odds + s.share * log(max(share, LEAST_SHARE)))


def fit(log_odds: Sequence[float], shares: Sequence[float], labels: Sequence[int]) -> CalibrationSettings:
    """The curve of least log loss, by Newton's method; slopes that would be below 0 are 0.

    >>> curve = fit([-1.0] * 40 + [1.0] * 40, [0.5] * 80, [0, 0, 0, 1] * 10 + [0, 1, 1, 1] * 10)
    >>> round(curve.model, 1)
    1.1

    Raises `ValueError` where the labels are all the same.
    """
    y = np.asarray(labels, np.float64)
    if not 0.0 < y.mean() < 1.0:
        raise ValueError("the labels are all the same: a curve needs both")
    columns = [
        np.ones(len(y)),
        np.asarray(log_odds, np.float64),
        np.log(np.maximum(np.asarray(shares, np.float64), LEAST_SHARE)),
    ]
    used = [0, 1, 2]
    while True:
        found = _newton(np.stack([columns[k] for k in used], axis=1), y)
        below = [k for k, value in zip(used, found, strict=True) if k and value < 0.0]
        if not below:
            break
        used.remove(below[0])
    values = dict(zip(used, (float(value) for value in found), strict=True))
    return CalibrationSettings(
        *(round(values.get(k, 0.0), 4) for k in range(3)),
    )


def _newton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic regression with a small ridge on all but the intercept."""
    weights = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], _RIDGE)
    ridge[0] = 0.0
    for _ in range(_ROUNDS):
        p = sigmoids(x @ weights)
        gradient = x.T @ (p - y) + ridge * weights
        curvature = (x * (p * (1.0 - p) + 1e-9)[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights = weights - np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < 1e-8:
            break
    return weights
