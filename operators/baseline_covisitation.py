"""The baseline that looks at one item: what users went on to after the item that this user touched last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.baseline_top import best, lengthened
from operators.list_rules import LENGTH
from operators.prequential import Visit


class LastItemCovisitation:
    """Counts how often item b came right after item a, of all users; no decay, no reverse.

    The list holds what came after the user's last item, by count. Equal counts, and places left over, go
    by popularity.
    """

    name = "last-item"

    def __init__(self) -> None:
        self._after: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._last: dict[int, int] = {}
        self._touches = np.zeros(1_024)
        self._items = 0
        self._all = 0

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """What came after the user's last item most often, filled up by popularity."""
        # Shares of popularity are below 1, so they order only what counts leave equal.
        scores = self._touches / (self._all + 1)
        for item, count in self._after.get(self._last.get(user, -1), {}).items():
            scores[item] += count
        made: list[int] = best(scores, self._items, touched, LENGTH).tolist()
        return made

    def learn(self, visit: Visit) -> None:
        """Count the pair of the user's last item and this one."""
        user, item = visit.user, visit.item
        if item < 0:
            return
        self._touches = lengthened(self._touches, item + 1)
        self._items = max(self._items, item + 1)
        self._touches[item] += 1
        self._all += 1
        last = self._last.get(user, item)
        if last != item:
            after = self._after[last]
            after[item] = after.get(item, 0) + 1
        self.follow(visit)

    def follow(self, visit: Visit) -> None:
        """Remember the user's last item."""
        if visit.item >= 0:
            self._last[visit.user] = visit.item
