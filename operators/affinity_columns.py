"""The calibrated affinity to the categories of many candidates at once: the ranker's `category_probability`.

The definition is that of operators/calibrated_affinity.py; here it is computed in float32, by compiled loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from operators.calibration import LEAST_SHARE
from operators.candidates import Candidates
from operators.category_columns import fill_probability
from operators.code_book import CodeBook
from operators.feature_columns import Floats, Ints
from operators.shelf import Shelf
from operators.user_batch import UserBatch
from operators.user_step import StepSettings
from schemas.state import UserState

CountedShares = tuple[Ints, Ints, Floats]
"""What `counted_shares` gives."""

_AS_IT_IS = np.array([0.0, 1.0, 0.0], np.float64)
"""The curve that leaves the model's log odds as they are."""


class CategoryProbability:
    """Computes the probabilities for users followed with `step`."""

    def __init__(self, step: StepSettings) -> None:
        self._learner = step.affinity.learner()
        curve = step.calibration
        self._curve = np.array([curve.intercept, curve.model, curve.share], np.float64)
        self._least = float(np.log(LEAST_SHARE))

    def fill(self, found: Candidates, users: UserBatch, shelf: Shelf, out: Floats) -> None:
        """Write float32[n, 1]: of every candidate the probability that its user's next engaging event is in its
        category. The caller holds the shelf's lock."""
        catalogue = shelf.catalogue
        weights = self._learner.table([state.affinity.weights for state in users.states])
        begin, counted, log_share = counted_shares(users.states, catalogue.categories)
        fill_probability(
            found.item, found.start, weights, self._learner.factors, begin, counted, log_share, self._least,
            self._curve, catalogue.arrays.category, catalogue.sketches, out,
        )  # fmt: skip

    def of_categories(
        self,
        start: Ints,
        categories: Ints,
        users: UserBatch,
        shelf: Shelf,
        counted: CountedShares,
        out: Floats,
    ) -> None:
        """Write float32[r, 2]: the probability of each of the `categories` int32[r] of m users, bounded by `start`
        int32[m + 1], and what the user's own model says of it, not calibrated. Hold the shelf's lock."""
        sketches = shelf.catalogue.sketches
        weights = self._learner.table([state.affinity.weights for state in users.states])
        own = np.arange(len(sketches), dtype=np.int32)
        for column, curve in enumerate((self._curve, _AS_IT_IS)):
            fill_probability(
                categories, start, weights, self._learner.factors, *counted, self._least,
                curve, own, sketches, out[:, column : column + 1],
            )  # fmt: skip


def counted_shares(states: Sequence[UserState], categories: CodeBook) -> CountedShares:
    """Of m users the categories that they are counted in: `begin` int32[m + 1], and between a user's bounds the
    categories' numbers and the logarithms of their shares. Categories that the shelf does not know are left out.

    >>> book = CodeBook(most=9)
    >>> book.add("Toys")
    0
    >>> ann = UserState("ann", born=1, categories={"Garden": 3.0, "Toys": 1.0})
    >>> [each.tolist() for each in counted_shares([ann], book)]
    [[0, 1], [0], [-1.3862943649291992]]
    """
    each = [state.categories for state in states]
    numbers = np.array(categories.codes(chain.from_iterable(each)), np.int32)
    counts = np.fromiter(chain.from_iterable(map(dict.values, each)), np.float64, len(numbers))
    user = np.repeat(np.arange(len(each)), list(map(len, each)))
    known = (numbers >= 0) & (counts > 0.0)
    shares = counts[known] / np.bincount(user, counts, len(each))[user[known]]
    log_share = np.log(np.maximum(shares, LEAST_SHARE)).astype(np.float32)
    begin = np.searchsorted(user[known], np.arange(len(each) + 1)).astype(np.int32)
    return begin, numbers[known], log_share
