"""When users put in the cart or bought what they came upon: what a ranker may learn as a task of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jobs.ranking_set import NEVER
from schemas.records import Event

TAKING = frozenset(("add_to_cart", "purchase"))
"""Event types by which a user takes an item; others look at it."""


def bought_times(events: Sequence[Event]) -> npt.NDArray[np.int64]:
    """int64[n]: of each event of an item, when its user first took that item with it or after it (ms), else `NEVER`.

    It is an answer to learn, of events to come: no feature may read it (see `RankingSet.bought`).

    >>> def done(type, item, time):
    ...     return Event(event_id="", user_id="ann", type=type, time=time, item_id=item)
    >>> seen = [done("view", "mug", 1), done("view", "cup", 2), done("purchase", "mug", 3), done("view", "mug", 4)]
    >>> (bought_times(seen) == NEVER).tolist(), bought_times(seen)[[0, 2]].tolist()
    ([False, True, False, True], [3, 3])
    """
    found = np.full(len(events), NEVER, np.int64)
    taken: dict[tuple[str, str], int] = {}
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        if event.item_id is None:
            continue
        key = (event.user_id, event.item_id)
        if event.type in TAKING:
            taken[key] = event.time
        found[place] = taken.get(key, NEVER)
    return found
