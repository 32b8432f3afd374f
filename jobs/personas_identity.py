"""Which of the new clusters are personas of the training before: Hungarian assignment of their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from operators.persona import Persona
from operators.persona_arithmetic import Floats

NEARER_THAN_NEXT = 0.5
"""A cluster is a persona of before where it lies nearer to it than this part of the way to the next such persona."""


def matched(
    means: Sequence[Mapping[str, float]], previous: Sequence[Persona], scale: Mapping[str, float]
) -> list[Persona | None]:
    """For each new cluster the persona of before that it is, None for a new one. A persona is given once.

    `means` are the new clusters' means by dimension and `scale` one standard deviation of each: what both
    trainings know is compared. The assignment makes the sum of distances least; a pair too far apart is undone.
    """
    shared = sorted(
        set(scale).intersection(*(set(mean) for mean in means), *(set(persona.means) for persona in previous))
    )
    if not shared or not previous:
        return [None] * len(means)
    new, old = _table(means, shared, scale), _table([persona.means for persona in previous], shared, scale)
    distances = _distances(new, old)
    between = _distances(old, old)
    np.fill_diagonal(between, np.inf)
    found: list[Persona | None] = [None] * len(means)
    for row, column in zip(*linear_sum_assignment(distances), strict=True):
        alone = len(previous) == 1
        if alone or distances[row, column] < NEARER_THAN_NEXT * between[column].min():
            found[row] = previous[column]
    return found


def _table(means: Sequence[Mapping[str, float]], names: Sequence[str], scale: Mapping[str, float]) -> Floats:
    return np.array([[mean[name] / scale[name] for name in names] for mean in means], np.float64)


def _distances(a: Floats, b: Floats) -> Floats:
    distances: Floats = np.linalg.norm(a[:, None] - b[None], axis=2)
    return distances
