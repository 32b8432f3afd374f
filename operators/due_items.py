"""Which of the items that users bought are due to be bought again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.bought_items import bought_days
from operators.compiled import compiled_in_place
from operators.item_hash import hashes_of
from operators.score_sheet import AGAIN, NAMED, ScoreSheet, Screen, place_of
from operators.shelf import Shelf
from operators.shelf_catalogue import may_show
from schemas.state import UserState

DAY = 86_400_000


class DueItems(NamedTuple):
    """Of user k, `item` int32[d] and `score` float32[d] from `start[k]` to `start[k + 1]`, best first."""

    item: NDArray[np.int32]
    score: NDArray[np.float32]
    start: NDArray[np.int64]


def due_items(
    states: Sequence[UserState],
    now: NDArray[np.int64],
    shelf: Shelf,
    least: float,
    prior: float,
    most: int,
) -> DueItems:
    """Up to `most` items of each user that score `least` or more, as at `now` int64[m] (ms); of an item its category
    counts as much as `prior` purchases. Hold the shelf's lock.

    As Bhagat, Muralidharan, Lobzhanidze and Vishwanath, "Buy It Again" (KDD 2018), an item scores the share of its
    purchases that are repeats, times how near the time since the user's last purchase is to the usual one: the density
    of a log-normal distribution as a share of its greatest. Items that nobody bought twice are never due.
    """
    m = len(states)
    if not most:
        return _nothing(m)
    counts = np.array([len(state.bought) // 4 for state in states], np.int64)
    if not counts.any():
        return _nothing(m)
    hashes = hashes_of(b"".join([state.bought for state in states]))
    days = np.concatenate([bought_days(state.bought, state.bought_days) for state in states]).astype(np.int64)
    user = np.repeat(np.arange(m), counts)
    apart = now[user] // DAY - days
    number = shelf.repeats.known_of(hashes, shelf.catalogue.arrays.id_hash[: shelf.index.rows])
    held = np.flatnonzero((number >= 0) & (days > 0) & (apart > 0))
    user, number, apart = user[held], number[held], apart[held]
    share, mean, spread = shelf.repeats.rhythm(
        number, shelf.catalogue.arrays.scope[number].astype(np.int64), prior
    )
    z = (np.log1p(apart) - mean) / spread
    score = (share * np.exp(-0.5 * z * z)).astype(np.float32)
    chosen = np.flatnonzero(score >= least)
    order = chosen[np.lexsort((shelf.catalogue.arrays.id_hash[number[chosen]], -score[chosen], user[chosen]))]
    user = user[order]
    place = np.arange(len(user)) - np.searchsorted(user, user)
    order, user = order[place < most], user[place < most]
    start = np.searchsorted(user, np.arange(m + 1))
    return DueItems(number[order].astype(np.int32), score[order], start.astype(np.int64))


def _nothing(users: int) -> DueItems:
    return DueItems(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(users + 1, np.int64))


@compiled_in_place
def name_due(
    due: DueItems, user: int, limit: int, screen: Screen, sheet: ScoreSheet, listed: int
) -> tuple[int, int]:
    """Name the `limit` best due items of a user, though they are barred by their hash; not those barred by number.
    (How many are listed, how many named.)"""
    named = 0
    for k in range(due.start[user], min(due.start[user] + limit, due.start[user + 1])):
        item = due.item[k]
        place = place_of(sheet.slot, sheet.item, listed, item)
        if place < 0:
            continue
        if place == listed:
            listed += 1
        if may_show(screen.catalogue, item, screen.market, screen.now):
            sheet.score[AGAIN, place] = due.score[k]
            sheet.state[place] = NAMED
            sheet.named[named] = place
            named += 1
    return listed, named
