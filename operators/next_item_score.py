"""What is said of a recommender that predicts one next item at a time."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.prequential_score import hit_rate, mean_reciprocal_rank


class NextItemScore(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one recommender, None where nothing was predicted. `current` says what became of the
    session's current item ('drop' or 'keep').

    `hit_rate` is the share of predictions whose item was in the list (HR@20), `mrr` the mean of 1/rank
    (MRR@20) and `ndcg` the mean of 1/log2(1 + rank) (NDCG@20 with one relevant item), each 0 for an item that
    was not in the list.
    """

    name: str
    current: str
    hit_rate: float | None
    mrr: float | None
    ndcg: float | None


def normalised_gain(ranks: NDArray[np.uint8]) -> float | None:
    """The mean of 1/log2(1 + rank), where rank 0 gives 0; None of no ranks.

    With a single relevant item the ideal gain is 1, so this is NDCG (Järvelin and Kekäläinen, 2002).

    >>> normalised_gain(np.array([1, 0, 3, 0], np.uint8))
    0.375
    """
    listed = ranks[ranks > 0].astype(np.float64)
    return float(np.sum(1.0 / np.log2(1.0 + listed)) / len(ranks)) if len(ranks) else None


def next_item_score(name: str, current: str, ranks: NDArray[np.uint8]) -> NextItemScore:
    """The score of a recommender whose k-th prediction had rank `ranks[k]`, 0 where it was not listed."""
    return NextItemScore(
        name=name,
        current=current,
        hit_rate=hit_rate(ranks),
        mrr=mean_reciprocal_rank(ranks),
        ndcg=normalised_gain(ranks),
    )


class NextItemEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run. `learned` events of the train set touch `items` items; `predictions` were made
    in `sessions` test sessions. `left_out` test events touch an item that the train set does not show.

    `unused_rows` of the two files made no usable event. `model` names the bundle of Headrace's list, None
    where it had none.
    """

    learned: int
    items: int
    sessions: int
    predictions: int
    left_out: int
    unused_rows: int
    model: str | None
    seconds: float
    scores: list[NextItemScore]
