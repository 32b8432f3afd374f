"""What a run of an evaluation keeps of each judgement, for figures beyond ranks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.list_rules import LENGTH

_GAP = [-1] * LENGTH


@dataclass(frozen=True, eq=False)
class Judgements:
    """n judgements of r recommenders, in order of time.

    `user` int32[n] is the number of the user, `wanted` int32[n] that of the item they took (-1: nobody could
    know it), `time` int64[n] when (ms), `strict` bool[n] whether later than the user's last touch, `earlier`
    int32[n] how many touching events the user had, `before` int64[n] how many touches had been learned.
    `lists` int32[r, n, LENGTH] are the items listed, -1 past the end. `touches` and `touch_user` int32[t] are
    the items and users of all touches, in the order in which they were learned. `items` is how many items
    have a number.
    """

    names: tuple[str, ...]
    user: NDArray[np.int32]
    wanted: NDArray[np.int32]
    time: NDArray[np.int64]
    strict: NDArray[np.bool_]
    earlier: NDArray[np.int32]
    before: NDArray[np.int64]
    lists: NDArray[np.int32]
    touches: NDArray[np.int32]
    touch_user: NDArray[np.int32]
    items: int

    def __len__(self) -> int:
        return len(self.user)

    def hits(self, recommender: int) -> NDArray[np.bool_]:
        """bool[n, LENGTH]: where the wanted item stands."""
        there: NDArray[np.bool_] = self.lists[recommender] == self.wanted[:, None]
        return there & (self.wanted >= 0)[:, None]

    def place(self, name: str) -> int:
        """The number of a recommender. Raises `ValueError` where it was not judged."""
        return self.names.index(name)


class JudgementLog:
    """Takes in judgements as they are made. Memory: 32 bytes a judgement, and 80 for each list.

    >>> log = JudgementLog(["popularity"])
    >>> log.touched(user=0, item=4)
    >>> log.judged(user=0, wanted=5, time=9, strict=True, lists=[[5, 3]])
    >>> kept = log.judgements(items=6)
    >>> kept.earlier.tolist(), kept.before.tolist(), kept.hits(0)[0, :3].tolist()
    ([1], [1], [True, False, False])
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._user, self._wanted, self._earlier = array("i"), array("i"), array("i")
        self._time, self._before = array("q"), array("q")
        self._strict = bytearray()
        self._lists = [array("i") for _ in names]
        self._touches, self._touch_user = array("i"), array("i")
        self._events: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._user)

    def touched(self, user: int, item: int) -> None:
        """An event by which a user touches an item was learned by all."""
        self.followed(user)
        self._touches.append(item)
        self._touch_user.append(user)

    def followed(self, user: int) -> None:
        """A touching event was taken in for its user alone."""
        self._events[user] = self._events.get(user, 0) + 1

    def judged(self, user: int, wanted: int, time: int, strict: bool, lists: Sequence[Sequence[int]]) -> None:
        """A judgement, with the list of each recommender; before the event is learned or followed."""
        self._user.append(user)
        self._wanted.append(wanted)
        self._time.append(time)
        self._strict.append(strict)
        self._earlier.append(self._events.get(user, 0))
        self._before.append(len(self._touches))
        for kept, made in zip(self._lists, lists, strict=True):
            kept.extend(made)
            kept.extend(_GAP[len(made) :])

    def judgements(self, items: int) -> Judgements:
        """All so far; `items` is how many items have a number by now."""
        n = len(self._user)
        return Judgements(
            names=self._names,
            user=np.array(self._user, np.int32),
            wanted=np.array(self._wanted, np.int32),
            time=np.array(self._time, np.int64),
            strict=np.frombuffer(bytes(self._strict), np.bool_),
            earlier=np.array(self._earlier, np.int32),
            before=np.array(self._before, np.int64),
            lists=np.array([np.array(kept, np.int32) for kept in self._lists]).reshape(
                len(self._names), n, LENGTH
            ),
            touches=np.array(self._touches, np.int32),
            touch_user=np.array(self._touch_user, np.int32),
            items=items,
        )
