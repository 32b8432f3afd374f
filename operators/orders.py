"""The newest orders of one user: so that the lines of one order count as one, and when the last one was."""

from __future__ import annotations

from struct import Struct
from zlib import crc32

MOST_ORDERS = 8
"""A line of an order older than so many others counts as a new order."""

_ENTRY = Struct("<II")
"""CRC-32 of the order id, and when its first known line was, in seconds since 1970."""


def add_order(stored: bytes, order_id: str, second: int) -> tuple[bytes, bool]:
    """The orders with one more line, and whether that line began an order.

    >>> orders, new = add_order(b"", "A-1", 1_000)
    >>> new, add_order(orders, "A-1", 1_001)[1], add_order(orders, "A-2", 1_002)[1]
    (True, False, True)
    """
    name = crc32(order_id.encode("utf-8", "surrogatepass"))
    entries = list(_ENTRY.iter_unpack(stored))
    if any(held == name for held, _ in entries):
        return stored, False
    entries.append((name, max(second, 0)))
    entries.sort(key=lambda entry: entry[1])
    return b"".join(_ENTRY.pack(*entry) for entry in entries[-MOST_ORDERS:]), True


def last_order(stored: bytes) -> int | None:
    """When the newest order was, in seconds since 1970; None without orders.

    >>> last_order(add_order(b"", "A-1", 1_000)[0]), last_order(b"")
    (1000, None)
    """
    if not stored:
        return None
    second: int = _ENTRY.unpack_from(stored, len(stored) - _ENTRY.size)[1]
    return second
