"""What asks for a user's next visit: all that the record remembers them to have taken, not the last session alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.item_hash import hashes_of
from operators.sessions import is_over
from operators.shelf import Shelf
from operators.user_batch import RECENT, UserBatch
from schemas.state import UserState


def begins_anew(users: UserBatch, gap: int) -> NDArray[np.bool_]:
    """bool[m]: whose list is for a new visit: the session was over for more than `gap` ms at the time of the list, or
    another one has begun that no item is of yet."""
    now = users.now.tolist()
    over = [is_over(state.session, at, gap) for state, at in zip(users.states, now, strict=True)]
    return np.array(over, np.bool_) | ((users.recent[:, 0] >= 0) & ~users.in_session[:, 0])


def with_past(
    users: UserBatch, query: NDArray[np.float32], shelf: Shelf, anew: NDArray[np.bool_] | None, most: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The items that ask and what each weighs: int32[m, Q] item numbers, -1 past the end, and float32[m, Q].

    They are the recent items with `query` float32[m, RECENT]; of users who begin `anew`, bool[m] (None: nobody), up to
    `most` items: the recent ones, then what they bought and what they touched, latest first, each of which weighs 1. Q
    is `RECENT` where nobody begins anew, else at least that. Hold the shelf's lock.
    """
    if anew is None or not most or not anew.any():
        return users.recent, query
    width = max(most, RECENT)
    asks = np.full((len(users), width), -1, np.int32)
    weights = np.zeros((len(users), width), np.float32)
    asks[:, :RECENT], weights[:, :RECENT] = users.recent, query
    for k in np.flatnonzero(anew).tolist():
        recent = users.recent[k]
        past = _past_of(users.states[k], recent[recent >= 0].tolist(), shelf, most)
        asks[k] = -1
        asks[k, : len(past)] = past
        weights[k] = 1.0
    return asks, weights


def _past_of(user: UserState, recent: list[int], shelf: Shelf, most: int) -> list[int]:
    """The numbers of up to `most` items, each once, `recent` first."""
    found = dict.fromkeys(recent)
    number = shelf.index.number_of_hash
    for stored in (user.bought, user.touched):
        for hashed in hashes_of(stored)[::-1].tolist():
            if len(found) >= most:
                break
            if (item := number(hashed)) >= 0:
                found.setdefault(item)
    return list(found)[:most]
