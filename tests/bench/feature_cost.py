"""Processor time of the standard features of a ranker, a user: `python -m tests.bench.feature_cost`.

64 users of 150 candidates, 64 factors; the least of 30 turns, in µs a user.
"""

from __future__ import annotations

import time

import numpy as np

from operators.feature_plan import FeaturePlan
from operators.user_batch import UserBatch
from tests.unit.test_features import NOW, random_batch

USERS = 64
TURNS = 30


def cost() -> float:
    """µs of this thread a user."""
    plan = FeaturePlan()
    made, states, shelf = random_batch(USERS, 150)
    users = UserBatch.of(states, shelf, [NOW] * USERS)
    rows = np.arange(2_000, dtype=np.int32)
    factors = np.random.default_rng(1).normal(size=(2_000, 64)).astype(np.float32)
    plan.rows(made, users, shelf, rows, factors)
    taken = []
    for _ in range(TURNS):
        start = time.thread_time()
        plan.rows(made, users, shelf, rows, factors)
        taken.append(time.thread_time() - start)
    return min(taken) / USERS * 1e6


if __name__ == "__main__":
    print(f"{cost():.1f} µs a user")
