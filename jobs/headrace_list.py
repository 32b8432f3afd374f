"""Headrace's own list as a recommender to evaluate: the job's plain classes, one event at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.plain_stream import PlainStream
from operators.bundle import Bundle
from operators.numbering import Numbering
from operators.prequential import Visit
from operators.ranker import Ranker, RankSettings


class HeadraceList:
    """User step, item statistics, shelf and ranker, as in the job; the shelf is never behind the events.

    `items` is the numbering of the `Prequential` run. In the job the shelf follows within seconds instead.
    """

    name = "headrace"

    def __init__(
        self,
        items: Numbering,
        stream: PlainStream,
        settings: RankSettings | None = None,
        bundle: Bundle | None = None,
    ) -> None:
        self._items = items
        self._stream = stream
        self._ranker = Ranker(stream.shelf, settings or RankSettings(), bundle)
        self._users: list[str] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The ranked list of the user's record as it is now."""
        self._stream.catch_up()
        names = self._items.names
        [made] = self._ranker.rank(
            [self._stream.states[self._users[user]]], [time], [[names[item] for item in touched.tolist()]]
        )
        return [self._items.find(item) for item in made.items]

    def learn(self, visit: Visit) -> None:
        """Let the plain classes take in the event."""
        if visit.user == len(self._users):
            self._users.append(visit.event.user_id)
        self._stream.learn(visit.event)
