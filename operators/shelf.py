"""The item side in memory: what ranking needs to know of items, read-only to it and fed by records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from operators.shelf_records import ShelfRecord


@dataclass(frozen=True)
class ShelfBounds:
    """What the shelf holds at most. Beyond it, the oldest gives way: memory never grows with the length of the stream."""

    items: int = 1_000_000
    neighbours: int = 64
    scopes: int = 4_096
    trending: int = 256
    categories: int = 65_536
    sessions: int = 200_000
    session_items: int = 30
    sessions_per_item: int = 500


class Shelf:
    """The item side. `lock` is held by whoever reads arrays (the ranker) or writes them (`apply`).

    Arrays of one entry per item number: `category` int32 (row of `category_sketch`, `category_names`),
    `top_category` int32 (scope number of 'category:<top level>'), `price` float32 (NaN: none), `popularity` float64
    (score in scope 'all', -inf: none), `group` int32 (-1: none), `session_count` int32 (sessions that hold it),
    `id_hash` uint32. They may be longer than the number of items, and may be replaced by longer ones
    when records are applied: fetch them from the shelf for each batch.
    """

    lock: Lock
    category: NDArray[np.int32]
    top_category: NDArray[np.int32]
    price: NDArray[np.float32]
    popularity: NDArray[np.float64]
    group: NDArray[np.int32]
    session_count: NDArray[np.int32]
    category_sketch: NDArray[np.float32]

    def __init__(self, bounds: ShelfBounds = ShelfBounds()) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        """How many items the shelf knows."""
        raise NotImplementedError

    def number(self, item_id: str) -> int:
        """The item's number, -1 where the shelf does not know it."""
        raise NotImplementedError

    def item_id(self, number: int) -> str:
        """The id of an item number."""
        raise NotImplementedError

    def apply(self, record: ShelfRecord) -> None:
        """Take in one record. Long ones are taken in slices, between which a ranker may run."""
        raise NotImplementedError

    def dump(self) -> Iterator[ShelfRecord]:
        """Records that build this shelf anew when applied to an empty one."""
        raise NotImplementedError

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        raise NotImplementedError
