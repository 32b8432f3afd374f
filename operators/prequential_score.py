"""What is said of a recommender, from the ranks at which the wanted items stood."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one recommender. None where no event counted.

    `hit_rate` is the share of counting events whose item was in the list (HR@20); `mrr` the mean of 1/rank,
    0 for an item not in the list (MRR@20); the `strict_` ones are over the strict events alone. `coverage` is
    the share of the touched items that were ever listed.
    """

    name: str
    hit_rate: float | None
    mrr: float | None
    strict_hit_rate: float | None
    strict_mrr: float | None
    coverage: float


def hit_rate(ranks: NDArray[np.uint8]) -> float | None:
    """The share of ranks above 0; None of no ranks.

    >>> hit_rate(np.array([1, 0, 20, 0], np.uint8))
    0.5
    """
    return float(np.count_nonzero(ranks) / len(ranks)) if len(ranks) else None


def mean_reciprocal_rank(ranks: NDArray[np.uint8]) -> float | None:
    """The mean of 1/rank, where rank 0 gives 0; None of no ranks.

    >>> mean_reciprocal_rank(np.array([1, 0, 4, 0], np.uint8))
    0.3125
    """
    listed = ranks[ranks > 0].astype(np.float64)
    return float(np.sum(1.0 / listed) / len(ranks)) if len(ranks) else None


def score_of(name: str, ranks: NDArray[np.uint8], strict: NDArray[np.bool_], coverage: float) -> Score:
    """The score of a recommender; counting event k had rank `ranks[k]` and was strict where `strict[k]`."""
    return Score(
        name=name,
        hit_rate=hit_rate(ranks),
        mrr=mean_reciprocal_rank(ranks),
        strict_hit_rate=hit_rate(ranks[strict]),
        strict_mrr=mean_reciprocal_rank(ranks[strict]),
        coverage=coverage,
    )


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run. `model` names the bundle of Headrace's list, None where it had none.

    `events` were learned from, `touching` of them touch an item; `counting` and `strict` were judged. `items`
    are the touched ones, of which `coverage` is a share. `unused_rows` of the file made no usable event.
    """

    events: int
    touching: int
    counting: int
    strict: int
    users: int
    items: int
    unused_rows: int
    model: str | None
    seconds: float
    recommenders: list[Score]
