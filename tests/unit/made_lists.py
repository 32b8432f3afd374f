"""Lists of candidates whose hit stands out in a way that a test knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jobs.ranking_set import NEVER, RankingSet

CANDIDATES = 20


def drawn_lists(lists: int, seed: int, columns: int = 4) -> RankingSet:
    """Lists of noise; the blend orders by column 0. Four lists are of one time."""
    drawn = np.random.default_rng(seed)
    rows = drawn.normal(size=(lists * CANDIDATES, columns)).astype(np.float32)
    starts = np.arange(lists + 1) * CANDIDATES
    hits = starts[:-1] + drawn.integers(0, CANDIDATES, lists)
    times = 1_000 + np.arange(lists) // 4
    strict = np.zeros(lists, np.bool_)
    return RankingSet(rows, starts, hits, rows[:, 0].copy(), strict, lists, 0, times)


def crossed(lists: int, seed: int) -> RankingSet:
    """What comes is the candidate with the greatest product of columns 1 and 2: neither says anything alone."""
    made = drawn_lists(lists, seed)
    product = (made.rows[:, 1] * made.rows[:, 2]).reshape(lists, CANDIDATES)
    return replace(made, hits=made.starts[:-1] + product.argmax(axis=1))


def of_two_kinds(lists: int, seed: int, bought: float = 0.15) -> RankingSet:
    """Most lists show what is looked at, which stands out in column 1 and lies low in column 2; in a share of
    them what came is bought at once, and stands out in column 2 alone."""
    made = drawn_lists(lists, seed)
    taken = np.random.default_rng(seed + 1).random(lists) < bought
    made.rows[made.hits, 1] += np.where(taken, 0.0, 2.0).astype(np.float32)
    made.rows[made.hits, 2] += np.where(taken, 2.0, -1.0).astype(np.float32)
    return replace(made, bought_at=np.where(taken, made.times, NEVER))
