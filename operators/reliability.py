"""How far predicted probabilities can be taken at their word: Brier score and reliability curve.

Brier, "Verification of forecasts expressed in terms of probability" (1950); the curve and the expected
calibration error as in Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), here over bins of
equally many predictions.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

BINS = 10


class Bin(msgspec.Struct, frozen=True):
    """Predictions next to each other: how many, what they said on average, and how often it came true."""

    count: int
    said: float
    true: float


class Reliability(msgspec.Struct, frozen=True):
    """`error` is the mean distance of what was said from what came true, over the bins, weighted by count."""

    name: str
    brier: float
    log_loss: float
    error: float
    curve: list[Bin]


def reliability_of(
    name: str, said: NDArray[np.float64], true: NDArray[np.int64], bins: int = BINS
) -> Reliability:
    """The figures of predictions `said` float64[n] and outcomes `true` int64[n] of 0 and 1.

    >>> found = reliability_of("always half", np.full(4, 0.5), np.array([0, 1, 0, 1]))
    >>> found.brier, found.error, len(found.curve)
    (0.25, 0.0, 1)

    Raises `ValueError` where there is nothing to judge.
    """
    if not len(said) or len(said) != len(true):
        raise ValueError(f"{len(said)} predictions and {len(true)} outcomes; there must be as many, and some")
    p = np.clip(said, 1e-6, 1.0 - 1e-6)
    order = np.argsort(said, kind="stable")
    edges = np.unique(
        np.searchsorted(said[order], np.quantile(said, np.arange(1, bins) / bins), side="right")
    )
    curve = [
        Bin(len(part), float(said[part].mean()), float(true[part].mean()))
        for part in np.split(order, edges)
        if len(part)
    ]
    return Reliability(
        name=name,
        brier=float(np.mean((said - true) ** 2)),
        log_loss=float(-np.mean(np.where(true == 1, np.log(p), np.log(1.0 - p)))),
        error=sum(each.count * abs(each.said - each.true) for each in curve) / len(said),
        curve=curve,
    )
