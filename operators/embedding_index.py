"""Which items' texts mean alike: neighbours by the cosine of embeddings, found when an item arrives."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.ranked_rows import RankedRows
from schemas.records import Item

LEAST_COSINE = 0.3
"""Below it two embeddings have nothing to say of each other: any two texts of one language are a little alike."""

Floats = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors. Loading it may read files of this machine, and nothing else: no download."""

    name: str

    def embed(self, texts: Sequence[str]) -> Floats:
        """float32[n, D] of n texts, the same for the same text whatever the others are."""
        ...


def text_of(item: Item) -> str:
    """What is embedded of an item: title, category, tags and description; empty where it has no title.

    >>> text_of(Item(item_id="m1", title="Red mug", category="Kitchen/Mugs", tags=["gift"]))
    'Red mug. Kitchen, Mugs. gift'
    >>> text_of(Item(item_id="m2", title="Of no category"))
    'Of no category'
    """
    if not item.title:
        return ""
    path = ", ".join(part for part in (item.category or "").split("/") if part != "?")
    parts = (item.title, path, ", ".join(item.tags), item.description)
    return ". ".join(part for part in parts if part)


class EmbeddingIndex:
    """Vectors of at most `most_items` items (a number and beyond it have none), and for each its `width` nearest.

    An item that enters is compared with all others by one product of a matrix and a vector, and named in the rows of
    those that it is near: so a row holds the nearest of all, whatever their order was. Memory: 4 bytes a dimension
    and item, 8 a neighbour, and 8 by which its text is known again: entries come often, texts change seldom.

    >>> index = EmbeddingIndex(most_items=10, width=2)
    >>> hashes = np.arange(3, dtype=np.uint32)
    >>> for item, vector in enumerate([[1, 0], [1, 1], [0, 1]]):
    ...     index.write(item, *index.near(item, np.array(vector, np.float32), hashes))
    >>> [item for item, _ in index.neighbours.of(1)], [item for item, _ in index.neighbours.of(0)]
    ([0, 2], [1])
    """

    def __init__(self, most_items: int, width: int) -> None:
        self.neighbours = RankedRows(most_items, width, np.float32)
        self._most = most_items
        self._width = width
        self._vectors: Floats = np.zeros((0, 0), np.float32)
        self._held: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._texts: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def knows(self, item: int, text: str) -> bool:
        """Whether this is the text of which the item's vector was made; it need not be made again."""
        held = int(self._texts[item]) if item < len(self._texts) else 0
        return held == _fingerprint(text)

    def near(
        self, item: int, vector: Floats, id_hash: NDArray[np.uint32]
    ) -> tuple[Floats, NDArray[np.int64], Floats]:
        """The unit vector, all items near it by descending cosine, and the cosines. Changes nothing, so no reader
        has to wait for it; of equal cosines the lower `id_hash` uint32[I] is first."""
        length = float(np.linalg.norm(vector))
        unit = (vector / length).astype(np.float32) if length > 0.0 else np.zeros_like(vector, np.float32)
        if not len(self._vectors) or length == 0.0:
            return unit, np.zeros(0, np.int64), np.zeros(0, np.float32)
        cosines = self._vectors @ unit
        alike = self._held & (cosines >= LEAST_COSINE)
        if item < len(alike):
            alike[item] = False
        found = np.flatnonzero(alike)
        order = np.lexsort((id_hash[found], -cosines[found]))
        return unit, found[order], cosines[found[order]]

    def write(
        self, item: int, unit: Floats, near: NDArray[np.int64], cosines: Floats, text: str = ""
    ) -> None:
        """Take in an item with what `near` says of it, in place of an older vector; a vector of 0 takes it out.

        `text` is what the vector was made of, to be known again.
        """
        if item >= self._most:
            return
        if item >= len(self._held):
            rows = min(max(2 * len(self._held), item + 1, SMALLEST), self._most)
            if not len(self._vectors):
                self._vectors = np.zeros((0, len(unit)), np.float32)
            self._vectors = grown(self._vectors, rows, 0.0)
            self._held = grown(self._held, rows, False)
            self._texts = grown(self._texts, rows, 0)
            self.neighbours.reserve(rows)
        elif self._held[item]:
            self._leave(item)
        self._texts[item] = _fingerprint(text)
        if not unit.any():
            return
        self._vectors[item], self._held[item] = unit, True
        own = min(len(near), self._width)
        self.neighbours.raise_scores([item] * own, near[:own].tolist(), cosines[:own].tolist())
        self.neighbours.raise_scores(near.tolist(), [item] * len(near), cosines.tolist())

    def forget(self, freed: NDArray[np.bool_]) -> None:
        """Forget the items that are marked."""
        gone = np.flatnonzero(freed[: len(self._held)])
        self._held[gone] = False
        self._vectors[gone] = 0.0
        self._texts[gone] = 0
        self.neighbours.forget(freed, rows_too=True)

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        return self._vectors.nbytes + self._held.nbytes + self._texts.nbytes + self.neighbours.nbytes()

    def _leave(self, item: int) -> None:
        freed = np.zeros(item + 1, np.bool_)
        freed[item] = True
        self.forget(freed)


def _fingerprint(text: str) -> int:
    """64 bits of a text, 0 for none at all."""
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
