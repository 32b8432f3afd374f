"""river's optimisers on plain lists: SGD, AdaGrad and Adam, one step at a time.

`cells` are a user's model: the `WEIGHTS` weights, and behind them what the optimiser remembers. As in river, l2
pulls only on the weights of the example's own features and the intercept has a rate of its own, which no
optimiser adapts; `tests/unit/test_learner_river.py` holds each to river's class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from operators.logistic import INTERCEPT, WEIGHTS, raw_score
from operators.losses import Gradient
from operators.sketch import Sketch

_EPS = 1e-8
_BETA_1 = 0.9
_BETA_2 = 0.999
_SECOND = WEIGHTS + INTERCEPT
_COUNT = WEIGHTS + 2 * INTERCEPT

Step = Callable[[list[float], Sketch, int, float, float, float, float], None]
"""Learn in place: cells, example, label, weight, rate, intercept rate, l2."""

Move = Callable[[list[float], Sketch, float, float, float], None]
"""Move all cells but the intercept, in place: cells, example, slope of the loss, rate, l2."""

Score = Callable[[list[float], Sketch], float]
"""The raw score of an example."""


class Optimiser(NamedTuple):
    """An optimiser: the river class it is, how many cells it remembers, and how it moves the weights."""

    river: str
    cells: int
    move: Move


def step_of(move: Move, gradient_of: Gradient, score: Score = raw_score) -> Step:
    """What learns from one example by a loss.

    >>> from operators.losses import hinge_gradient
    >>> cells = [0.0] * WEIGHTS
    >>> step_of(sgd, hinge_gradient)(cells, ((0, 1.0),), 1, 1.0, 0.5, 0.1, 0.0)
    >>> cells[0], cells[INTERCEPT]
    (0.5, 0.1)
    """

    def step(
        cells: list[float],
        example: Sketch,
        label: int,
        weight: float,
        rate: float,
        intercept: float,
        l2: float,
    ) -> None:
        slope = gradient_of(score(cells, example), label) * weight
        cells[INTERCEPT] -= intercept * slope
        move(cells, example, slope, rate, l2)

    return step


def sgd(cells: list[float], example: Sketch, slope: float, rate: float, l2: float) -> None:
    """Stochastic gradient descent, which remembers nothing.

    >>> cells = [0.0] * WEIGHTS
    >>> sgd(cells, ((0, 1.0),), -1.0, 0.5, 0.0)
    >>> cells[0]
    0.5
    """
    for place, value in example:
        cells[place] -= rate * (slope * value + l2 * cells[place])


def adagrad(cells: list[float], example: Sketch, slope: float, rate: float, l2: float) -> None:
    """AdaGrad (Duchi, Hazan and Singer, JMLR 2011): a weight moves less the more it has been moved.

    Remembers the sum of squared gradients of each weight.

    >>> cells = [0.0] * (WEIGHTS + INTERCEPT)
    >>> adagrad(cells, ((0, 1.0),), -0.5, 0.5, 0.0)
    >>> round(cells[0], 6), cells[WEIGHTS]
    (0.5, 0.25)
    """
    for place, value in example:
        gradient = slope * value + l2 * cells[place]
        moved = cells[WEIGHTS + place] = cells[WEIGHTS + place] + gradient * gradient
        cells[place] -= rate / (moved + _EPS) ** 0.5 * gradient


def adam(cells: list[float], example: Sketch, slope: float, rate: float, l2: float) -> None:
    """Adam (Kingma and Ba, ICLR 2015): momentum over the root of the mean squared gradient, for all weights.

    Remembers mean and mean square of each weight's gradient, and the number of steps. A weight goes on moving
    for a while when its feature is gone. (river 0.23 then forgets the weight itself; so the two are the same
    only where every example names all features.)

    >>> cells = [0.0] * (WEIGHTS + 2 * INTERCEPT + 1)
    >>> adam(cells, ((0, 1.0),), -0.5, 0.5, 0.0)
    >>> round(cells[0], 6), cells[-1]
    (0.5, 1.0)
    """
    gradients = {place: slope * value + l2 * cells[place] for place, value in example}
    count = cells[_COUNT] = cells[_COUNT] + 1.0
    rate *= (1.0 - _BETA_2**count) ** 0.5 / (1.0 - _BETA_1**count)
    for place in range(INTERCEPT):
        gradient = gradients.get(place, 0.0)
        first, second = WEIGHTS + place, _SECOND + place
        cells[first] = _BETA_1 * cells[first] + (1.0 - _BETA_1) * gradient
        cells[second] = _BETA_2 * cells[second] + (1.0 - _BETA_2) * gradient * gradient
        cells[place] -= rate * cells[first] / (cells[second] ** 0.5 + _EPS)


OPTIMISERS: Mapping[str, Optimiser] = {
    "sgd": Optimiser("SGD", 0, sgd),
    "adagrad": Optimiser("AdaGrad", INTERCEPT, adagrad),
    "adam": Optimiser("Adam", 2 * INTERCEPT + 1, adam),
}
"""By name in the settings. The order is that of the codes in stored weights: add at the end."""
