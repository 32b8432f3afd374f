"""A category path as a short signed vector, the same everywhere and for ever, without a dictionary.

Feature hashing after Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (ICML 2009):
every level of the path gets a few signed places of `SKETCH_DIM`, so that categories with a common beginning
have a common part, and a model of fixed size serves a catalogue of any size.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import sqrt

import numpy as np
from numpy.typing import NDArray

SKETCH_DIM = 32
PLACES_PER_LEVEL = 4
MAX_LEVELS = 8
CACHED_CATEGORIES = 65_536

Sketch = tuple[tuple[int, float], ...]
"""The non-zeros of a sketch as (place, value), by ascending place."""


def levels(category: str) -> int:
    """How many levels of a category path are told apart: at least 1, at most `MAX_LEVELS`.

    >>> levels("Garden/Lights"), levels("?")
    (2, 1)
    """
    return min(category.count("/") + 1, MAX_LEVELS)


@lru_cache(maxsize=CACHED_CATEGORIES)
def sketch(category: str) -> Sketch:
    """The non-zeros of a category path's sketch; their squares sum to 1.

    Each level is hashed together with the levels above it, so `Toys/Lights` and `Garden/Lights` differ.
    Levels beyond `MAX_LEVELS` are not told apart.

    >>> round(sum(value * value for _, value in sketch("Garden/Lights")), 9)
    1.0
    >>> sketch("Garden/Lights") == sketch("Garden/Chairs")
    False
    """
    dense = [0.0] * SKETCH_DIM
    prefix = blake2b(digest_size=2 * PLACES_PER_LEVEL)
    for level in category.split("/")[:MAX_LEVELS]:
        prefix.update(level.encode() + b"/")
        digest = prefix.digest()
        # Distinct places within a level: two that met could cancel, and a category would look like nothing.
        taken: set[int] = set()
        for byte, sign in zip(digest[::2], digest[1::2], strict=True):
            place = byte % SKETCH_DIM
            while place in taken:
                place = (place + 1) % SKETCH_DIM
            taken.add(place)
            dense[place] += 1.0 if sign & 1 else -1.0
    norm = sqrt(sum(value * value for value in dense)) or 1.0
    return tuple((place, value / norm) for place, value in enumerate(dense) if value)


def item_sketch(category: str) -> NDArray[np.float32]:
    """The sketch as a dense float32 vector of shape (`SKETCH_DIM`,): a row of the shelf's item matrix.

    >>> item_sketch("Garden").shape, item_sketch("Garden").dtype
    ((32,), dtype('float32'))
    """
    dense = np.zeros(SKETCH_DIM, dtype=np.float32)
    for place, value in sketch(category):
        dense[place] = value
    return dense
