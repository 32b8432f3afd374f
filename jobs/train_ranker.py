"""Boosted trees and a small network, tried on the same lists; one is chosen by a stated rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import lightgbm
import numpy as np
import numpy.typing as npt

from jobs.listwise_network import fit_listwise
from jobs.ranker_onnx import check_parity, export_network, export_trees
from jobs.ranking_set import Quality, RankingSet, Scores, beats, quality
from operators.bundle_manifest import RankerKind
from operators.onnx_scorer import OnnxScorer

MOST_MICROSECONDS = 80.0
"""What the ranking model may cost per user, in onnxruntime on one thread, in batches of `BATCH_USERS`."""

BATCH_USERS = 64


@dataclass(frozen=True)
class RankerSettings:
    """What is tried: `trees` as (number of trees, leaves), `networks` as the sizes of their layers."""

    trees: tuple[tuple[int, int], ...] = ((20, 15), (30, 15))
    networks: tuple[tuple[int, ...], ...] = ((32, 16),)
    learning_rate: float = 0.1
    least_rows_in_leaf: int = 50
    negatives: int = 60
    epochs: int = 20
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
    """The best validation MRR among those of `MOST_MICROSECONDS` a user at most that beat the blend by more than noise.

    Where there is none, the blend.
    """
    fit = [r for r in tried if r.beats_blend and r.microseconds <= MOST_MICROSECONDS]
    return max(fit, key=lambda r: r.quality.mrr, default=tried[0])


def microseconds_per_user(scorer: OnnxScorer, lists: RankingSet, repeats: int = 15) -> float:
    """The median cost of scoring one user's candidates, in batches of `BATCH_USERS` lists.

    Counts the time that this thread, the only one at work, had the processor: a busy machine changes little.
    """
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
            start = time.thread_time()
            scorer.score(rows)
            taken.append((time.thread_time() - start) / users)
    return float(np.median(taken) * 1e6)


Fitted = tuple[bytes, Callable[[npt.NDArray[np.float32]], Scores]]
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
            "num_threads": 1,
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
    network = fit_listwise(train, layers, settings.epochs, settings.seed)
    return export_network(network), network.score
