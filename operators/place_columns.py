"""Feature columns that say where the user is: the local clock, and what is wanted there more than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled
from operators.local_time import local_hour
from operators.ranked_rows import RowArrays
from schemas.state import UserState

PLACE = ("local_hour", "local_weekday", "country_lift")
"""`local_hour` (0 to 23) and `local_weekday` (0: Monday) of `operators.local_time`, in UTC where no country is known;
`country_lift`: the item's trend in the user's country less its trend everywhere, each as a share of the best there,
so from -1 to 1, and 0 where the country is not known or nothing trends in it."""


def local_times(states: Sequence[UserState], now: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32[m, 2]: the local hour and weekday of every user at a time (ms)."""
    told = [local_hour(state.country, at) for state, at in zip(states, now.tolist(), strict=True)]
    return np.array(told, np.float32).reshape(len(told), 2)


@compiled
def fill_country(
    items: NDArray[np.int32],
    start: NDArray[np.int32],
    country: NDArray[np.int32],
    trending: RowArrays,
    popularity: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """1 column: `country_lift`. `country` int32[m] are scope numbers, rows of `trending` (-1: none)."""
    best = trending.score[0, 0]
    row_of = np.full(len(popularity), -1, np.int32)
    for user in range(len(start) - 1):
        first, end, here = start[user], start[user + 1], country[user]
        known = 0 <= here < len(trending.filled) and trending.filled[here] > 0
        for row in range(first, end):
            row_of[items[row]] = row
            out[row, 0] = -np.exp(popularity[items[row]] - best) if known else 0.0
        for k in range(trending.filled[here] if known else 0):
            row = row_of[trending.member[here, k]]
            if row >= 0:
                out[row, 0] += np.exp(trending.score[here, k] - trending.score[here, 0])
        for row in range(first, end):
            row_of[items[row]] = -1
