"""What the boosted model of the next category knows of a user and a category: the user's record and the shelf alone.

A row names neither, so the model says as much of users and categories that it never saw. As for the ranker's features,
none is a figure that grows with the age of the stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.affinity_columns import CategoryProbability, counted_shares
from operators.boosted_columns import fill_of_record, fill_popularity_of
from operators.feature_columns import Floats, Ints
from operators.shelf import Shelf
from operators.user_batch import UserBatch

PROBABILITIES = ("category_probability", "liking")
"""The calibrated affinity (operators/calibrated_affinity.py), and what the user's own model says, not calibrated."""

OF_RECORD = (
    "log_share", "top_level_share", "recent_share", "session_share", "bought_share", "last_nearness", "last_age",
    "same_as_last", "goes_with", "goes_with_last", "stays",
)  # fmt: skip
"""`log_share`: log of the category's share of the decayed counts; `top_level_share`: the share of its top level.
`recent_share`, `session_share`, `bought_share`: of the recent items, of those of the session, and of the recent ones
that were bought. `last_nearness`: 1 / (1 + place) of the newest recent item of the category, 0 for none; `last_age`:
log(1 + hours) since it, 9 for none; `same_as_last`: 1 for the last item's category, 0.5 for the same top level.
`goes_with`: the category's share of the co-visitation of the last five items; `goes_with_last`: of the last one.
`stays`: how often one recent item is of the category of the one before."""

OF_SHELF = ("popularity",)
"""Log of what trends in the category, as a share of what trends everywhere."""

OF_USER = ("events", "depth", "categories", "largest_share", "hour", "weekday")
"""log(1 + events) of the user and of the session, log(1 + number) of the categories counted, the largest log share
among them, hour and weekday (Monday is 0) in UTC of the moment that the row is made for."""

INPUTS = (*PROBABILITIES, *OF_RECORD, *OF_SHELF, *OF_USER)
"""The columns of a row, in their order."""

_RECORD = len(PROBABILITIES)
_SHELF = _RECORD + len(OF_RECORD)
_USER = _SHELF + len(OF_SHELF)


def boosted_rows(
    begin: Ints, asked: Ints, users: UserBatch, shelf: Shelf, probability: CategoryProbability
) -> Floats:
    """float32[r, len(INPUTS)] of m users and the categories `asked` int32[r] (the shelf's numbers), of which those
    between `begin[k]` and `begin[k + 1]` are asked of user k. A row depends on its user and category alone.

    Hold the shelf's lock.
    """
    catalogue = shelf.catalogue
    held, trending = catalogue.arrays, shelf.trending.arrays
    counted = counted_shares(users.states, catalogue.categories)
    # Of fewer than two rows numpy says that parts of them are contiguous: other types, compiled anew for seconds.
    rows = np.empty((max(len(asked), 2), len(INPUTS)), np.float32)
    probability.of_categories(begin, asked, users, shelf, counted, rows[:, :_RECORD])
    fill_of_record(
        begin, asked, users.recent, users.age_hours, users.in_session, users.purchased, held.category,
        catalogue.scope_of, *counted, shelf.neighbours.arrays, len(shelf.scopes), rows[:, _RECORD:_SHELF],
    )  # fmt: skip
    fill_popularity_of(asked, held.category, catalogue.scope_of, trending, rows[:, _SHELF:_USER])
    rows = rows[: len(asked)]
    rows[:, _USER:] = np.repeat(_of_users(users, counted[0], counted[2]), np.diff(begin), axis=0)
    return rows


def _of_users(users: UserBatch, begin: Ints, log_share: Floats) -> Floats:
    own = np.zeros((len(users), len(OF_USER)), np.float32)
    counts: NDArray[np.int32] = np.diff(begin)
    own[:, 0], own[:, 1], own[:, 2] = np.log1p(users.events), np.log1p(users.depth), np.log1p(counts)
    some = counts > 0
    if some.any():
        own[some, 3] = np.maximum.reduceat(log_share, begin[:-1][some])
    own[:, 4] = np.floor(users.hour)
    own[:, 5] = users.weekday
    return own
