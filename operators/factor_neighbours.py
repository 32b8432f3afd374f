"""A bundle's neighbours in factor space, by the item numbers of the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.shelf import Shelf


class FactorArrays(NamedTuple):
    """`row` int32[I] is the row of an item number (-1: none), `number` int32[n] the item number of a row (-1: not on
    the shelf); `neighbours` int32[n, K] are rows (-1: none), `scores` float32[n, K] cosines. The first rows are the
    bundle's, those after them of items that were folded in (`FactorFoldIn`)."""

    row: NDArray[np.int32]
    number: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    scores: NDArray[np.float32]


class FactorNeighbours:
    """Neighbours as a bundle holds them; follows the shelf as items come and go.

    `vectors` float32[n, F] are the items' factors, where they are to be had; of a bundle they are not changed, nor
    copied before the first item is folded in. Its `own` rows are the first so many.
    """

    def __init__(
        self,
        item_ids: Sequence[str],
        neighbours: NDArray[np.int32],
        scores: NDArray[np.float32],
        vectors: NDArray[np.float32] | None = None,
    ) -> None:
        self._rows = {item_id: row for row, item_id in enumerate(item_ids)}
        self.own = len(item_ids)
        self._neighbours = np.array(neighbours, np.int32)
        self._scores = np.array(scores, np.float32)
        self._vectors = np.zeros((self.own, 0), np.float32) if vectors is None else vectors
        self._copied = False
        self.vectors = _read_only(self._vectors)
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

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 where it has none."""
        return self._rows.get(item_id, -1)

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

    def enter(self, item_id: str, row: int, shelf: Shelf) -> None:
        """Give an item of the shelf a row, one of the bundle's or one after them. Hold the shelf's lock."""
        if row >= len(self._neighbours):
            rows = max(row + 1, min(2 * len(self._neighbours), len(self._neighbours) + SMALLEST))
            self._neighbours = grown(self._neighbours, rows, -1)
            self._scores = grown(self._scores, rows, 0.0)
            held = self.numbered(shelf)
            number = grown(held.number, rows, -1)
            self._arrays = FactorArrays(held.row, number, self._neighbours, self._scores)
        if not self._copied or row >= len(self._vectors):
            longer = np.zeros((len(self._neighbours), self._vectors.shape[1]), np.float32)
            longer[: len(self._vectors)] = self._vectors
            self._vectors, self._copied = longer, True
            self.vectors = _read_only(longer)
        self._rows[item_id] = row
        held, at = self.numbered(shelf), shelf.number(item_id)
        held.row[at], held.number[row] = row, at

    def leave(self, item_id: str, shelf: Shelf) -> None:
        """Take the row of an item that was folded in; others that name it must be told first. Hold the shelf's lock."""
        row, held, at = self._rows.pop(item_id), self.numbered(shelf), shelf.number(item_id)
        held.number[row] = -1
        if at >= 0:
            held.row[at] = -1
        self._neighbours[row], self._scores[row], self._vectors[row] = -1, 0.0, 0.0

    def write(
        self, row: int, vector: NDArray[np.float32], near: NDArray[np.int32], scores: NDArray[np.float32]
    ) -> None:
        """The vector of an item that has entered, and its nearest, best first. Hold the shelf's lock."""
        k = min(len(near), self.width)
        self._vectors[row] = vector
        self._neighbours[row], self._scores[row] = -1, 0.0
        self._neighbours[row, :k], self._scores[row, :k] = near[:k], scores[:k]

    def tell(self, rows: NDArray[np.int32], member: int, scores: NDArray[np.float32]) -> None:
        """Name `member` among the neighbours of `rows` (each once) with these scores; -inf takes it out.

        Hold the shelf's lock.
        """
        if not len(rows):
            return
        k = self.width
        members = np.column_stack([self._neighbours[rows], np.full(len(rows), member, np.int32)])
        told = np.column_stack([self._scores[rows], scores])
        told[:, :k][members[:, :k] == member] = -np.inf
        told[members < 0] = -np.inf
        order = np.argsort(-told, axis=1, kind="stable")[:, :k]
        told, members = np.take_along_axis(told, order, axis=1), np.take_along_axis(members, order, axis=1)
        kept = np.isfinite(told)
        self._neighbours[rows], self._scores[rows] = np.where(kept, members, -1), np.where(kept, told, 0.0)

    def nbytes(self) -> int:
        """Bytes of the arrays now held, without vectors that are the bundle's."""
        vectors = self._vectors.nbytes if self._copied else 0
        return sum(array.nbytes for array in self._arrays) + vectors

    def _unnumbered(self, items: int) -> FactorArrays:
        return FactorArrays(
            np.full(items, -1, np.int32),
            np.full(len(self._neighbours), -1, np.int32),
            self._neighbours,
            self._scores,
        )


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """A view that says so: compiled loops take vectors of a bundle, which are not to be written, and these alike."""
    view = array.view()
    view.flags.writeable = False
    return view
