"""The columns of what a sequence model says of the candidates, compiled by numba."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled
from operators.feature_columns import dot

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@compiled
def fill_sequence(
    items: Ints, start: Ints, row: Ints, numbers: Ints, vectors: Floats, users: Floats, out: Floats
) -> None:
    """2 columns: score above the mean of the user's candidates, and softmax share among these.

    `start` int32[m + 1] bounds each user's rows, `users` float32[m, d] are their vectors; `row`, `numbers` and
    `vectors` as in `SequenceModel`. Both are 0 for items that the model does not know, which count for nothing.
    """
    for user in range(len(start) - 1):
        first, end = start[user], start[user + 1]
        told = dot(users[user], users[user]) > 0.0
        total, known, most = 0.0, 0, -np.inf
        for at in range(first, end):
            out[at, 0] = 0.0
            out[at, 1] = -1.0
            if told and items[at] < len(row) and row[items[at]] >= 0:
                number = numbers[row[items[at]]]
                if number > 0:
                    score = dot(users[user], vectors[number])
                    out[at, 0] = score
                    out[at, 1] = 0.0
                    total += score
                    known += 1
                    most = max(most, score)
        shared = 0.0
        for at in range(first, end):
            if out[at, 1] == 0.0:
                out[at, 1] = np.exp(out[at, 0] - most)
                shared += out[at, 1]
                out[at, 0] -= total / known
        for at in range(first, end):
            out[at, 1] = out[at, 1] / shared if out[at, 1] >= 0.0 else 0.0
