"""What sets a cluster apart, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operators.persona_arithmetic import Floats
from operators.persona_vector import DIMENSIONS, Dimension

LEAST_DIFFERENCE = 0.35
"""Standard deviations by which a cluster's mean must lie off the average for it to be worth a word."""
SAME_STORY = 0.7
"""Correlation over users from which on two dimensions tell the same story, of which a name tells one."""
MOST_TRAITS = 5
NAMED_BY = 3
AVERAGE = "like the average"


def traits_of(
    means: Floats, correlation: Floats, dimensions: Sequence[Dimension] = DIMENSIONS
) -> list[tuple[str, ...]]:
    """For each cluster, up to `MOST_TRAITS` phrases of what sets it apart, the strongest first.

    `means` [c, d] are the clusters' mean standardised vectors, `correlation` [d, d] that of the dimensions.
    """
    traits = []
    for mean in means:
        told: list[int] = []
        for place in np.argsort(-np.abs(mean), kind="stable").tolist():
            if abs(mean[place]) < LEAST_DIFFERENCE or len(told) == MOST_TRAITS:
                break
            if _phrase(dimensions[place], mean[place]) and not any(
                abs(correlation[place, other]) >= SAME_STORY for other in told
            ):
                told.append(place)
        traits.append(tuple(_phrase(dimensions[place], mean[place]) for place in told))
    return traits


def names_of(traits: Sequence[tuple[str, ...]], taken: Sequence[str] = ()) -> list[str]:
    """A name for each cluster, its `NAMED_BY` first traits; no two alike, and none of those `taken`.

    >>> names_of([("buys often", "evenings"), ("buys often", "evenings"), ()])
    ['buys often, evenings', 'buys often, evenings (2)', 'like the average']
    """
    names: list[str] = []
    for own in traits:
        used = {*names, *taken}
        wanted = [", ".join(own[:length]) for length in range(NAMED_BY, len(own) + 1)] or [
            ", ".join(own) or AVERAGE
        ]
        free = [name for name in wanted if name not in used]
        name, number = free[0] if free else wanted[0], 2
        while name in used:
            name, number = f"{wanted[0]} ({number})", number + 1
        names.append(name)
    return names


def _phrase(dimension: Dimension, difference: float) -> str:
    return dimension.high if difference > 0 else dimension.low
