"""Boosted trees and a small network, tried on the same lists; one is chosen by a stated rule."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from jobs.ranker_onnx import check_parity, export_network, export_trees
from jobs.ranking_set import Quality, RankingSet, beats, quality
from operators.bundle_manifest import RankerKind
from operators.onnx_scorer import OnnxScorer

MOST_MICROSECONDS = 80.0
"""What the ranking model may cost per user, in onnxruntime on one thread, in batches of `BATCH_USERS`."""

BATCH_USERS = 64


@dataclass(frozen=True)
class RankerSettings:
    """What is tried: `trees` as (number of trees, leaves), `networks` as the sizes of their layers."""

    trees: tuple[tuple[int, int], ...] = ((30, 15), (60, 15), (60, 31))
    networks: tuple[tuple[int, ...], ...] = ((32, 16),)
    learning_rate: float = 0.1
    least_rows_in_leaf: int = 50
    negatives: int = 60
    network_epochs: int = 12
    seed: int = 7


@dataclass(frozen=True, eq=False)
class TriedRanker:
    """A ranker, trained, exported and measured on the validation lists; the blend has no `graph`."""

    kind: RankerKind
    label: str
    graph: bytes | None
    quality: Quality
    microseconds: float
    beats_blend: bool
    seconds: float


def try_rankers(
    train: RankingSet,
    validation: RankingSet,
    settings: RankerSettings,
    progress: Callable[[str], None] = lambda label: None,
) -> list[TriedRanker]:
    """The blend and every ranker of `settings`, in that order. `progress` hears of each before it starts."""
    tried = [TriedRanker("blend", "blend", None, quality(validation, validation.blend), 0.0, False, 0.0)]
    if train.lists < 2 or validation.lists == 0:
        return tried
    thinned = train.thinned(settings.negatives, settings.seed)
    for trees, leaves in settings.trees:
        label = f"trees {trees}x{leaves}"
        progress(label)
        tried.append(
            _tried("trees", label, partial(_tried_trees, thinned, trees, leaves, settings), validation)
        )
    for layers in settings.networks:
        label = f"network {'-'.join(map(str, layers))}"
        progress(label)
        tried.append(_tried("network", label, partial(_tried_network, thinned, layers, settings), validation))
    return tried


def choose(tried: Sequence[TriedRanker]) -> TriedRanker:
    """The best validation MRR among those of at most 80 µs a user that beat the blend by more than noise.

    Where there is none, the blend.
    """
    fit = [r for r in tried if r.beats_blend and r.microseconds <= MOST_MICROSECONDS]
    return max(fit, key=lambda r: r.quality.mrr, default=tried[0])


def microseconds_per_user(scorer: OnnxScorer, lists: RankingSet, repeats: int = 15) -> float:
    """The median cost of scoring one user's candidates, in batches of `BATCH_USERS` lists."""
    batches = [
        (
            lists.rows[lists.starts[g] : lists.starts[min(g + BATCH_USERS, lists.lists)]],
            min(BATCH_USERS, lists.lists - g),
        )
        for g in range(0, min(lists.lists, 4 * BATCH_USERS), BATCH_USERS)
    ]
    scorer.score(batches[0][0])
    taken = []
    for _ in range(repeats):
        for rows, users in batches:
            start = time.perf_counter()
            scorer.score(rows)
            taken.append((time.perf_counter() - start) / users)
    return float(np.median(taken) * 1e6)


Fitted = tuple[bytes, Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]]
"""An exported graph, and the source model's own scores to hold it to."""


def _tried(kind: RankerKind, label: str, fit: Callable[[], Fitted], validation: RankingSet) -> TriedRanker:
    start = time.perf_counter()
    graph, source = fit()
    seconds = time.perf_counter() - start
    scorer = OnnxScorer(graph, validation.rows.shape[1])
    scores = scorer.score(validation.rows)
    check_parity(scores[:20_000], source(validation.rows[:20_000]))
    return TriedRanker(
        kind,
        label,
        graph,
        quality(validation, scores),
        microseconds_per_user(scorer, validation),
        beats(validation, scores, validation.blend),
        seconds,
    )


def _tried_trees(train: RankingSet, trees: int, leaves: int, settings: RankerSettings) -> Fitted:
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "lambdarank_truncation_level": 30,
            "num_leaves": leaves,
            "learning_rate": settings.learning_rate,
            "min_data_in_leaf": settings.least_rows_in_leaf,
            "deterministic": True,
            "force_row_wise": True,
            "seed": settings.seed,
            "verbose": -1,
        },
        lightgbm.Dataset(train.rows, train.labels(), group=np.diff(train.starts)),
        trees,
    )
    return export_trees(booster, train.rows.shape[1]), lambda rows: np.asarray(
        booster.predict(rows, raw_score=True)
    )


def _tried_network(train: RankingSet, layers: tuple[int, ...], settings: RankerSettings) -> Fitted:
    pipeline = fit_network(train.rows, train.labels(), layers, settings.network_epochs, settings.seed)
    return export_network(pipeline, train.rows.shape[1]), lambda rows: _log_odds(pipeline, rows)


def fit_network(
    rows: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    layers: tuple[int, ...],
    epochs: int,
    seed: int,
) -> Pipeline:
    """A scaler and a small network that tells the rows that came (label 1) from the others."""
    network = MLPClassifier(
        layers,
        batch_size=min(512, len(rows)),
        learning_rate_init=2e-3,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is meant
        return pipeline.fit(rows, labels)


def _log_odds(pipeline: Pipeline, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    chance = pipeline.predict_proba(rows.astype(np.float64))
    return np.asarray(np.log(chance[:, 1]) - np.log(chance[:, 0]))
