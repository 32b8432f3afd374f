"""Gradient-boosted trees by LightGBM that order the candidates of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import lightgbm
import numpy as np

from jobs.ranking_set import LIST_LENGTH, RankingSet

_PATIENCE = 10
"""Trees without a better order of the later lists, until no more are added."""


@dataclass(frozen=True)
class TreeSettings:
    """How trees are grown. `truncation` is up to which place of a list pairs count; `columns` the share of the
    features that a tree may look at. `binary` trees tell what came from what did not, row by row, both weighing
    the same in total."""

    trees: int = 20
    leaves: int = 15
    learning_rate: float = 0.1
    least_rows_in_leaf: int = 50
    truncation: int = 30
    columns: float = 1.0
    objective: Literal["lambdarank", "binary"] = "lambdarank"

    @property
    def label(self) -> str:
        """As the table of rankers calls them."""
        return f"trees {self.trees}x{self.leaves}"


def fit_trees(
    lists: RankingSet, settings: TreeSettings, seed: int, later: RankingSet | None = None
) -> lightgbm.Booster:
    """Trees of `lists`. With lists of `later` events, no more trees than order those better (NDCG@20)."""
    parameters: dict[str, Any] = {
        "objective": settings.objective,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_rows_in_leaf,
        "feature_fraction": settings.columns,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    if settings.objective == "lambdarank":
        parameters["lambdarank_truncation_level"] = settings.truncation
    else:
        parameters["scale_pos_weight"] = (len(lists.rows) - lists.lists) / max(lists.lists, 1)
    learned = lightgbm.Dataset(lists.rows, lists.labels(), group=np.diff(lists.starts))
    if later is None:
        return lightgbm.train(parameters, learned, settings.trees)
    judged = lightgbm.Dataset(later.rows, later.labels(), group=np.diff(later.starts), reference=learned)
    return lightgbm.train(
        parameters | {"metric": "ndcg", "eval_at": [LIST_LENGTH]},
        learned,
        settings.trees,
        valid_sets=[judged],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )


def trees_until_no_better(lists: RankingSet, later: RankingSet, settings: TreeSettings, seed: int) -> int:
    """How many trees order later lists best: at least one, at most those of the settings."""
    best: int = fit_trees(lists, settings, seed, later).best_iteration
    return max(1, best)
