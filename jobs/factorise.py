"""Item factors from implicit feedback, and the neighbours of every item in factor space.

Alternating least squares after Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback
Datasets" (2008), by the `implicit` library. The user side is thrown away: the stream folds a user in from
their recent items, so a bundle holds no row per user and knows nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@dataclass(frozen=True)
class FactorSettings:
    """How item factors are made.

    An event weighs half for every `half_life_days` before the latest; an item needs `least_users` users.
    """

    factors: int = 64
    iterations: int = 12
    regularization: float = 5.0
    alpha: float = 10.0
    half_life_days: float = 180.0
    neighbours: int = 50
    least_users: int = 3
    seed: int = 7


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """Unit rows float32[n, F], zero where an item had too few users, and the k nearest of each, best first.

    `neighbours` int32[n, k] are rows of the same arrays (-1 past the last), `neighbour_scores` their cosines.
    """

    item_ids: list[str]
    factors: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int32]
    neighbour_scores: npt.NDArray[np.float32]


def factorise(
    users: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    item_ids: list[str],
    settings: FactorSettings,
) -> ItemFactors:
    """Factors of `item_ids` from events given as arrays: user number, row of `item_ids`, weight > 0.

    The same input and seed give the same factors. Weights of one user's events with one item add up; their
    logarithm counts, so that the tenth purchase says less than the first.
    """
    shape = (int(users.max(initial=-1)) + 1, len(item_ids))
    seen = csr_matrix((weights, (users, items)), shape=shape, dtype=np.float32)
    seen.sum_duplicates()
    seen.data = np.log1p(seen.data)
    with threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.alpha,
            iterations=settings.iterations,
            random_state=settings.seed,
            num_threads=0,
        )
        model.fit(seen, show_progress=False)
    known = np.bincount(seen.indices, minlength=len(item_ids)) >= settings.least_users
    factors = _unit_rows(np.asarray(model.item_factors, np.float32)) * known[:, None]
    neighbours, scores = nearest(factors, settings.neighbours)
    return ItemFactors(item_ids, factors.astype(np.float32), neighbours, scores)


def recency_weights(
    times: npt.NDArray[np.int64], weights: npt.NDArray[np.float32], half_life_days: float
) -> npt.NDArray[np.float32]:
    """Weights halved for every `half_life_days` before the latest of `times` (ms)."""
    days = (times.max(initial=0) - times) / 86_400_000.0
    decayed: npt.NDArray[np.float32] = (weights * np.exp2(-days / half_life_days)).astype(np.float32)
    return decayed


def nearest(
    factors: npt.NDArray[np.float32], k: int, rows_at_once: int = 1024
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The k other rows of greatest positive dot product, best first; -1 and score 0 past the last."""
    n = len(factors)
    found = np.full((n, k), -1, np.int32)
    scores = np.zeros((n, k), np.float32)
    width = min(k, max(n - 1, 0))
    if width == 0:
        return found, scores
    for start in range(0, n, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, n))
        close = factors[rows] @ factors.T
        close[np.arange(len(rows)), rows] = -np.inf
        best = np.argpartition(-close, width - 1, axis=1)[:, :width]
        values = np.take_along_axis(close, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        values = np.take_along_axis(values, order, axis=1)
        found[rows, :width] = np.where(values > 0, np.take_along_axis(best, order, axis=1), -1)
        scores[rows, :width] = np.where(values > 0, values, 0)
    return found, scores


def _unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)
