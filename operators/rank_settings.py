"""How lists are made: where candidates come from, what each source weighs, what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.candidates import SOURCES, CandidateSettings
from operators.exploration import ExploreSettings


@dataclass(frozen=True)
class RankSettings:
    """How lists are made. `blend` weighs what the sources say where no trained ranker does.

    What the user touched is left out, as far back as the record remembers; without `exclude_touched` only
    what they bought, and without `exclude_bought` not even that. In a list for the next visit, whose session is
    over, `next_visit` is left of what the sources say that start from the user's last items, and `next_visit_past`
    of `session_knn`, which all that they ever took asks then: what trends counts for more. Raises `ValueError` for
    a source that there is not, and a share that is not from 0 to 1.
    """

    length: int = 20
    exclude_touched: bool = True
    exclude_bought: bool = True
    candidates: CandidateSettings = CandidateSettings()
    explore: ExploreSettings = ExploreSettings()
    next_visit: float = 0.1
    next_visit_past: float = 0.25
    blend: Mapping[str, float] = field(
        default_factory=lambda: {
            "session_knn": 1.0,
            "covisit": 0.75,
            "trending": 0.05,
            "category_trending": 0.05,
            "factors": 0.3,
            "similar": 1.0,
            "again": 1.0,
        }
    )

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.blend) - set(SOURCES)):
            raise ValueError(f"rank.blend: unknown source {unknown[0]!r}; known: {', '.join(SOURCES)}")
        for name in ("next_visit", "next_visit_past"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"rank.{name} is {getattr(self, name)}; it must be from 0 to 1")


def blend_of(weights: Mapping[str, float]) -> NDArray[np.float32]:
    """float32[len(SOURCES)]: the weight of every source, 0 where none is given."""
    return np.array([weights.get(source, 0.0) for source in SOURCES], np.float32)
