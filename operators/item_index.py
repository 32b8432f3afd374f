"""Item ids as small numbers: rows of the shelf's arrays."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.item_hash import item_hash

SHARE_FREED = 16
"""When the index is full, one item of so many gives way: all of them in one pass over the arrays."""

HEAD = 512
"""Of so many items, the first by id, the order is kept at hand."""


class ItemIndex:
    """At most `most` items. A number stays with its item until the item is freed, and is then used again.

    `reused` are the freed numbers that stand for other items since `free_oldest` was called last.

    >>> index = ItemIndex(most=100)
    >>> index.add("mug"), index.add("plate"), index.add("mug"), index.number("bowl")
    (0, 1, 0, -1)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}
        self._by_hash: dict[int, int] = {}
        self._ids: list[str] = []
        self._free: list[int] = []
        self.reused: list[int] = []
        self._head: list[str] = []
        self._clock = 0
        self._heard = np.zeros(min(SMALLEST, most), np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def rows(self) -> int:
        """One more than the greatest number ever given: how long arrays by item number must be."""
        return len(self._ids)

    @property
    def full(self) -> bool:
        """Whether the next new item needs `oldest` to be freed first."""
        return len(self._numbers) >= self._most

    def number(self, item_id: str) -> int:
        """The item's number, -1 where it has none."""
        return self._numbers.get(item_id, -1)

    def numbers_of(self, item_ids: Iterable[str]) -> list[int]:
        """`number` of each."""
        get = self._numbers.get
        return [get(item_id, -1) for item_id in item_ids]

    def number_of_hash(self, hashed: int) -> int:
        """The number of an item with this hash (`item_hash`), -1 where none has it; of two, the one that came last.

        >>> index = ItemIndex(most=100)
        >>> index.add("mug"), index.number_of_hash(item_hash("mug")), index.number_of_hash(item_hash("bowl"))
        (0, 0, -1)
        """
        return self._by_hash.get(hashed, -1)

    def item_id(self, number: int) -> str:
        """The id of a number in use; the empty text for a freed one."""
        return self._ids[number]

    def ids_of(self, numbers: NDArray[np.int32]) -> list[str]:
        """`item_id` of each."""
        ids = self._ids
        return [ids[number] for number in numbers.tolist()]

    def add(self, item_id: str) -> int:
        """The item's number, a new one where it had none; it now counts as just heard of.

        Raises `ValueError` where the index is full.
        """
        self._clock += 1
        number = self._numbers.get(item_id, -1)
        if number < 0:
            number = self._new(item_id)
        self._heard[number] = self._clock
        return number

    def _new(self, item_id: str) -> int:
        if self.full:
            raise ValueError(f"the shelf holds its {self._most} items already; free some first")
        if self._free:
            number = self._free.pop()
            self._ids[number] = item_id
            self.reused.append(number)
        else:
            number = len(self._ids)
            self._ids.append(item_id)
            self._heard = grown(self._heard, rows_for(number + 1, len(self._heard), self._most), 0)
        self._numbers[item_id] = number
        self._by_hash[item_hash(item_id)] = number
        if len(self._head) < HEAD or item_id < self._head[-1]:
            insort(self._head, item_id)
            del self._head[HEAD:]
        return number

    def retire(self, number: int) -> None:
        """Let this item be the first to give way."""
        self._heard[number] = 0

    def free_oldest(self) -> NDArray[np.bool_]:
        """Free the share of items that were not heard of for longest; bool[rows] marks their numbers."""
        self.reused = []
        freed = np.zeros(len(self._ids), np.bool_)
        used = np.fromiter(self._numbers.values(), np.int64, len(self._numbers))
        share = max(len(used) // SHARE_FREED, 1)
        oldest = used[np.argsort(self._heard[used], kind="stable")[:share]]
        freed[oldest] = True
        for number in oldest.tolist():
            item_id = self._ids[number]
            del self._numbers[item_id]
            hashed = item_hash(item_id)
            if self._by_hash.get(hashed) == number:
                del self._by_hash[hashed]
            self._ids[number] = ""
            place = bisect_left(self._head, item_id)
            if place < len(self._head) and self._head[place] == item_id:
                del self._head[place]
            self._free.append(number)
        return freed

    def items(self) -> Iterator[tuple[str, int]]:
        """(id, number) of all items, in the order in which they came."""
        return iter(self._numbers.items())

    def in_order(self) -> Iterator[int]:
        """Numbers of all items by ascending id; the first few cost no sorting."""
        head = list(self._head)
        yield from map(self._numbers.__getitem__, head)
        if len(head) < len(self._numbers):
            known = set(head)
            yield from (self._numbers[item_id] for item_id in sorted(self._numbers) if item_id not in known)
