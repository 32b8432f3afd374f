"""From the bytes of a catalogue message to an item that can be used, or to the reason why it cannot."""

from __future__ import annotations

from typing import Any

import msgspec

from operators.canonical_codes import canonical_country
from operators.dead_letters import Rejected
from operators.ingest_settings import IngestSettings, Range
from operators.item_ids import ItemIds
from schemas.reason import Reason, UndecodableRecord
from schemas.records import Item
from schemas.schema_book import SchemaBook

PRICE = Range(0.0, 1e9)


class ItemIngest:
    """Decodes, validates and cleans catalogue entries; their ids are spelt as those of events are.

    >>> from schemas.codec import ITEMS
    >>> ItemIngest(IngestSettings(), SchemaBook()).accept(ITEMS.encode(Item(item_id=" mug "))).item_id
    'mug'
    """

    def __init__(self, settings: IngestSettings, book: SchemaBook) -> None:
        self._decode = book.decode_item
        self._ids = ItemIds(settings.item_case, settings.item_pattern)
        self._longest_id = settings.longest_id

    def accept(self, message: bytes) -> Item | Rejected:
        """The cleaned item of one message, or why there is none. Never raises for what a message may hold."""
        try:
            item = self._decode(message)
        except UndecodableRecord as error:
            return Rejected(error.reason, error.detail)
        return self.check(item)

    def check(self, item: Item) -> Item | Rejected:
        """The cleaned item, or why it cannot be used."""
        item_id = self._ids.canonical(item.item_id)
        if item_id is None:
            return Rejected(Reason.MISSING_FIELD, "item_id is missing or empty")
        if len(item_id) > self._longest_id:
            return Rejected(Reason.OUT_OF_RANGE, f"item_id of more than {self._longest_id} characters")
        if not self._ids.is_product(item_id):
            return Rejected(Reason.NOT_A_PRODUCT, f"item_id {item_id!r} is not written as a product's")
        prices = {"price": item.price, **{f"price in {name}": m.price for name, m in item.markets.items()}}
        for name, price in prices.items():
            if price is not None and price not in PRICE:
                return Rejected(Reason.OUT_OF_RANGE, f"{name} {price:g}: {PRICE}")
        cleaned: dict[str, Any] = {
            "item_id": item_id,
            "category": _category(item.category),
            "markets": {canonical_country(name) or name: market for name, market in item.markets.items()},
        }
        changed = {name: value for name, value in cleaned.items() if value != getattr(item, name)}
        return msgspec.structs.replace(item, **changed) if changed else item


def _category(path: str) -> str:
    """The path without blanks around its parts or empty parts; '?' when nothing is left."""
    return "/".join(part for part in (part.strip() for part in path.split("/")) if part) or "?"
