"""The items that may enter a user's list, with what each source says for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOURCES = ("session_knn", "covisit", "trending", "category_trending", "factors")
"""Where candidates come from, in the order of the columns of `Candidates.scores`."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of a batch of m users as n rows, all rows of a user together and users in the batch's order.

    `user` int32[n] is the place of the user in the batch, `item` int32[n] the number of the item on the shelf.
    `scores` float32[n, len(SOURCES)] is each source's own score, at least 0, where 0 means that the source
    did not name the item; the best item of a source for a user has 1. `start` int32[m + 1] bounds the rows of
    each user. `anchor` int32[n] is the place among the user's recent items of the one that the item goes
    with best, and `scope` int32[n] the number of the scope in which it trends (-1: none).
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    scores: NDArray[np.float32]
    start: NDArray[np.int32]
    anchor: NDArray[np.int32]
    scope: NDArray[np.int32]
