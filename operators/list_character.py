"""What lists are like, whether or not they hold what was wanted: coverage, evenness, novelty, variety."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled

Lists = NDArray[np.int32]
"""int32[n, L]: item numbers, -1 past the end of a list."""


def exposures(lists: Lists, items: int, k: int) -> NDArray[np.int64]:
    """int64[items]: how often each item is among the first k of a list.

    >>> exposures(np.array([[0, 2], [2, -1]], np.int32), items=4, k=2).tolist()
    [1, 0, 2, 0]
    """
    shown = lists[:, :k]
    return np.bincount(shown[shown >= 0], minlength=items)


def gini(counts: NDArray[np.int64]) -> float | None:
    """How unevenly counts are spread: 0 all the same, towards 1 all with one; None where all are 0.

    The Gini coefficient Σ (2j − n − 1) c_j / (n Σ c_j) of n counts in ascending order, j from 1 (Fleder and
    Hosanagar, "Blockbuster Culture's Next Rise or Fall", Management Science 2009, use it for recommendations).

    >>> gini(np.array([3, 3, 3])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total, n = int(counts.sum()), len(counts)
    if total == 0:
        return None
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(np.sort(counts) @ weights / (n * total))


@compiled
def self_information(
    lists: NDArray[np.int32], before: NDArray[np.int64], touches: NDArray[np.int32], items: int, k: int
) -> NDArray[np.float64]:
    """float64[r, n]: the mean self-information (bits) of the first k items of r lists at n moments.

    An item that c of the t touches before the moment were of tells -log2((c + 1) / (t + items)): the less it is
    touched, the more novel it is (Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender
    systems", PNAS 2010; one touch is added to each item, so that those never touched have a figure). `lists`
    is int32[r, n, L], `before` the touches before each moment, ascending. Nan for an empty list.

    >>> lists = np.array([[[0, 1]], [[1, -1]]], np.int32)
    >>> self_information(lists, np.array([2]), np.array([0, 0], np.int32), 2, 2).round(4).tolist()
    [[1.2075], [2.0]]
    """
    makers, n, length = lists.shape
    counts = np.ones(items, np.int64)
    told = np.empty((makers, n), np.float64)
    learned = 0
    for moment in range(n):
        while learned < before[moment]:
            counts[touches[learned]] += 1
            learned += 1
        whole = np.log2(float(learned + items))
        for maker in range(makers):
            total, listed = 0.0, 0
            for place in range(min(k, length)):
                item = lists[maker, moment, place]
                if item >= 0:
                    total += whole - np.log2(float(counts[item]))
                    listed += 1
            told[maker, moment] = total / listed if listed > 0 else np.nan
    return told


def unexpected(hits: NDArray[np.bool_], lists: Lists, expected: Lists, k: int) -> NDArray[np.float64]:
    """float64[n]: relevant items among the first k of each list that `expected` does not have among its first k.

    What is relevant and not to be expected is serendipitous; what a primitive list (popularity) holds is to be
    expected (Ge, Delgado-Battenfeld and Jannach, "Beyond Accuracy", RecSys 2010, who divide by k).

    >>> lists, popular = np.array([[7, 8, 9]], np.int32), np.array([[9, 1, 2]], np.int32)
    >>> unexpected(np.array([[True, False, True]]), lists, popular, 3).tolist()
    [1.0]
    """
    counted = np.zeros(len(lists), np.float64)
    for place in range(min(k, lists.shape[1])):
        foreseen = (expected[:, :k] == lists[:, place, None]).any(axis=1)
        counted += hits[:, place] & ~foreseen
    return counted
