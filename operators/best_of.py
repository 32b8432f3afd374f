"""The n greatest of many keys, kept in a heap while they come.

A key packs what decides (a score, then an order among equal scores) into one integer, so that comparing and
moving an entry is one machine instruction each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place


@compiled_in_place
def _sink(keys: NDArray[np.int64], start: int, count: int) -> None:
    key = keys[start]
    place = start
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[place] = keys[child]
        place = child
    keys[place] = key


@compiled_in_place
def would_keep(keys: NDArray[np.int64], count: int, most: int, key: int) -> bool:
    """Whether `keep_best` would take this key in."""
    return count < most or (count > 0 and keys[0] < key)


@compiled_in_place
def keep_best(keys: NDArray[np.int64], count: int, most: int, key: int) -> int:
    """Offer a key to the heap in the first `count` entries, the least on top; the new count.

    At most `most` are kept.
    """
    if count < most:
        place = count
        while place > 0:
            parent = (place - 1) >> 1
            if keys[parent] <= key:
                break
            keys[place] = keys[parent]
            place = parent
        keys[place] = key
        return count + 1
    if count > 0 and keys[0] < key:
        keys[0] = key
        _sink(keys, 0, count)
    return count


@compiled_in_place
def sort_best(keys: NDArray[np.int64], count: int) -> None:
    """Turn the heap of the first `count` entries into a list, the greatest first."""
    for last in range(count - 1, 0, -1):
        least = keys[0]
        keys[0] = keys[last]
        keys[last] = least
        _sink(keys, 0, last)
