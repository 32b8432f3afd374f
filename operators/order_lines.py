"""The order that a user is at: which of their newest purchases are lines of it."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from zlib import crc32

from operators.item_hash import HASH_BYTES, has_item_hash
from schemas.state import RecentItem

MOST_LINES = 255

_ENTRY = Struct("<IB")
"""CRC-32 of the order id, and how many lines of it came."""


def lines_of(stored: bytes, order_id: str | None) -> int:
    """How many lines of this order came, where it is the one that the user is at; 0 for any other.

    >>> lines_of(add_line(add_line(b"", "A-1"), "A-1"), "A-1"), lines_of(add_line(b"", "A-1"), "A-2")
    (2, 0)
    """
    if not stored or order_id is None:
        return 0
    order, lines = _ENTRY.unpack(stored)
    return int(lines) if order == _name(order_id) else 0


def add_line(stored: bytes, order_id: str | None, again: bool = False) -> bytes:
    """The order with one more line. A purchase without an order id is an order of its own; a line of an item that the
    order holds already (`again`) adds none."""
    if order_id is None:
        return b""
    return _ENTRY.pack(_name(order_id), min(lines_of(stored, order_id) + (not again), MOST_LINES))


def mates_of(
    recent: Sequence[RecentItem], bought: bytes, lines: int, item_id: str, most: int
) -> tuple[str, ...]:
    """Up to `most` other items of the order, newest first: of the recent items those among the `lines` newest of the
    hashes `bought`.

    >>> from operators.item_hash import add_item_hash
    >>> recent = [RecentItem.of(item, 1, "purchase", "?") for item in ("cup", "mug")]
    >>> bought = add_item_hash(add_item_hash(b"", "cup", 8), "mug", 8)
    >>> mates_of(recent, bought, 1, "plate", 4), mates_of(recent, bought, 2, "plate", 4)
    (('mug',), ('mug', 'cup'))
    """
    if not lines or not most:
        return ()
    order = bought[-lines * HASH_BYTES :]
    found = []
    for held in reversed(recent):
        if held.type == "purchase" and held.item_id != item_id and has_item_hash(order, held.item_id):
            found.append(held.item_id)
            if len(found) == most:
                break
    return tuple(found)


def viewed_before(
    recent: Sequence[RecentItem], item_id: str, time: int, window: int, most: int
) -> tuple[str, ...]:
    """Up to `most` other items touched within `window` ms before a purchase and not bought, newest first.

    >>> recent = [RecentItem.of("cup", 1, "view", "?"), RecentItem.of("mug", 2, "purchase", "?")]
    >>> viewed_before(recent, "plate", 3, 10, 4)
    ('cup',)
    """
    found: list[str] = []
    for held in reversed(recent):
        if len(found) >= most:
            break
        if held.type != "purchase" and held.item_id != item_id and 0 <= time - held.time <= window:
            found.append(held.item_id)
    return tuple(found)


def _name(order_id: str) -> int:
    return crc32(order_id.encode("utf-8", "surrogatepass"))
