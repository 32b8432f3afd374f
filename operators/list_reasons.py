"""Why each item is in a list, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES, Candidates
from operators.reasons import BUY_AGAIN, FOR_YOU, NEW, because_of, like, trending_in
from operators.shelf import Shelf
from operators.user_batch import UserBatch

NEIGHBOURS, TRENDS, TEXTS, OTHER, REPEATS, ARRIVALS = range(6)
_KINDS = {
    "session_knn": NEIGHBOURS,
    "covisit": NEIGHBOURS,
    "trending": TRENDS,
    "category_trending": TRENDS,
    "factors": OTHER,
    "similar": TEXTS,
    "bought_together": NEIGHBOURS,
    "view_to_buy": NEIGHBOURS,
    "again": REPEATS,
    "new_arrivals": ARRIVALS,
    "embedded": TEXTS,
}
SOURCE_KINDS = np.array([_KINDS[source] for source in SOURCES])
"""What kind of reason each of `SOURCES` gives."""

_WORDS = (FOR_YOU, BUY_AGAIN, NEW)
_OWN = np.array([-1, -1, -1, -1, -2, -3], np.int64)
"""The number of the reason that a kind of source gives by itself: -1 - its place in `_WORDS`."""

LIKE = 2
"""In the number of a reason: the item's text is like that of another; 1 is for a bought, 0 for a viewed one."""


def reasons_of(
    shelf: Shelf,
    users: UserBatch,
    candidates: Candidates,
    rows: NDArray[np.int32],
    most: NDArray[np.intp],
) -> list[str]:
    """The reason of each of these rows; `most` intp[len(rows)] is the source that spoke most for it."""
    anchor, scope = candidates.anchor[rows], candidates.scope[rows].astype(np.int64)
    user, source = candidates.user[rows], SOURCE_KINDS[most]
    # A number per reason, so that each is put into words once: 3 * item + how (purchased or not, or of
    # like text), or below them those of `_WORDS`, and -1 - len(_WORDS) - scope.
    how = np.where(source == TEXTS, LIKE, users.purchased[user, anchor])
    with_item = 3 * users.recent[user, anchor].astype(np.int64) + how
    by_item = ((source == NEIGHBOURS) | (source == TEXTS)) & (anchor >= 0)
    reasons = np.where(by_item, with_item, _OWN[source])
    reasons = np.where((source == TRENDS) & (scope >= 0), -1 - len(_WORDS) - scope, reasons).tolist()
    words = {reason: _in_words(shelf, reason) for reason in set(reasons)}
    return [words[reason] for reason in reasons]


def _in_words(shelf: Shelf, reason: int) -> str:
    if reason >= 0:
        number, how = divmod(reason, 3)
        item_id = shelf.item_id(number)
        return like(item_id) if how == LIKE else because_of(item_id, bool(how))
    if reason >= -len(_WORDS):
        return _WORDS[-1 - reason]
    return trending_in(shelf.scopes.names[-1 - len(_WORDS) - reason])
