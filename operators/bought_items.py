"""What one user bought and when, to the day: as many hashes and days as the record has room for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.item_hash import HASH_BYTES, add_item_hash, item_hash

DAY_BYTES = 2
MOST_DAY = 0xFFFF
"""Days since 1970 that fit: until the year 2149."""


def buy(bought: bytes, days: bytes, item_id: str, day: int, most: int) -> tuple[bytes, bytes, int]:
    """The user buys an item on a day (since 1970-01-01, UTC).

    Returns the hashes (`operators.item_hash`, oldest first), for each of them the latest day of a purchase as a
    little-endian 16-bit number (0: not known), and the days since that of the purchase before: 0 for none, for
    one of the same day, and for one that is told too late.

    >>> bought, days, _ = buy(b"", b"", "soap", 19_000, most=8)
    >>> bought, days, gap = buy(bought, days, "soap", 19_030, most=8)
    >>> gap, bought_days(bought, days).tolist()
    (30, [19030])
    """
    day = min(max(day, 0), MOST_DAY)
    held = bought_days(bought, days)
    place = np.flatnonzero(np.frombuffer(bought, "<u4") == item_hash(item_id))
    before = int(held[place[0]]) if len(place) else 0
    kept = np.append(np.delete(held, place[:1]), max(day, before))[-most:]
    gap = day - before if 0 < before < day else 0
    return add_item_hash(bought, item_id, most), kept.astype("<u2").tobytes(), gap


def bought_days(bought: bytes, days: bytes) -> NDArray[np.uint16]:
    """uint16[n]: the day of each of the n hashes. Those of records older than days were kept have 0.

    >>> bought_days(bytes(8), b"").tolist()
    [0, 0]
    """
    missing = len(bought) // HASH_BYTES - len(days) // DAY_BYTES
    return np.frombuffer(bytes(DAY_BYTES * max(missing, 0)) + days, "<u2")
