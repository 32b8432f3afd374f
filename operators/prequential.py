"""The prequential protocol: every event is first predicted, then learned from, in the order of time.

After Dawid, "Statistical Theory: The Prequential Approach" (JRSS A, 1984), as used for recommenders by
Vinagre, Jorge and Gama, "Evaluation of Recommender Systems in Streaming Environments" (2014). The exact rules
are in `docs/quality.md`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from operators.judgements import JudgementLog
from operators.list_rules import BrokenList, fault_of, touches
from operators.numbering import Numbering
from operators.prequential_score import Evaluation, Score, score_of
from schemas.records import Event


class Visit(NamedTuple):
    """An event to learn from. `item` is the number of the item that it touched, -1 where it touched none."""

    event: Event
    user: int
    item: int


class Recommender(Protocol):
    """What can be evaluated. It is asked for a list before it is shown the event that the list is judged by.

    `name` is what its figures are reported under.
    """

    name: str

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """At most `LENGTH` item numbers, best first, for a user at a time (ms); none of them in `touched`."""
        ...

    def learn(self, visit: Visit) -> None:
        """Take in one event, after all lists for it were made."""
        ...


class Prequential:
    """Runs recommenders side by side over one stream of events, and keeps the ranks of the touched items.

    `take` must be called in the order of time. An event counts when its user has an earlier touching event
    and has not touched the item before, and when its time is at least `count_from` (ms); it is strict when it
    is also later than the user's previous touching event. All lists for an event are made before anybody
    learns from it. `items` numbers the items; those it holds at first may be listed from the start. Where
    `judges` is given, only events that it agrees to count. `log` is told of each judgement.

    >>> class Alphabetical:
    ...     name = "alphabetical"
    ...     def recommend(self, user, time, touched): return [i for i in range(2) if i not in touched]
    ...     def learn(self, visit): pass
    >>> trial = Prequential([Alphabetical()], Numbering(["mug", "bowl"]))
    >>> for n, (item, time) in enumerate([("mug", 1), ("bowl", 1), ("mug", 2)]):
    ...     trial.take(Event(event_id=str(n), user_id="ann", type="view", time=time, item_id=item))
    >>> trial.counting, trial.strict, trial.scores()[0].hit_rate
    (1, 0, 1.0)
    """

    def __init__(
        self,
        recommenders: Sequence[Recommender],
        items: Numbering,
        count_from: int = 0,
        judges: Callable[[Event], bool] | None = None,
        log: JudgementLog | None = None,
    ) -> None:
        self._recommenders = list(recommenders)
        self._items = items
        self._count_from = count_from
        self._judges = judges
        self._log = log
        self._users = Numbering()
        self._touched: list[array[int]] = []
        self._last: list[int] = []
        self._pairs: set[int] = set()
        self._now: int | None = None
        self._ranks = [bytearray() for _ in self._recommenders]
        self._listed: list[set[int]] = [set() for _ in self._recommenders]
        self._seen_items: set[int] = set()
        self._strict = bytearray()
        self.events = 0
        self.touching = 0

    @property
    def counting(self) -> int:
        """How many events counted so far."""
        return len(self._strict)

    @property
    def strict(self) -> int:
        """How many of the counting events were strictly later than their user's previous one."""
        return self._strict.count(1)

    def take(self, event: Event) -> None:
        """Judge all lists by `event` where it counts, then let all learn from it.

        Raises `ValueError` for an event older than the one before, and `BrokenList` for a list that is too
        long, holds an item twice, one that the user touched, or one that nobody can know of yet.
        """
        if self._now is not None and event.time < self._now:
            raise ValueError(
                f"event {event.event_id} of {event.time} ms came after one of {self._now} ms; sort by time"
            )
        self._now = event.time
        self.events += 1
        user = self._user(event.user_id)
        item = -1
        if event.item_id is not None and touches(event):
            self.touching += 1
            self._judge(user, event, event.item_id)
            # Only now does the item get its number: no list can have held an item that was not known before.
            item = self._items.number(event.item_id)
            self._remember(user, item, event.time)
            if self._log is not None:
                self._log.touched(user, item)
        visit = Visit(event, user, item)
        for recommender in self._recommenders:
            recommender.learn(visit)

    def scores(self) -> list[Score]:
        """The figures of each recommender over the counting events so far, in their order."""
        strict = np.frombuffer(self._strict, np.bool_)
        return [
            score_of(
                recommender.name,
                np.frombuffer(ranks, np.uint8),
                strict,
                len(listed & self._seen_items) / max(len(self._seen_items), 1),
            )
            for recommender, ranks, listed in zip(self._recommenders, self._ranks, self._listed, strict=True)
        ]

    def evaluation(self, model: str | None, unused_rows: int, seconds: float) -> Evaluation:
        """All figures so far, with what the caller knows of the run."""
        return Evaluation(
            events=self.events,
            touching=self.touching,
            counting=self.counting,
            strict=self.strict,
            users=len(self._touched),
            items=len(self._seen_items),
            unused_rows=unused_rows,
            model=model,
            seconds=seconds,
            recommenders=self.scores(),
        )

    def ranks(self) -> dict[str, NDArray[np.uint8]]:
        """By recommender, the rank of each counting event's item: 1 to `LENGTH`, 0 where it is not listed."""
        named = zip(self._recommenders, self._ranks, strict=True)
        return {recommender.name: np.array(ranks, np.uint8) for recommender, ranks in named}

    def strict_events(self) -> NDArray[np.bool_]:
        """bool[counting]: which of the counting events were strict."""
        return np.array(self._strict, np.uint8).astype(np.bool_)

    def _user(self, user_id: str) -> int:
        user = self._users.number(user_id)
        if user == len(self._touched):
            self._touched.append(array("i"))
            self._last.append(0)
        return user

    def _judge(self, user: int, event: Event, item_id: str) -> None:
        touched, time = self._touched[user], event.time
        if not touched or time < self._count_from:
            return
        item = self._items.find(item_id)
        if item >= 0 and (user << 32 | item) in self._pairs:
            return
        if self._judges is not None and not self._judges(event):
            return
        taken = np.array(touched, np.int32)
        strict = time > self._last[user]
        self._strict.append(strict)
        lists: list[Sequence[int]] = []
        for recommender, ranks, listed in zip(self._recommenders, self._ranks, self._listed, strict=True):
            made = recommender.recommend(user, time, taken)
            self._check(recommender.name, user, made)
            listed.update(made)
            ranks.append(made.index(item) + 1 if item in made else 0)
            lists.append(made)
        if self._log is not None:
            self._log.judged(user, item, time, strict, lists)

    def _check(self, name: str, user: int, made: Sequence[int]) -> None:
        wrong = fault_of(
            made,
            len(self._items),
            "holds an item that no earlier event showed: it has seen the future",
            lambda item: (user << 32 | item) in self._pairs,
            "holds an item that the user touched",
        )
        if wrong:
            whose = self._users.names[user]
            raise BrokenList(f"{name}: the list of user {whose} at counting event {self.counting} {wrong}")

    def _remember(self, user: int, item: int, time: int) -> None:
        self._last[user] = time
        self._seen_items.add(item)
        pair = user << 32 | item
        if pair not in self._pairs:
            self._pairs.add(pair)
            self._touched[user].append(item)
