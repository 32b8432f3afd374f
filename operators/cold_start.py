"""How lists do where little is known: items and users that the evaluation has hardly seen."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.list_rules import touches
from operators.prequential import Prequential
from operators.prequential_score import hit_rate, mean_reciprocal_rank
from schemas.records import Event

MOST = 3
"""So many first touches of an item, and earlier events of a user, count as cold."""


UNSEEN_ITEMS = "items unseen in training"
UNSEEN_USERS = "users unseen in training"


class ColdScore(msgspec.Struct, frozen=True, kw_only=True):
    """HR@20 and MRR@20 of one recommender over the events of a group; None where it has none."""

    name: str
    hit_rate: float | None
    mrr: float | None


class ColdGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one kind, how many of them counted, and what each recommender made of them."""

    group: str
    counting: int
    recommenders: list[ColdScore]


class ColdStart:
    """Sorts the counting events of a `Prequential` run into groups.

    The groups are: touches of *new* items (first touched by anybody after the split, `count_from` of the
    trial), the first alone and the first `MOST`; events of *new* users (without any event before the split)
    that have k = 1 to `MOST` earlier touching events; and all counting events. Hand every event to `take`.

    >>> from operators.baseline_popularity import Popularity
    >>> from operators.numbering import Numbering
    >>> cold = ColdStart(Prequential([Popularity()], Numbering(), count_from=2), split=2)
    >>> for n, (user, item) in enumerate([("ann", "mug"), ("bob", "mug"), ("bob", "cup"), ("cyd", "mug")]):
    ...     cold.take(Event(event_id=str(n), user_id=user, type="view", time=n + 1, item_id=item))
    >>> [(group.group, group.counting) for group in cold.groups()][:3]
    [('new items: 1st touch', 1), ('new items: first 3 touches', 1), ('new users: 1 earlier event', 1)]
    """

    def __init__(self, trial: Prequential, split: int) -> None:
        self.trial = trial
        self._split = split
        self._old_users: set[str] = set()
        self._old_items: set[str] = set()
        self._touches: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._touch: list[int] = []
        self._earlier: list[int] = []

    @property
    def new_items(self) -> int:
        """How many items were first touched after the split."""
        return len(self._touches.keys() - self._old_items)

    @property
    def new_users(self) -> int:
        """How many users with a touching event had none of any type before the split."""
        return len(self._events.keys() - self._old_users)

    def take(self, event: Event) -> None:
        """Let the trial judge and learn from one event, and note what kind of event it was."""
        counted = self.trial.counting
        self.trial.take(event)
        item, user = event.item_id, event.user_id
        touching = touches(event)
        if item is not None and self.trial.counting > counted:
            # 0 stands for what is not cold: a known item, a known user.
            self._touch.append(0 if item in self._old_items else self._touches[item] + 1)
            self._earlier.append(0 if user in self._old_users else self._events[user])
        if event.time < self._split:
            self._old_users.add(user)
        if item is not None and touching:
            self._touches[item] += 1
            self._events[user] += 1
            if event.time < self._split:
                self._old_items.add(item)

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """By group, which of the counting events so far belong to it."""
        touch, earlier = np.array(self._touch, np.int64), np.array(self._earlier, np.int64)
        masks = {
            "new items: 1st touch": touch == 1,
            f"new items: first {MOST} touches": (touch >= 1) & (touch <= MOST),
        }
        for k in range(1, MOST + 1):
            masks[f"new users: {k} earlier event{'s' if k > 1 else ''}"] = earlier == k
        return masks

    def unseen(self) -> dict[str, NDArray[np.bool_]]:
        """By kind, which of the counting events are of an item, or a user, that had no event before the split."""
        touch, earlier = np.array(self._touch, np.int64), np.array(self._earlier, np.int64)
        return {UNSEEN_ITEMS: touch > 0, UNSEEN_USERS: earlier > 0}

    def groups(self) -> list[ColdGroup]:
        """The figures so far."""
        groups = [self._group(name, mask) for name, mask in self.masks().items()]
        return [*groups, self._group("all counting events", np.ones(len(self._touch), np.bool_))]

    def _group(self, name: str, chosen: NDArray[np.bool_]) -> ColdGroup:
        scores = [
            ColdScore(name=who, hit_rate=hit_rate(ranks[chosen]), mrr=mean_reciprocal_rank(ranks[chosen]))
            for who, ranks in self.trial.ranks().items()
        ]
        return ColdGroup(group=name, counting=int(np.count_nonzero(chosen)), recommenders=scores)
