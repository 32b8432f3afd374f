"""Which events of a stream a list can be judged by, and a seeded sample of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from operators.numbering import Numbering
from operators.prequential import Prequential, Visit
from schemas.records import Event


@dataclass(frozen=True, eq=False)
class JudgedEvents:
    """Counting events of a stream, in its order; `Prequential` says which count and which are strict.

    `at` int64[n] are their places among the counting events, `user` int64[n] numbers of their users, `time`
    int64[n] in ms, `strict` bool[n]. `weight` float64[n] says for how many counting events each stands, itself
    included: 1 where all are judged.
    """

    at: NDArray[np.int64]
    user: NDArray[np.int64]
    time: NDArray[np.int64]
    strict: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at)

    def between(self, first: int, end: int) -> JudgedEvents:
        """Those at `first` (ms) or later, and before `end`."""
        return self.where((self.time >= first) & (self.time < end))

    def where(self, kept: NDArray[np.bool_]) -> JudgedEvents:
        """Those marked in bool[n] `kept`."""
        return JudgedEvents(
            self.at[kept], self.user[kept], self.time[kept], self.strict[kept], self.weight[kept]
        )

    def sample(self, most: int, seed: int) -> JudgedEvents:
        """At most `most` of these: half of them strict and half not, where there are so many of each.

        Strict events are few in some streams and all in others; drawn in equal parts, both kinds tell much.

        >>> events = JudgedEvents(*(np.arange(4),) * 3, np.array([True, False, False, False]), np.ones(4))
        >>> events.sample(2, seed=1).weight.tolist()
        [1.0, 3.0]
        """
        random = np.random.default_rng(seed)
        kept = np.zeros(len(self), np.bool_)
        weight = self.weight.copy()
        strict, other = np.flatnonzero(self.strict), np.flatnonzero(~self.strict)
        of_strict = min(len(strict), max(most // 2, most - len(other)))
        for kind, count in ((strict, of_strict), (other, min(len(other), most - of_strict))):
            if count:
                drawn = random.choice(kind, count, replace=False)
                kept[drawn] = True
                weight[drawn] *= len(kind) / count
        return replace(self, weight=weight).where(kept)

    def without(self, others: JudgedEvents) -> JudgedEvents:
        """Those that are not among `others`."""
        return self.where(~np.isin(self.at, others.at))


class _Record:
    """Takes the place of a recommender, and writes down for which events a list is asked."""

    name = "record"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, bool]] = []
        self._last: dict[int, int] = {}

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        self.asked.append((user, time, time > self._last[user]))
        return []

    def learn(self, visit: Visit) -> None:
        if visit.item >= 0:
            self._last[visit.user] = visit.event.time


def judged_events(events: Iterable[Event]) -> JudgedEvents:
    """All counting events of a stream in order of time.

    >>> stream = [Event(event_id="", user_id="u", type="view", time=t, item_id=i) for t, i in enumerate("aabb")]
    >>> len(judged_events(stream))
    1
    """
    record = _Record()
    trial = Prequential([record], Numbering())
    for event in events:
        trial.take(event)
    asked = np.array(record.asked, np.int64).reshape(-1, 3)
    n = len(asked)
    return JudgedEvents(np.arange(n), asked[:, 0], asked[:, 1], asked[:, 2].astype(np.bool_), np.ones(n))
