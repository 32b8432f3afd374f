"""A user's model as a factorisation machine: what categories and prices mean together, in a few numbers.

Rendle, "Factorization Machines" (ICDM 2010): to the linear score it adds ⟨v_i, v_j⟩ x_i x_j over all pairs of
features, so that a user may like cheap toys and dear wine. The arithmetic is river's `facto.FMClassifier` with
`optim.SGD` for weights and latent factors; `tests/unit/test_learner_river.py` holds it to that.
"""

from __future__ import annotations

from random import Random

from operators.logistic import INTERCEPT, WEIGHTS, raw_score
from operators.losses import Gradient
from operators.optimisers import Step, sgd, step_of
from operators.sketch import Sketch

MOST_FACTORS = 4
"""More would not fit the record of a user: a factor takes 136 bytes."""

_SIGMA = 0.1
_random = Random("headrace.factorised.1")
_BEGIN = tuple(tuple(_random.gauss(0.0, _SIGMA) for _ in range(MOST_FACTORS)) for _ in range(INTERCEPT))


def first_latents(factors: int) -> list[float]:
    """The latent factors of a user of whom nothing is learned, the same for all: place after place.

    They are small and not 0, since factors that are all 0 would never move.

    >>> len(first_latents(2)), first_latents(2) == first_latents(2)
    (68, True)
    """
    return [value for place in _BEGIN for value in place[:factors]]


def factorised_score(cells: list[float] | tuple[float, ...], example: Sketch, factors: int) -> float:
    """The raw score: the linear one, and that of all pairs of features.

    >>> cells = [0.0] * WEIGHTS + [0.0] * INTERCEPT
    >>> cells[WEIGHTS], cells[WEIGHTS + 1] = 2.0, 3.0
    >>> factorised_score(cells, ((0, 1.0), (1, 0.5)), factors=1)
    3.0
    """
    pairs = 0.0
    for factor in range(WEIGHTS, WEIGHTS + factors):
        total = squares = 0.0
        for place, value in example:
            term = cells[factor + place * factors] * value
            total += term
            squares += term * term
        pairs += total * total - squares
    return raw_score(cells, example) + 0.5 * pairs


def factorised_step(gradient_of: Gradient, factors: int) -> Step:
    """Stochastic gradient descent by a loss; the latent factors lie behind the weights.

    >>> from operators.losses import log_gradient
    >>> cells = [0.0] * WEIGHTS + first_latents(1)
    >>> factorised_step(log_gradient, 1)(cells, ((0, 1.0), (1, 1.0)), 1, 1.0, 0.5, 0.1, 0.0)
    >>> factorised_score(cells, ((0, 1.0), (1, 1.0)), 1) > 0.5
    True
    """

    def score(cells: list[float], example: Sketch) -> float:
        return factorised_score(cells, example, factors)

    def move(cells: list[float], example: Sketch, slope: float, rate: float, l2: float) -> None:
        sgd(cells, example, slope, rate, l2)
        for factor in range(WEIGHTS, WEIGHTS + factors):
            total = 0.0
            for place, value in example:
                total += cells[factor + place * factors] * value
            for place, value in example:
                at = factor + place * factors
                latent = cells[at]
                cells[at] = latent - rate * (slope * (value * total - latent * value * value) + l2 * latent)

    return step_of(move, gradient_of, score)
