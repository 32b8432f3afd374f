"""Figures of ranked lists against what was wanted, at a cut-off: a value for each list.

`hits` bool[n, L] says at which places of n lists something relevant stands, `relevant` int[n] how many items
are relevant to each list in all, listed or not (at least 1). `k` is the cut-off: only the first k places count.
A list shorter than k loses what its missing places could have held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Hits = NDArray[np.bool_]
Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def hit_rate(hits: Hits, relevant: Counts, k: int) -> Values:
    """1 where anything relevant is among the first k, else 0 (Deshpande and Karypis, TOIS 2004).

    >>> hit_rate(np.array([[False, True], [False, False]]), np.array([1, 1]), 2).tolist()
    [1.0, 0.0]
    """
    found: Values = hits[:, :k].any(axis=1).astype(np.float64)
    return found


def precision(hits: Hits, relevant: Counts, k: int) -> Values:
    """How many of k places are relevant, over k (Manning, Raghavan and Schütze, 2008, 8.4).

    >>> precision(np.array([[False, True, True, False]]), np.array([2]), 4).tolist()
    [0.5]
    """
    found: Values = np.count_nonzero(hits[:, :k], axis=1) / k
    return found


def recall(hits: Hits, relevant: Counts, k: int) -> Values:
    """How many of the relevant items are among the first k, over their number (as above).

    >>> recall(np.array([[False, True, True, False]]), np.array([4]), 4).tolist()
    [0.5]
    """
    found: Values = np.count_nonzero(hits[:, :k], axis=1) / relevant
    return found


def ndcg(hits: Hits, relevant: Counts, k: int) -> Values:
    """Discounted gain, 1/log2(1 + place), over that of the best list there can be (Järvelin and Kekäläinen, 2002).

    >>> ndcg(np.array([[False, False, True]]), np.array([1]), 3).tolist()
    [0.5]
    """
    places = min(k, hits.shape[1])
    gains = 1.0 / np.log2(2.0 + np.arange(k))
    ideal = np.cumsum(gains)[np.minimum(relevant, k) - 1]
    found: Values = hits[:, :places] @ gains[:places] / ideal
    return found


def reciprocal_rank(hits: Hits, relevant: Counts, k: int) -> Values:
    """1 over the place of the first relevant item, 0 where none is among the first k (Voorhees, 1999).

    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]), np.array([2, 1]), 3).tolist()
    [0.5, 0.0]
    """
    top = hits[:, :k]
    return np.where(top.any(axis=1), 1.0 / (1.0 + top.argmax(axis=1)), 0.0)


ACCURACY: Mapping[str, Callable[[Hits, Counts, int], Values]] = {
    "hr": hit_rate,
    "precision": precision,
    "recall": recall,
    "ndcg": ndcg,
    "mrr": reciprocal_rank,
}
"""By the name under which reports give them."""
