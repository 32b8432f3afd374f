"""The next-item protocol: learn a train set, then predict every next event of the test sessions.

As session-rec (Ludewig and Jannach, "Evaluation of Session-Based Recommendation Algorithms", 2018) and
Serenade (Kersbergen, Sprangers and Schelter, SIGMOD 2022) judge. The exact rules are in `docs/quality.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from operators.judgements import JudgementLog
from operators.list_rules import BrokenList, fault_of, touches
from operators.next_item_score import NextItemScore, next_item_score
from operators.numbering import Numbering
from operators.prequential import Recommender, Visit
from schemas.records import Event


class Current(StrEnum):
    """What becomes of the item that the session is at: the two ways of the literature."""

    DROP = "drop"
    """No list holds it (Serenade)."""
    KEEP = "keep"
    """Lists may hold it (session-rec)."""


class Follower(Recommender, Protocol):
    """A recommender that can follow a user without learning from them."""

    def follow(self, visit: Visit) -> None:
        """Take an event into what is known of its user, and into nothing else."""
        ...


class NextItem:
    """Judges recommenders by the next items of sessions that they do not learn from.

    First `learn` the train events in order of time, then `judge` the test sessions, those of one user in
    order of time. Lists are made for each of `ways`; `log` is told of those of the first.

    >>> class Alphabetical:
    ...     name = "alphabetical"
    ...     def recommend(self, user, time, touched): return [i for i in range(2) if i not in touched]
    ...     def learn(self, visit): pass
    ...     def follow(self, visit): pass
    >>> trial = NextItem([Alphabetical()], (Current.DROP, Current.KEEP))
    >>> def views(user, items): return [
    ...     Event(event_id=f"{user}-{n}", user_id=user, type="view", time=n, item_id=item)
    ...     for n, item in enumerate(items)]
    >>> for event in views("ann", ["bowl", "mug"]): trial.learn(event)
    >>> trial.judge(views("bob", ["bowl", "mug", "bowl"]))
    >>> [(score.current.value, score.mrr) for score in trial.scores()]
    [('drop', 1.0), ('keep', 0.75)]
    """

    def __init__(
        self,
        recommenders: Sequence[Follower],
        ways: Sequence[Current],
        items: Numbering | None = None,
        log: JudgementLog | None = None,
    ) -> None:
        self._recommenders = list(recommenders)
        self._ways = tuple(ways)
        self._items = Numbering() if items is None else items
        self._log = log
        self._users = Numbering()
        self._trained: set[int] = set()
        self._ranks = {(k, way): bytearray() for k in range(len(self._recommenders)) for way in ways}
        self.learned = 0
        self.followed = 0
        self.sessions = 0
        self.counting = 0
        self.left_out = 0

    @property
    def events(self) -> int:
        """How many events were taken in, of train and test."""
        return self.learned + self.followed

    @property
    def trained_items(self) -> int:
        """How many items the train events touch: those that can be predicted."""
        return len(self._trained)

    def learn(self, event: Event) -> None:
        """Let all learn from an event of the train set."""
        user, item = self._users.number(event.user_id), -1
        if touches(event):
            item = self._items.number(str(event.item_id))
            self._trained.add(item)
            if self._log is not None:
                self._log.touched(user, item)
        self.learned += 1
        for recommender in self._recommenders:
            recommender.learn(Visit(event, user, item))

    def judge(self, session: Sequence[Event]) -> None:
        """Predict each event of a test session but its first from those before it.

        Events that touch an item which the train set did not show are left out and counted in `left_out`.
        Raises `BrokenList` for a list that the protocol does not allow.
        """
        self.followed += len(session)
        touching = [event for event in session if touches(event)]
        known = [event for event in touching if self._items.find(str(event.item_id)) in self._trained]
        self.left_out += len(touching) - len(known)
        self.sessions += len(known) > 1
        current, since = -1, 0
        for event in known:
            user = self._users.number(event.user_id)
            item = self._items.find(str(event.item_id))
            if current >= 0:
                self._predict(user, event, current, item, event.time > since)
            for recommender in self._recommenders:
                recommender.follow(Visit(event, user, item))
            current, since = item, event.time
            if self._log is not None:
                self._log.followed(user)

    def ranks(self, way: Current) -> dict[str, NDArray[np.uint8]]:
        """By recommender, the rank of each predicted item: 1 to `LENGTH`, 0 where it is not listed."""
        return {
            recommender.name: np.array(self._ranks[k, way], np.uint8)
            for k, recommender in enumerate(self._recommenders)
        }

    def scores(self) -> list[NextItemScore]:
        """The figures of each way and recommender, in their orders."""
        return [
            next_item_score(name, way, ranks) for way in self._ways for name, ranks in self.ranks(way).items()
        ]

    def _predict(self, user: int, event: Event, current: int, wanted: int, strict: bool) -> None:
        self.counting += 1
        for way in self._ways:
            lists: list[Sequence[int]] = []
            barred = np.array([current] if way is Current.DROP else [], np.int32)
            for k, recommender in enumerate(self._recommenders):
                made = recommender.recommend(user, event.time, barred)
                self._check(recommender.name, made, barred)
                self._ranks[k, way].append(made.index(wanted) + 1 if wanted in made else 0)
                lists.append(made)
            if self._log is not None and way is self._ways[0]:
                self._log.judged(user, wanted, event.time, strict, lists)

    def _check(self, name: str, made: Sequence[int], barred: NDArray[np.int32]) -> None:
        wrong = fault_of(
            made,
            len(self._items),
            "holds an item that the train set does not show",
            barred.tolist().__contains__,
            "holds the session's current item, which is dropped",
        )
        if wrong:
            raise BrokenList(f"{name}: the list of prediction {self.counting} {wrong}")
