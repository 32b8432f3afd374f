"""The best of an array of scores: how every baseline turns scores into a list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled


@compiled
def best(
    scores: NDArray[np.float64], count: int, excluded: NDArray[np.int32], most: int
) -> NDArray[np.int32]:
    """The at most `most` numbers below `count` of greatest score above 0, best first, none `excluded`.

    Of equal scores the lower number is first. Exclusion is exact, however many items are excluded. `scores`
    is written to while it works and is as it was when it returns.

    >>> best(np.array([1.0, 3.0, 0.0, 3.0]), 4, np.array([0], np.int32), 20).tolist()
    [1, 3]
    """
    kept = np.empty(len(excluded), np.float64)
    for k in range(len(excluded)):
        kept[k] = scores[excluded[k]]
    for k in range(len(excluded)):
        scores[excluded[k]] = 0.0
    top = np.empty(most, np.int32)
    held = 0
    for item in range(count):
        score = scores[item]
        if score <= 0.0 or (held == most and score <= scores[top[most - 1]]):
            continue
        place = held if held < most else most - 1
        while place > 0 and scores[top[place - 1]] < score:
            top[place] = top[place - 1]
            place -= 1
        top[place] = item
        held = min(held + 1, most)
    for k in range(len(excluded)):
        scores[excluded[k]] = kept[k]
    return top[:held].copy()


def lengthened(array: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """`array` with room for `least` entries, doubled and filled with 0 where it has not.

    >>> lengthened(np.ones(2), 3).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    if least <= len(array):
        return array
    longer = np.zeros(max(2 * len(array), least))
    longer[: len(array)] = array
    return longer
