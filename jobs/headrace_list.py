"""Headrace's own list as a recommender to evaluate: the job's plain classes, one event at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.plain_stream import PlainStream
from operators.bundle import Bundle
from operators.next_visit import list_gap, list_time
from operators.numbering import Numbering
from operators.prequential import Visit
from operators.rank_settings import RankSettings
from operators.ranker import Ranker


class HeadraceList:
    """User step, item statistics, shelf and ranker, as in the job; the shelf is never behind the events.

    `items` is the numbering of the `Prequential` run. In the job the shelf follows within seconds instead.
    Of several lists over one stream, one alone `leads`: it tells the stream of events. Without `filled` a list
    holds only what a source of candidates named; without `ends` no list is made when a session is over.
    """

    name = "headrace"

    def __init__(
        self,
        items: Numbering,
        stream: PlainStream,
        settings: RankSettings | None = None,
        bundle: Bundle | None = None,
        name: str = name,
        *,
        leads: bool = True,
        filled: bool = True,
        ends: bool = True,
    ) -> None:
        self.name = name
        self._items = items
        self._stream = stream
        self._leads = leads
        self._filled = filled
        self._gap = list_gap(stream.step.session_gap, ends)
        self._ranker = Ranker(stream.shelf, settings or RankSettings(), bundle, stream.step)
        self._users: list[str] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The ranked list of the user's record as it is now, made as of the record's own time, as in the job.

        Of the event to come its `time` alone is looked at: whether the session was over before it.
        """
        self._stream.catch_up()
        names = self._items.names
        state = self._stream.states[self._users[user]]
        at = list_time(state, time, self._gap)
        [made] = self._ranker.rank([state], [at], [[names[item] for item in touched.tolist()]])
        listed = made.items
        if not self._filled:
            listed = [
                item for item, named in zip(listed, made.said.any(axis=1).tolist(), strict=True) if named
            ]
        return [self._items.find(item) for item in listed]

    def learn(self, visit: Visit) -> None:
        """Let the plain classes take in the event."""
        self._know(visit)
        if self._leads:
            self._stream.learn(visit.event)

    def follow(self, visit: Visit) -> None:
        """Let the user's record alone take in the event."""
        self._know(visit)
        if self._leads:
            self._stream.follow(visit.event)

    def _know(self, visit: Visit) -> None:
        if visit.user == len(self._users):
            self._users.append(visit.event.user_id)
