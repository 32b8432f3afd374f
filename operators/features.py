"""What the ranker knows of a candidate: one function, for training and for the stream.

A feature says how the candidate compares with the user's other candidates, or how it fits the user. None is
an absolute figure that grows with the age of the stream (a count, a decayed sum): a model trained in spring
would meet other values in autumn. Whoever changes the meaning of a feature gives it another name, since a
bundle is refused by names.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES, Candidates
from operators.feature_columns import (
    fill_affinity,
    fill_anchor,
    fill_categories,
    fill_factors,
    fill_popularity,
    fill_price,
    fill_sources,
    fill_users,
)
from operators.shelf import Shelf
from operators.user_batch import UserBatch

_SOURCES = (*(f"{name}_score" for name in SOURCES), *(f"{name}_rank" for name in SOURCES), "sources")
_POPULARITY = ("popularity", "session_popularity")
_PRICE = ("price_gap", "price_distance")
_CATEGORIES = ("category_share", "recent_category_share", "same_category_as_last")
_AFFINITY = ("category_affinity",)
_FACTORS = ("factor_fit", "factor_fit_last")
_ANCHOR = ("anchor_nearness", "anchor_age", "anchor_bought")
_USER = ("user_events", "session_depth", "idle_hours", "hour", "weekday", "device")
_NEVER = 9.0
"""`idle_hours` of a user without items: beyond log(1 + hours) of any time to live."""

FEATURES: tuple[str, ...] = (
    *_SOURCES, *_POPULARITY, *_PRICE, *_CATEGORIES, *_AFFINITY, *_FACTORS, *_ANCHOR, *_USER,
)  # fmt: skip
"""The columns of `features`, in their order.

- `{source}_score`: the source's score, 0 (does not name the item) to 1 (its best item for this user);
  `{source}_rank`: 1 for the source's best, falling evenly to 0, with scores told apart to 1/255; `sources`:
  how many name it.
- `popularity`, `session_popularity`: log of decayed popularity, and of the number of sessions that hold the
  item, below that of the user's most popular candidate (0; at least -12).
- `price_gap`: log price less the decayed mean log price of the user's recent items, within ±4;
  `price_distance`: its absolute value. Both 0 where a price is not known.
- `category_share`: share of the item's top-level category in the user's decayed counts, 0 outside their
  favourites; `recent_category_share`: share of the recent items with the very same category;
  `same_category_as_last`: 1 for the last item's category, 0.5 for the same top level.
- `category_affinity`: the online model's probability for the item's category alone, 0.5 where nothing is
  learned.
- `factor_fit`: cosine of the item's factors with the user folded in, which is the mean of the recent items'
  factors weighted by `FOLD_IN_DECAY` to the power of their place; `factor_fit_last`: with the last item's
  factors.
- `anchor_nearness`: 1 / (1 + place) of the recent item that this goes with best, 0 for none; `anchor_age`:
  log(1 + hours) since it; `anchor_bought`: whether it was bought.
- `user_events`, `session_depth`: log(1 + events) of the user and of the session; `idle_hours`: log(1 +
  hours) since the last item; `hour` and `weekday` (Monday is 0) in UTC; `device`: the shelf's code, -1 for
  none.
"""


def features(
    candidates: Candidates,
    users: UserBatch,
    shelf: Shelf,
    factor_row: NDArray[np.int32],
    factors: NDArray[np.float32],
) -> NDArray[np.float32]:
    """float32[n, len(FEATURES)] of n candidates; a row depends on its own user and their candidates alone.

    `factors` float32[n, F] are a bundle's item factors and `factor_row` int32[I] the row of each item number
    (-1, or beyond its end: none), as in `FactorArrays`. The caller holds the shelf's lock.
    """
    items, start = candidates.item, candidates.start
    rows = np.empty((len(items), len(FEATURES)), np.float32)
    column = 0

    def next_columns(names: tuple[str, ...]) -> NDArray[np.float32]:
        nonlocal column
        column += len(names)
        return rows[:, column - len(names) : column]

    held = shelf.catalogue.arrays
    recent = users.recent
    fill_sources(candidates.scores, start, next_columns(_SOURCES))
    fill_popularity(
        items, start, shelf.popularity, shelf.sessions.arrays.log_count, next_columns(_POPULARITY)
    )
    fill_price(items, start, recent, held.price, next_columns(_PRICE))
    fill_categories(
        items,
        start,
        recent,
        users.favourite,
        users.favourite_share,
        held.category,
        held.scope,
        next_columns(_CATEGORIES),
    )
    fill_affinity(
        items, start, users.affinity, held.category, shelf.catalogue.sketches, next_columns(_AFFINITY)
    )
    fill_factors(items, start, recent, factor_row, factors, next_columns(_FACTORS))
    fill_anchor(start, candidates.anchor, users.age_hours, users.purchased, next_columns(_ANCHOR))
    fill_users(start, _own(users), next_columns(_USER))
    return rows


def _own(users: UserBatch) -> NDArray[np.float32]:
    own = np.empty((len(users.now), len(_USER)), np.float32)
    own[:, 0] = np.log1p(users.events)
    own[:, 1] = np.log1p(users.depth)
    own[:, 2] = np.where(users.recent[:, 0] >= 0, np.log1p(np.maximum(users.age_hours[:, 0], 0.0)), _NEVER)
    own[:, 3] = np.floor(users.hour)
    own[:, 4] = (users.now // 86_400_000 + 3) % 7
    own[:, 5] = users.device
    return own
