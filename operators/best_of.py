"""The n best of many, kept in a heap while they come: by score, and among equals by the greater order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled


@compiled
def _worse(score: float, order: int, other_score: float, other_order: int) -> bool:
    return score < other_score or (score == other_score and order < other_order)


@compiled
def _sink(
    scores: NDArray[np.float32], orders: NDArray[np.int64], refs: NDArray[np.int64], start: int, count: int
) -> None:
    score, order, ref = scores[start], orders[start], refs[start]
    place = start
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and _worse(scores[child + 1], orders[child + 1], scores[child], orders[child]):
            child += 1
        if not _worse(scores[child], orders[child], score, order):
            break
        scores[place], orders[place], refs[place] = scores[child], orders[child], refs[child]
        place = child
    scores[place], orders[place], refs[place] = score, order, ref


@compiled
def would_keep(
    scores: NDArray[np.float32], orders: NDArray[np.int64], count: int, score: float, order: int
) -> bool:
    """Whether `keep_best` would take this one in."""
    return count < len(scores) or _worse(scores[0], orders[0], score, order)


@compiled
def keep_best(
    scores: NDArray[np.float32],
    orders: NDArray[np.int64],
    refs: NDArray[np.int64],
    count: int,
    score: float,
    order: int,
    ref: int,
) -> int:
    """Offer one to the heap in the first `count` entries, worst on top; the new count.

    At most len(scores) are kept.
    """
    if count < len(scores):
        place = count
        while place > 0:
            parent = (place - 1) >> 1
            if not _worse(score, order, scores[parent], orders[parent]):
                break
            scores[place], orders[place], refs[place] = scores[parent], orders[parent], refs[parent]
            place = parent
        scores[place], orders[place], refs[place] = score, order, ref
        return count + 1
    if count and _worse(scores[0], orders[0], score, order):
        scores[0], orders[0], refs[0] = score, order, ref
        _sink(scores, orders, refs, 0, count)
    return count


@compiled
def sort_best(
    scores: NDArray[np.float32], orders: NDArray[np.int64], refs: NDArray[np.int64], count: int
) -> None:
    """Turn the heap of the first `count` entries into a list, the best first."""
    for last in range(count - 1, 0, -1):
        worst = scores[0], orders[0], refs[0]
        scores[0], orders[0], refs[0] = scores[last], orders[last], refs[last]
        scores[last], orders[last], refs[last] = worst
        _sink(scores, orders, refs, 0, last)
