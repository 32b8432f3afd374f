"""Which items fulfil which conditions, worked out when an entry comes: one bit per condition and item."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.item_selector import ItemSelector
from schemas.records import Item

MOST_SELECTORS = 64
"""Twice as many as slots and rules can have, so that old and new ones go side by side while items are marked."""

_UNKNOWN = Item(item_id="")


class ItemTraits:
    """`bits` uint64[I]: bit b of an item number says whether the selector of that bit takes the item.

    >>> traits = ItemTraits(most_items=10)
    >>> red = ItemSelector(tags=("red",))
    >>> traits.begin([red])
    True
    >>> traits.enter(0, Item(item_id="mug", tags=("red",)))
    >>> traits.has(0, traits.bit_of(red)), traits.has(1, traits.bit_of(red))
    (True, False)
    """

    def __init__(self, most_items: int) -> None:
        self.bits: NDArray[np.uint64] = np.zeros(min(SMALLEST, most_items), np.uint64)
        self._selectors: list[ItemSelector | None] = [None] * MOST_SELECTORS
        self._unknown = 0

    def begin(self, selectors: Sequence[ItemSelector]) -> bool:
        """Give each selector a bit; new ones are told of every entry from now on. Whether there are new ones.

        The items of before are to be entered again for them (`mark`). Raises `ValueError` where there are too many.
        """
        new = [selector for selector in selectors if selector not in self._selectors]
        for selector in new:
            if selector not in self._selectors:
                if None not in self._selectors:
                    raise ValueError(f"slots and rules have more than {MOST_SELECTORS} conditions on items")
                bit = self._selectors.index(None)
                self._selectors[bit] = selector
                takes = selector.takes(_UNKNOWN)
                self._unknown = self._unknown & ~(1 << bit) | takes << bit
                self.bits = self.bits & ~np.uint64(1 << bit) | np.uint64(takes << bit)
        return bool(new)

    def bit_of(self, selector: ItemSelector) -> int:
        """The bit of a selector that was begun. Raises `ValueError` for any other."""
        return self._selectors.index(selector)

    def keep(self, selectors: Sequence[ItemSelector]) -> None:
        """Forget all other selectors; their bits may be given to others."""
        self._selectors = [each if each in selectors else None for each in self._selectors]

    def reserve(self, rows: int) -> None:
        """Make room for `rows` items."""
        if rows > len(self.bits):
            self.bits = grown(self.bits, rows, self._unknown)

    def clear(self, number: int) -> None:
        """A number now stands for an item of which nothing is known."""
        self.bits[number] = self._unknown

    def enter(self, number: int, item: Item) -> None:
        """Take in a catalogue entry, whole."""
        held = 0
        for bit, selector in enumerate(self._selectors):
            if selector is not None and selector.takes(item):
                held |= 1 << bit
        self.bits[number] = held

    def mark(self, numbers: range, entry: Callable[[int], Item | None]) -> None:
        """Enter items anew, as their entries stand."""
        if not any(self._selectors):
            return
        for number in numbers:
            item = entry(number)
            if item is not None:
                self.enter(number, item)

    def has(self, number: int, bit: int) -> bool:
        """Whether an item fulfils the condition of a bit."""
        return bool(int(self.bits[number]) >> bit & 1)

    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.bits.nbytes
