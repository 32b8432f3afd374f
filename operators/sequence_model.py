"""A model that reads a user's last items: a vector of the user, whose dot product with an item's says its fit.

Both the sequence model and the autoencoder of a bundle are of this form, and differ by their graphs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operators.arena import grown
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import SEQUENCE, SEQUENCE_ITEMS, BundleRefused
from operators.golden_scores import GOLDEN_TOLERANCE
from operators.onnx_session import UnusableGraph, open_session

NO_ITEM = 0
"""The number of no item, and of one that the model does not know: those it knows count from 1."""


class SequenceModel:
    """Users folded in from their recent items, a batch at a time. It holds nothing of any user.

    `graph` is an encoder that takes int32[m, L], numbers of a user's last items, newest first (0 past the end),
    and returns float32[m, d]. `vectors` float32[k + 1, d] are the items' by number (row 0 is 0), and `numbers`
    int32[n] the number of each row of a bundle's items (0: not known). Raises `UnusableGraph` where graph and
    arrays do not fit together.
    """

    def __init__(self, graph: bytes, vectors: NDArray[np.float32], numbers: NDArray[np.int32]) -> None:
        self._session = open_session(graph)
        taken, given = self._session.get_inputs()[0], self._session.get_outputs()[0]
        if taken.type != "tensor(int32)" or len(taken.shape) != 2 or not isinstance(taken.shape[1], int):
            raise UnusableGraph(f"the graph takes {taken.type} of shape {taken.shape}; int32[m, L] is needed")
        if vectors.dtype != np.float32 or vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise UnusableGraph(f"item vectors of shape {vectors.shape}; float32[k + 1, d] is needed")
        if given.type != "tensor(float)" or list(given.shape[1:]) != [vectors.shape[1]]:
            raise UnusableGraph(
                f"the graph returns {given.type} of shape {given.shape}; float32[m, {vectors.shape[1]}] is needed"
            )
        if numbers.dtype != np.int32 or numbers.ndim != 1 or len(vectors) == 0 or np.any(vectors[NO_ITEM]):
            raise UnusableGraph("the items' numbers are no int32[n], or the vector of no item is not 0")
        if np.any((numbers < 0) | (numbers >= len(vectors))):
            raise UnusableGraph(f"numbers of items beyond the {len(vectors) - 1} that have a vector")
        self._input: str = taken.name
        self.length: int = taken.shape[1]
        self.vectors = vectors
        self.numbers = np.append(numbers, np.int32(NO_ITEM))  # so that row -1 is no item

    def reach(self, rows: int) -> None:
        """Know that there are as many rows of items as this, of which those after its own are no item of its own."""
        if rows >= len(self.numbers):
            self.numbers = grown(self.numbers, rows + 1, NO_ITEM)

    def encode(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[m, d] vectors of users by the numbers of their last items, int32[m, L]."""
        if len(items) == 0:
            return np.zeros((0, self.vectors.shape[1]), np.float32)
        found: NDArray[np.float32] = self._session.run(None, {self._input: items})[0]
        return found

    def users(self, recent: NDArray[np.int32], row: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[m, d] of users by their recent items, int32[m, R] numbers of the shelf (-1 past the end).

        `row` int32[I] is the bundle's row of an item on the shelf (-1, or beyond its end: none). Items that the
        model does not know are left out, as if they had not been taken; a user with no other has the vector 0.
        """
        inside = (recent >= 0) & (recent < len(row))
        numbers = np.zeros(recent.shape, np.int32)
        numbers[inside] = self.numbers[row[recent[inside]]]
        order = np.argsort(numbers == NO_ITEM, axis=1, kind="stable")
        items = np.zeros((len(recent), self.length), np.int32)
        width = min(self.length, recent.shape[1])
        items[:, :width] = np.take_along_axis(numbers, order[:, :width], axis=1)
        return self.encode(items)


def load_sequence(
    folder: Path, rows: int, graph: str = SEQUENCE, arrays: str = SEQUENCE_ITEMS
) -> SequenceModel:
    """The sequence model of the bundle in `folder`, which has `rows` items, its golden vectors checked.

    Its files are called `graph` and `arrays`; those of an autoencoder have other names.

    Raises `BundleRefused` where it does not load or does not give them.
    """
    held = read_arrays(folder / arrays, "vectors", "numbers", "golden_items", "golden_vectors")
    if len(held["numbers"]) != rows:
        raise BundleRefused(
            f"{folder}/{arrays}: {len(held['numbers'])} items, and the bundle has {rows}; train it again"
        )
    try:
        model = SequenceModel((folder / graph).read_bytes(), held["vectors"], held["numbers"])
    except UnusableGraph as error:
        raise BundleRefused(f"{folder}/{graph}: {error}; train the bundle again") from error
    items, expected = held["golden_items"], held["golden_vectors"]
    fits = items.dtype == np.int32 and items.ndim == 2 and items.shape[1] == model.length and len(items)
    if (
        not fits
        or expected.shape != (len(items), model.vectors.shape[1])
        or items.max() >= len(model.vectors)
    ):
        raise BundleRefused(f"{folder}/{arrays}: golden items of shape {items.shape}; train it again")
    off = ~np.isclose(model.encode(items), expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE).all(axis=1)
    if off.any():
        raise BundleRefused(
            f"{folder}/{graph}: golden user {int(np.flatnonzero(off)[0])} gets another vector here than where"
            " it was trained; train the bundle again here"
        )
    model.vectors.flags.writeable = False
    return model
