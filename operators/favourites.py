"""In which top-level categories a user's list looks for what trends, and how much each counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.shelf import Shelf
from operators.user_batch import FAVOURITES, UserBatch, top_level_counts
from schemas.redis_keys import category_scope


def favourites(users: UserBatch, shelf: Shelf, prior: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Scopes int32[m, FAVOURITES] (-1: none) and their shares float32[m, FAVOURITES], the greatest first.

    Without `prior` these are the user's own. With it, what the stream's model expects of a user who was last where this
    one was counts as much as `prior` events of their own, decayed: so it tells much of newcomers, little of those who
    are known. Of a user who has no item yet it tells nothing. Hold the shelf's lock.
    """
    if not prior > 0.0 or not len(shelf.stream):
        return users.favourite, users.favourite_share
    scopes, shares = users.favourite.copy(), users.favourite_share.copy()
    for k, state in enumerate(users.states):
        expected = shelf.stream.expected(state.recent[-1].category) if state.recent else {}
        if not expected:
            continue
        counts = top_level_counts(state)
        total = sum(counts.values()) + prior
        mixed = {name: count / total for name, count in counts.items()}
        for name, p in expected.items():
            mixed[name] = mixed.get(name, 0.0) + prior * p / total
        best = sorted([(-share, name) for name, share in mixed.items()])[:FAVOURITES]
        for place, (less, name) in enumerate(best):
            scopes[k, place], shares[k, place] = shelf.scopes.code(category_scope(name)), -less
    return scopes, shares
