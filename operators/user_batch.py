"""A batch of user records as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.shelf import Shelf
from schemas.state import UserState

RECENT = 20
"""Recent items of a user that are looked at, newest first."""

FAVOURITES = 3
"""Top-level categories of a user that are looked at, the favourite first."""


@dataclass(frozen=True, eq=False)
class UserBatch:
    """m users as arrays; every row depends on that user's record alone.

    `recent` int32[m, RECENT] are item numbers on the shelf, newest first, -1 past the end (items that the shelf
    does not know are left out); `age_hours` float32[m, RECENT] their ages at `now`; `bought` bool[m, RECENT]
    whether the item came by a purchase. `favourite` int32[m, FAVOURITES] are numbers of the scopes
    'category:<top level>' (-1 past the end), `favourite_weight` float32[m, FAVOURITES] their shares of the
    user's decayed counts. `country_scope` int32[m] is the number of 'country:<code>', `market` int32[m] that of
    the user's country among the shelf's markets, `device` int32[m] a code (-1: not known). `affinity`
    float32[m, WEIGHTS] are the weights of the affinity model (operators/affinity.py), `hour` float32[m] the hour of
    day (UTC) and `now` int64[m] the time (ms) for which the list is made. `events` float32[m] counts accepted
    events, `depth` float32[m] those of the session. `session` int64[m] is the session's key.
    `touched` uint32 and `touched_start` int32[m + 1] hold the sorted hashes of the user's items that
    may not be listed.
    """

    recent: NDArray[np.int32]
    age_hours: NDArray[np.float32]
    bought: NDArray[np.bool_]
    favourite: NDArray[np.int32]
    favourite_weight: NDArray[np.float32]
    country_scope: NDArray[np.int32]
    market: NDArray[np.int32]
    device: NDArray[np.int32]
    affinity: NDArray[np.float32]
    hour: NDArray[np.float32]
    now: NDArray[np.int64]
    events: NDArray[np.float32]
    depth: NDArray[np.float32]
    session: NDArray[np.int64]

    @classmethod
    def of(cls, states: Sequence[UserState], shelf: Shelf, now_ms: Sequence[int]) -> UserBatch:
        """The batch of `states`, each as at its own `now_ms`."""
        raise NotImplementedError
