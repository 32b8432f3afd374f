"""The items that came to the catalogue last, with when they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown


class ArrivalArrays(NamedTuple):
    """`number` int32[n] are the new items, the earliest first, and `came` int64[I] when an item of a number came (ms;
    0: it is none of them)."""

    number: NDArray[np.int32]
    came: NDArray[np.int64]


class NewItems:
    """The latest `most` arrivals of a shelf, by item number; beyond, the earliest gives way.

    >>> new = NewItems(most=2)
    >>> new.arrive([0, 1, 2, 0], [10, 30, 20, 40])
    >>> new.numbers, new.time_of(1)
    ([2, 1], 30)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: dict[int, int] = {}
        self.numbers: list[int] = []
        self.arrays = ArrivalArrays(np.zeros(0, np.int32), np.zeros(SMALLEST, np.int64))

    def reserve(self, rows: int) -> None:
        """Make sure that items 0 to `rows` - 1 have their entries."""
        self.arrays = self.arrays._replace(came=grown(self.arrays.came, rows, 0))

    def arrive(self, numbers: Sequence[int], times: Sequence[int]) -> None:
        """Items came at these times (ms). Of several times of one item the earliest counts."""
        for number, time in zip(numbers, times, strict=True):
            self._times[number] = min(time, self._times.get(number, time))
        self.numbers = sorted(self._times, key=self._times.__getitem__)[-self._most :]
        self._keep()

    def time_of(self, number: int) -> int:
        """When an item of `numbers` came (ms)."""
        return self._times[number]

    def items(self) -> Iterator[tuple[int, int]]:
        """(number, time) of each, the earliest first."""
        return ((number, self._times[number]) for number in self.numbers)

    def forget(self, freed: NDArray[np.bool_]) -> None:
        """Forget the items that are marked."""
        self.numbers = [number for number in self.numbers if not freed[number]]
        self._keep()

    def _keep(self) -> None:
        """Keep what is in `numbers`, and write the arrays anew."""
        self._times = {number: self._times[number] for number in self.numbers}
        came = self.arrays.came
        came[:] = 0
        came[self.numbers] = list(self._times.values())
        self.arrays = ArrivalArrays(np.array(self.numbers, np.int32), came)
