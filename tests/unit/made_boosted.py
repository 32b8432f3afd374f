"""Boosted models of the next category made of drawn examples, whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jobs.boosted_settings import BoostedSettings
from jobs.boosted_training import ExportedBoosted, fit_boosted
from jobs.category_examples import CategoryExamples
from operators.boosted_features import INPUTS

QUICK = BoostedSettings(events=2_000, judged=600, trees=30, least_rows_in_leaf=20)


def true_probability(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Of drawn rows: steps in two inputs, which no logistic curve over the calibrated affinity could say."""
    recent, popular = (rows[:, INPUTS.index(name)] for name in ("recent_share", "popularity"))
    return np.where(recent > 0.6, 0.6, np.where(popular > 0.5, 0.2, 0.05))


def drawn_examples(events: int, categories: int = 8, seed: int = 1) -> CategoryExamples:
    """Rows of numbers from 0 to 1, and what came drawn by `true_probability`."""
    drawn = np.random.default_rng(seed)
    rows = drawn.random((events * categories, len(INPUTS))).astype(np.float32)
    came = (drawn.random(len(rows)) < true_probability(rows)).astype(np.int64)
    event = np.repeat(np.arange(events), categories).astype(np.int32)
    return CategoryExamples(rows, came, event, np.arange(len(rows)) % 2 == 0)


def drawn_boosted() -> ExportedBoosted:
    """A small model of drawn examples."""
    return fit_boosted(drawn_examples(800), QUICK)
