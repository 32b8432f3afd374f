"""A bundle's neighbours in factor space, by the item numbers of the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.shelf import Shelf


class FactorArrays(NamedTuple):
    """`row` int32[I] is the bundle's row of an item number (-1: none), `number` int32[n] the item number of a
    row (-1: not on the shelf); `neighbours` int32[n, K] are rows (-1: none), `scores` float32[n, K]
    cosines."""

    row: NDArray[np.int32]
    number: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    scores: NDArray[np.float32]


class FactorNeighbours:
    """Neighbours as a bundle holds them; follows the shelf as items come and go."""

    def __init__(
        self, item_ids: Sequence[str], neighbours: NDArray[np.int32], scores: NDArray[np.float32]
    ) -> None:
        self._rows = {item_id: row for row, item_id in enumerate(item_ids)}
        self._neighbours = np.array(neighbours, np.int32)
        self._scores = np.array(scores, np.float32)
        self._generation, self._done, self._done_reused = -1, 0, 0
        self._arrays = self._unnumbered(0)

    @classmethod
    def none(cls) -> FactorNeighbours:
        """No neighbours of any item."""
        return cls([], np.zeros((0, 1), np.int32), np.zeros((0, 1), np.float32))

    @property
    def is_empty(self) -> bool:
        """Whether it knows no item, as without a bundle."""
        return not self._rows

    @property
    def width(self) -> int:
        """Neighbours of an item at most."""
        return int(self._neighbours.shape[1])

    def numbered(self, shelf: Shelf) -> FactorArrays:
        """The neighbours by the shelf's item numbers as they are now. Hold the shelf's lock."""
        if not self._rows:
            return self._arrays
        index = shelf.index
        if shelf.generation != self._generation or len(self._arrays.row) < index.rows:
            self._generation, self._done, self._done_reused = shelf.generation, 0, 0
            self._arrays = self._unnumbered(len(shelf.popularity))
        if self._done < index.rows or self._done_reused < len(index.reused):
            row, number = self._arrays.row, self._arrays.number
            for at in chain(range(self._done, index.rows), index.reused[self._done_reused :]):
                row[at] = found = self._rows.get(index.item_id(at), -1)
                if found >= 0:
                    number[found] = at
            self._done, self._done_reused = index.rows, len(index.reused)
        return self._arrays

    def _unnumbered(self, items: int) -> FactorArrays:
        return FactorArrays(
            np.full(items, -1, np.int32),
            np.full(len(self._rows), -1, np.int32),
            self._neighbours,
            self._scores,
        )
