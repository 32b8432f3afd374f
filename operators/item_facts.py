"""What the user step needs to know of an item."""

from __future__ import annotations

import msgspec

from schemas.records import Item


class ItemFacts(msgspec.Struct, array_like=True, frozen=True):
    """Category path and list price of an item."""

    category: str = "?"
    price: float | None = None


NOTHING_KNOWN = ItemFacts()

Catalogue = dict[str, ItemFacts]
"""Item id → facts. An item not yet known counts under category '?'."""


def facts_of(item: Item) -> ItemFacts:
    """The facts of a catalogue entry.

    >>> facts_of(Item(item_id="mug", category="Kitchen/Mugs", price=4.5))
    ItemFacts(category='Kitchen/Mugs', price=4.5)
    """
    return ItemFacts(item.category, item.price)
