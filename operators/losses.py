"""The losses a user's model may learn by: river's gradients with respect to the raw score.

Labels are 0 and 1. Hinge and squared loss hold them as −1 and 1, so with each of the three a raw score above 0
means that the user engages; only that of the log loss is meant as log odds, and the others need calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp

_STEEP = 18.0

Gradient = Callable[[float, int], float]
"""The derivative of a loss with respect to the raw score, given raw score and label."""


def log_gradient(raw: float, label: int) -> float:
    """As river's `optim.losses.Log`, which beyond ±18 no longer evaluates the logistic function.

    >>> log_gradient(0.0, 1), log_gradient(40.0, 0)
    (-0.5, 1.0)
    """
    if -_STEEP <= raw <= _STEEP:
        return 1.0 / (1.0 + exp(-raw)) - label
    sign = 1.0 if label else -1.0
    margin = raw * sign
    return -sign * exp(-margin) if margin > 0 else -sign


def hinge_gradient(raw: float, label: int) -> float:
    """As river's `optim.losses.Hinge`: nothing is learned from an example right by a margin above 1.

    >>> hinge_gradient(0.5, 1), hinge_gradient(1.5, 1), hinge_gradient(0.0, 0)
    (-1.0, 0.0, 1.0)
    """
    sign = 1.0 if label else -1.0
    return -sign if sign * raw <= 1.0 else 0.0


def squared_gradient(raw: float, label: int) -> float:
    """As river's `optim.losses.Squared` with the labels −1 and 1.

    >>> squared_gradient(0.25, 1)
    -1.5
    """
    return 2.0 * (raw - (1.0 if label else -1.0))


LOSSES: Mapping[str, Gradient] = {
    "log": log_gradient,
    "hinge": hinge_gradient,
    "squared": squared_gradient,
}
"""By name in the settings. The order is that of the codes in stored weights: add at the end."""
