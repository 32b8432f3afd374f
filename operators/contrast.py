"""What an engaging event is held against: a made-up example, drawn from the event's own id."""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from operators.logistic import priced as at_price
from operators.sketch import Sketch, sketch

CONTRASTS = 1024
"""How many made-up categories, and as many prices, there are to draw from: 10 of a hash's 32 bits each."""


def contrast_of(event_id: str, depth: int, priced: bool) -> Sketch:
    """The example that an engaging event is held against: a made-up category as deep, and a made-up price.

    Drawn from the event id alone, evenly from `CONTRASTS` categories and, independently, from as many prices
    over the whole range, whereas the user's own prices bunch around its middle.

    >>> contrast_of("event-1", depth=2, priced=False) == contrast_of("event-1", depth=2, priced=False)
    True
    """
    hashed = crc32(event_id.encode())
    category = _made_up_category(hashed % CONTRASTS, depth)
    if not priced:
        return category
    return at_price(category, 2.0 * ((hashed >> 22) + 0.5) / CONTRASTS - 1.0)


@lru_cache(maxsize=CONTRASTS * 8)
def _made_up_category(index: int, depth: int) -> Sketch:
    return sketch("/".join([f"\x00{index}"] * depth))
