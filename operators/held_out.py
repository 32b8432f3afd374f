"""Users whose events teach nothing to what all users share, so that nobody is helped by their own past there."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from operators.next_item import Follower
from operators.prequential import Visit
from schemas.records import Event

ONE_IN = 10
"""One user of so many is held out."""


def held_out(event: Event) -> bool:
    """Whether the event's user is held out: by the CRC-32 of the user id, so always the same users.

    >>> users = [Event(event_id="", user_id=str(n), type="view", time=0) for n in range(1_000)]
    >>> sum(map(held_out, users))
    83
    """
    return crc32(event.user_id.encode("utf-8", "surrogatepass")) % ONE_IN == 0


class LeavesOut:
    """A recommender that learns from all users but those held out, whom it only follows."""

    def __init__(self, recommender: Follower) -> None:
        self.name = recommender.name
        self._recommender = recommender

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The list that the recommender makes."""
        return self._recommender.recommend(user, time, touched)

    def learn(self, visit: Visit) -> None:
        """Let the recommender learn, or only follow."""
        if held_out(visit.event):
            self._recommender.follow(visit)
        else:
            self._recommender.learn(visit)
