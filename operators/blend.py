"""The score of a candidate where no trained ranker gives one: a weighted sum of what the sources say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled


@compiled
def blended(said: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n] scores of float32[n, S] with float32[S] weights.

    Added up in the order of the sources: a matrix product sums rows differently by where they stand in a batch,
    and a list could then not be made again bit for bit.
    """
    scores = np.zeros(len(said), np.float32)
    for row in range(len(said)):
        total = np.float32(0.0)
        for source in range(said.shape[1]):
            total += said[row, source] * weights[source]
        scores[row] = total
    return scores


@compiled
def blended_each(said: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same with weights float32[n, S] of each row's own: bit for bit what `blended` gives with them."""
    scores = np.zeros(len(said), np.float32)
    for row in range(len(said)):
        total = np.float32(0.0)
        for source in range(said.shape[1]):
            total += said[row, source] * weights[row, source]
        scores[row] = total
    return scores
