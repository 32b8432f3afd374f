"""A ranker that can be fitted to lists and exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.ranking_set import RankingSet, Scores
from operators.bundle_manifest import RankerKind

Fitted = tuple[bytes, Callable[[npt.NDArray[np.float32]], Scores]]
"""An exported graph, and the source model's own scores to hold it to."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """A ranker that can be fitted to any lists with the same features."""

    kind: RankerKind
    label: str
    fit: Callable[[RankingSet], Fitted]
