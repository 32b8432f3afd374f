"""What a ranking model costs per user, in onnxruntime on one thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jobs.ranking_set import RankingSet
from operators.onnx_scorer import OnnxScorer

MOST_MICROSECONDS = 80.0
"""What the ranking model may cost per user, in batches of `BATCH_USERS`."""

BATCH_USERS = 64

CANDIDATES = 150
"""Candidates of a user, where a cost is measured without lists."""

Rows = npt.NDArray[np.float32]


def microseconds_per_user(scorer: OnnxScorer, lists: RankingSet, repeats: int = 15) -> float:
    """The median cost of scoring one user's candidates of these lists: see `microseconds_of`."""
    batches = [
        (
            lists.rows[lists.starts[g] : lists.starts[min(g + BATCH_USERS, lists.lists)]],
            min(BATCH_USERS, lists.lists - g),
        )
        for g in range(0, min(lists.lists, 4 * BATCH_USERS), BATCH_USERS)
    ]
    return microseconds_of(scorer, batches, repeats)


def microseconds_of(scorer: OnnxScorer, batches: Sequence[tuple[Rows, int]], repeats: int = 15) -> float:
    """The median cost per user of scoring batches, each the feature rows of so many users.

    Counts the time that this thread, the only one at work, had the processor: a busy machine changes little.
    """
    scorer.score(batches[0][0])
    taken = []
    for _ in range(repeats):
        for rows, users in batches:
            start = time.thread_time()
            scorer.score(rows)
            taken.append((time.thread_time() - start) / users)
    return float(np.median(taken) * 1e6)


def microseconds_for_rows(scorer: OnnxScorer, rows: Rows, repeats: int = 15) -> float:
    """The cost per user of `CANDIDATES` candidates each, whose features are these rows over and over."""
    batch = rows[np.arange(BATCH_USERS * CANDIDATES) % len(rows)]
    return microseconds_of(scorer, [(batch, BATCH_USERS)], repeats)
