"""Baselines that know nothing of the user: what is popular, over all time or lately."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.baseline_top import best, lengthened
from operators.list_rules import LENGTH
from operators.prequential import Visit

GREATEST_EXPONENT = 500.0


class Popularity:
    """The most touched items, each touch counting half after every half-life (ms; None: for ever all).

    All events of one time count the same, so only the order of the stream and its times matter.
    """

    def __init__(self, name: str = "popularity", half_life: float | None = None) -> None:
        self.name = name
        self._rate = math.log(2.0) / half_life if half_life else 0.0
        self._landmark: int | None = None
        self._sums = np.zeros(1_024)
        self._items = 0

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        """The most popular items that the user has not touched."""
        made: list[int] = best(self._sums, self._items, touched, LENGTH).tolist()
        return made

    def learn(self, visit: Visit) -> None:
        """Count a touch."""
        if visit.item < 0:
            return
        self._sums = lengthened(self._sums, visit.item + 1)
        self._items = max(self._items, visit.item + 1)
        if self._landmark is None:
            self._landmark = visit.event.time
        # Weights grow from a landmark instead of old sums shrinking; it is renewed before they overflow.
        exponent = self._rate * (visit.event.time - self._landmark)
        if exponent > GREATEST_EXPONENT:
            self._sums *= math.exp(-exponent)
            self._landmark, exponent = visit.event.time, 0.0
        self._sums[visit.item] += math.exp(exponent)

    def follow(self, visit: Visit) -> None:
        """Nothing: no user is known."""
