"""Users seen from other items than their latest: from what is in the cart, from one item, from all days alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from operators.shelf import Shelf
from operators.user_batch import RECENT, UserBatch

_DAY_HOURS = 24.0


def some_of(users: UserBatch, rows: NDArray[np.intp]) -> UserBatch:
    """These users of a batch, in the order of `rows`."""
    columns = {
        each.name: column[rows]
        for each in fields(users)
        if isinstance(column := getattr(users, each.name), np.ndarray)
    }
    return replace(
        users,
        **columns,
        states=[users.states[row] for row in rows.tolist()],
        treated=None if users.treated is None else users.treated.some(rows),
    )


def by_days(users: UserBatch) -> UserBatch:
    """The users with all items of a day alike and no session of now: what they are drawn to in the long run."""
    return replace(
        users,
        age_hours=np.floor(users.age_hours / _DAY_HOURS) * np.float32(_DAY_HOURS),
        in_session=users.recent >= 0,
    )


def around(users: UserBatch, numbers: Sequence[Sequence[int]]) -> UserBatch:
    """The users as if they had just touched `numbers[k]`, item numbers on the shelf, and nothing else.

    Of more than `RECENT` numbers the first count.
    """
    recent = np.full((len(users), RECENT), -1, np.int32)
    for k, some in enumerate(numbers):
        recent[k, : len(some)] = some[:RECENT]
    return replace(
        users,
        recent=recent,
        age_hours=np.zeros_like(users.age_hours),
        in_session=recent >= 0,
        purchased=np.zeros_like(users.purchased),
        favourite=np.full_like(users.favourite, -1),
        favourite_share=np.zeros_like(users.favourite_share),
    )


def baskets(users: UserBatch, shelf: Shelf) -> list[list[int]]:
    """Of each user the item numbers in the cart, the newest first. Hold the shelf's lock."""
    number = shelf.index.number
    return [[n for item in reversed(state.basket) if (n := number(item)) >= 0] for state in users.states]


def looked_at(users: UserBatch) -> list[list[int]]:
    """Of each user the item touched last in the latest session, none where there is none."""
    first = np.where(users.in_session[:, 0], users.recent[:, 0], -1)
    return [[n] if n >= 0 else [] for n in first.tolist()]
