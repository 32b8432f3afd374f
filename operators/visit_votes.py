"""What sources say for a user's next visit, when the session that they start from is over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES, Candidates
from operators.sessions import is_over
from operators.user_batch import UserBatch

_OF_THE_DAY = ("trending", "category_trending", "again", "new_arrivals")
"""Sources that say what there is now, whatever the user was at last."""

_OF_THE_SESSION = np.array([source not in _OF_THE_DAY for source in SOURCES])


def for_next_visit(
    found: Candidates,
    users: UserBatch,
    gap: int,
    share: float,
    whose: NDArray[np.bool_] | None = None,
) -> Candidates:
    """The candidates, where `share` is left of what goes with the items of a session that is over.

    Lists of users who are in the middle of a session stay as they are, and those that `whose`, bool[m], leaves out.
    """
    if share == 1.0 or (whose is not None and not whose.any()):
        return found
    over = begins_anew(users, gap)
    if whose is not None:
        over &= whose
    if not over.any():
        return found
    scores = found.scores.copy()
    scores[np.ix_(over[found.user], _OF_THE_SESSION)] *= np.float32(share)
    return replace(found, scores=scores)


def begins_anew(users: UserBatch, gap: int) -> NDArray[np.bool_]:
    """bool[m]: whose list is for a new visit: the session was over for more than `gap` ms at the time of the list, or
    another one has begun that no item is of yet."""
    now = users.now.tolist()
    over = [is_over(state.session, at, gap) for state, at in zip(users.states, now, strict=True)]
    return np.array(over, np.bool_) | ((users.recent[:, 0] >= 0) & ~users.in_session[:, 0])
