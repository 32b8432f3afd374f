"""How much of a candidate's score is owed to what."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def of_sources(said: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[k, S] of k candidates: what each source said times its weight. They add up to the score.

    >>> of_sources(np.array([[1.0, 0.5]], np.float32), np.array([2.0, 1.0], np.float32)).tolist()
    [[2.0, 0.5]]
    """
    return said * weights


def of_features(
    rows: NDArray[np.float32], chosen: NDArray[np.int32], score: Score
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """By how much each feature raises the score of the `chosen` rows, and the values it is compared with.

    Of a list's candidates `rows` float32[n, F] the middle value of a feature (its median) counts as neutral: a
    contribution is the score less the score with that feature alone brought to neutral. They need not add up to
    the score, since features act together; one that is the same for all candidates, as those of the user are,
    contributes 0, since it tells none of them apart by itself. Returns float32[k, F] and float32[F].

    >>> rows = np.array([[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]], np.float32)
    >>> given, neutral = of_features(rows, np.array([2], np.int32), lambda x: 2 * x[:, 0] + x[:, 1])
    >>> given.tolist(), neutral.tolist()
    ([[4.0, 0.0]], [1.0, 1.0])
    """
    k, width = len(chosen), rows.shape[1]
    # A median of an even number of rows would be a value that no candidate has.
    neutral = np.sort(rows, axis=0)[(len(rows) - 1) // 2] if len(rows) else np.zeros(width, np.float32)
    own = rows[chosen]
    moved = np.repeat(own, width, axis=0)
    moved[np.arange(k * width), np.tile(np.arange(width), k)] = np.tile(neutral, k)
    before = score(own)
    given: NDArray[np.float32] = (before[:, None] - score(moved).reshape(k, width)).astype(np.float32)
    return given, neutral
