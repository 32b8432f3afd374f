"""Items that a bundle does not know get their factors at run time, from what is known of them.

Until an item has been touched its vector is the mean of those of the items whose text is like its own. Then the items
that are taken together with it count more and more: as users are folded in from their items, an item is folded
in from those that its users took, which is the item's step of alternating least squares (Hu, Koren and Volinsky 2008)
with the vectors of these items in the place of those of its users, and without the correction by the Gramian.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from operators.factor_neighbours import FactorArrays, FactorNeighbours
from operators.session_knn import sessions_held
from operators.shelf import Shelf

PRIOR = 2.0
"""What the text says counts as much as so many items that are taken together with this one."""

SHORTEST = 0.05
"""A vector that is shorter says too little of an item to be kept."""

LEAST_RARITY = 0.01
"""As in `operators.session_knn.rarity`."""

Floats = NDArray[np.float32]


class FactorFoldIn:
    """Folds the shelf's new items into `factors`: at most `most` of them, then the oldest gives way.

    An item is new that the bundle lacks, or of which it has no vector, as of one with too few users. `hear` notes
    those of which something new is known, `read_some` folds a few of them in: it looks at the
    items that go with one and at the neighbours of these, so its cost does not grow with the catalogue. An item
    is folded in again when it was heard of twice as often as the last time: over its life, as often as the logarithm
    of its touches. Only what changes arrays takes the shelf's lock, which nobody may hold who calls.

    A vector's length, at most 1, says how much is known: that of an item which nobody has touched is the cosine
    of the text that is most like its own. So what new items score in this space falls with what is not known of them.
    Items that are folded in are neighbours of the bundle's own, and these of them, and not of each other.
    """

    def __init__(self, factors: FactorNeighbours, shelf: Shelf, most: int) -> None:
        self._factors = factors
        self._shelf = shelf
        self._most = most
        self._learned = factors.vectors.any(axis=1)
        self._due: OrderedDict[str, None] = OrderedDict()
        self._slots: OrderedDict[str, int] = OrderedDict()
        self._free: list[int] = []
        self._heard: dict[str, tuple[int, int]] = {}
        self._told: dict[str, NDArray[np.int32]] = {}
        rows = shelf.index.rows
        shelf.news.follow(self, np.arange(max(rows - most, 0), rows, dtype=np.int32))

    @property
    def due(self) -> bool:
        """Whether `read_some` has anything to do."""
        return bool(self._due)

    def __len__(self) -> int:
        """How many items are folded in."""
        return len(self._told)

    def hear(self, numbers: NDArray[np.int32]) -> None:
        """Note that something new is known of these items of the shelf. Hold the shelf's lock."""
        known = self._known(self._factors.numbered(self._shelf).row[numbers])
        news = np.unique(numbers[~known], return_counts=True)
        for number, times in zip(*(column.tolist() for column in news), strict=True):
            item_id = self._shelf.item_id(number)
            if not item_id:
                continue
            count, again = self._heard.get(item_id, (0, 0))
            if item_id in self._told:
                self._heard[item_id] = (count + times, again)
            if count + times >= again:
                self._due[item_id] = None
                if len(self._due) > self._most:
                    self._due.popitem(last=False)

    def read_some(self, most: int) -> bool:
        """Fold up to `most` items in; whether any are left. Takes the lock."""
        for item_id in list(islice(self._due, most)):
            del self._due[item_id]
            self._fold(item_id)
        return self.due

    def _fold(self, item_id: str) -> None:
        shelf, factors = self._shelf, self._factors
        with shelf.lock:
            number = shelf.number(item_id)
            if number < 0:
                self._drop(item_id)
                return
            held = factors.numbered(shelf)
            # A bundle's row of an item is found by its number, so numbers are turned into rows under the lock.
            alike, cosines = self._of_like_text(number, held)
            together, shares = self._taken_together(number, held)
        vector = folded(factors.vectors, alike, cosines, together, shares)
        if float(np.linalg.norm(vector)) < SHORTEST:
            return
        near, scores = self._nearest(vector, np.concatenate([together, alike]), held)
        with shelf.lock:
            row = self._row(item_id)
            before = self._told.pop(item_id, near[:0])
            factors.enter(item_id, row, shelf)
            factors.write(row, vector, near, scores)
            gone = np.setdiff1d(before, near)
            factors.tell(gone, row, np.full(len(gone), -np.inf, np.float32))
            factors.tell(near, row, scores)
            self._told[item_id] = near
            count, _ = self._heard.get(item_id, (0, 0))
            self._heard[item_id] = (count, max(2 * count, 1))

    def _of_like_text(self, number: int, held: FactorArrays) -> tuple[NDArray[np.int32], Floats]:
        """Rows of the bundle's items whose texts are like this one's, and the cosines."""
        alike = self._shelf.content.neighbours.of(number)
        # Embeddings may be off, or full.
        if number < len(self._shelf.embedded.neighbours.arrays.filled):
            alike = alike + self._shelf.embedded.neighbours.of(number)
        return self._rows_of([item for item, _ in alike], [cosine for _, cosine in alike], held)

    def _taken_together(self, number: int, held: FactorArrays) -> tuple[NDArray[np.int32], Floats]:
        """Rows of the bundle's items that go with this one, and their weights: shares times rarity, as lists count
        them."""
        together = self._shelf.neighbours.of(number)
        if not together:
            return self._rows_of([], [], held)
        items = [item for item, _ in together]
        scores = np.array([score for _, score in together])
        sessions = self._shelf.sessions.arrays
        rare = np.maximum(np.log(max(sessions_held(sessions), 1)) - sessions.log_count[items], LEAST_RARITY)
        return self._rows_of(items, (np.exp(scores - scores[0]) * rare).tolist(), held)

    def _rows_of(
        self, items: list[int], weights: list[float], held: FactorArrays
    ) -> tuple[NDArray[np.int32], Floats]:
        row = held.row[np.array(items, np.int64)] if items else np.zeros(0, np.int32)
        known = self._known(row)
        return row[known], np.array(weights, np.float32)[known]

    def _known(self, row: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which rows have a vector that the bundle brought."""
        known: NDArray[np.bool_] = (row >= 0) & (row < self._factors.own)
        known[known] = self._learned[row[known]]
        return known

    def _nearest(
        self, vector: Floats, sources: NDArray[np.int32], held: FactorArrays
    ) -> tuple[NDArray[np.int32], Floats]:
        """The bundle's rows nearest a vector, of those that it was made from and their neighbours, best first."""
        rows = np.unique(np.concatenate([sources, held.neighbours[sources].ravel()])).astype(np.int32)
        rows = rows[self._known(rows)]
        scores = self._factors.vectors[rows] @ vector
        best = np.argsort(-scores, kind="stable")[: self._factors.width]
        best = best[scores[best] > 0.0]
        return rows[best], scores[best]

    def _row(self, item_id: str) -> int:
        """The row of an item: the bundle's, its own of before, or that of the one which was folded in first."""
        row = self._factors.row_of(item_id)
        if row >= 0:
            return row
        if not self._free and len(self._slots) == self._most:
            self._drop(next(iter(self._slots)))
        self._slots[item_id] = slot = self._free.pop() if self._free else len(self._slots)
        return self._factors.own + slot

    def _drop(self, item_id: str) -> None:
        """Let an item leave, if it was folded in. Hold the lock."""
        self._heard.pop(item_id, None)
        told, slot = self._told.pop(item_id, None), self._slots.pop(item_id, None)
        if told is None:
            return
        row = self._factors.row_of(item_id)
        self._factors.tell(told, row, np.full(len(told), -np.inf, np.float32))
        if slot is None:
            self._factors.write(
                row, np.zeros_like(self._factors.vectors[row]), told[:0], np.zeros(0, np.float32)
            )
        else:
            self._factors.leave(item_id, self._shelf)
            self._free.append(slot)


def folded(
    vectors: Floats,
    alike: NDArray[np.int32],
    cosines: Floats,
    together: NDArray[np.int32],
    weights: Floats,
) -> Floats:
    """The vector float32[F] of an item by rows of `vectors`: those `alike` in text with these cosines, and those that
    are taken `together` with it, with these weights. Its length is at most 1.

    >>> vectors = np.eye(2, dtype=np.float32)
    >>> rows, none = np.array([0], np.int32), np.zeros(0, np.int32)
    >>> half, one, nothing = (np.full(n, value, np.float32) for n, value in ((1, 0.5), (1, 1.0), (0, 0.0)))
    >>> folded(vectors, rows, half, none, nothing).tolist()  # what the text says, as far as it is like
    [0.5, 0.0]
    >>> folded(vectors, none, nothing, rows + 1, one).astype(float).round(2).tolist()
    [0.0, 0.33]
    """
    text: Floats = _direction(vectors, alike, cosines) * np.float32(cosines.max(initial=0.0))
    taken = _direction(vectors, together, weights)
    known = len(together)
    if not known:
        return text
    made: Floats = ((known * taken + PRIOR * text) / (known + PRIOR)).astype(np.float32)
    return made


def folding(factors: FactorNeighbours, shelf: Shelf, most: int) -> FactorFoldIn | None:
    """What folds new items in, None where nothing is to be, or there is no vector to do it by."""
    return FactorFoldIn(factors, shelf, most) if most > 0 and factors.vectors.size else None


def _direction(vectors: Floats, rows: NDArray[np.int32], weights: Floats) -> Floats:
    total: Floats = weights @ vectors[rows] if len(rows) else np.zeros(vectors.shape[1], np.float32)
    length = float(np.linalg.norm(total))
    return total / np.float32(length) if length > 0.0 else total
