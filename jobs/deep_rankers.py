"""What a sequence model adds to the rankers that are tried: the same ones with its features, and it alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jobs.listwise_network import ListwiseNetwork
from jobs.ranker_cost import BATCH_USERS
from jobs.ranker_onnx import export_network
from jobs.ranking_set import RankingSet, beats, quality, reciprocal_ranks
from jobs.sequence_onnx import ExportedSequence
from jobs.train_ranker import RankerSettings, TriedRanker, try_rankers
from operators.features import SEQUENCE_FEATURES
from operators.sequence_columns import fill_sequence

ALONE = "sequence alone"


@dataclass(frozen=True, eq=False)
class TriedRankers:
    """Rankers that take the columns `features` of the lists."""

    features: tuple[str, ...]
    tried: list[TriedRanker]


def columns(lists: RankingSet, names: tuple[str, ...], wanted: tuple[str, ...]) -> RankingSet:
    """The same lists with the columns `wanted` of those that are called `names`, in that order."""
    if names == wanted:
        return lists
    return replace(lists, rows=np.ascontiguousarray(lists.rows[:, [names.index(name) for name in wanted]]))


def try_with_sequence(
    train: RankingSet,
    validation: RankingSet,
    names: tuple[str, ...],
    settings: RankerSettings,
    sequence: ExportedSequence,
    progress: Callable[[str], None] = lambda label: None,
) -> list[TriedRankers]:
    """Every ranker of `settings` on all columns `names`, and the sequence model's score alone.

    What they cost a user includes the encoder and the dot products. Without lists to judge by, none.
    """
    if train.lists < 2 or validation.lists == 0:
        return []
    dear = microseconds(sequence, len(validation.rows) // validation.lists)
    _, *tried = try_rankers(train, validation, settings, lambda label: progress(f"{label} + sequence"))
    fit = SEQUENCE_FEATURES[:1]
    return [
        TriedRankers(fit, [_alone(columns(validation, names, fit), dear)]),
        TriedRankers(
            names,
            [replace(r, label=f"{r.label} + sequence", microseconds=r.microseconds + dear) for r in tried],
        ),
    ]


def microseconds(sequence: ExportedSequence, candidates: int, repeats: int = 60) -> float:
    """The median cost of one user's vector and of the scores of `candidates` items, in batches of `BATCH_USERS`.

    Processor time of this thread, as `jobs.ranker_cost.microseconds_per_user`.
    """
    model = sequence.model()
    rows = np.arange(len(sequence.numbers), dtype=np.int32)
    row_of = np.concatenate(([-1], np.flatnonzero(sequence.numbers))).astype(np.int32)
    taken_by = row_of[np.resize(sequence.golden_items, (BATCH_USERS, model.length))]
    items = np.resize(rows, BATCH_USERS * candidates)
    start = (np.arange(BATCH_USERS + 1) * candidates).astype(np.int32)
    out: npt.NDArray[np.float32] = np.empty((len(items), len(SEQUENCE_FEATURES)), np.float32)
    taken = []
    for _ in range(repeats + 1):
        began = time.thread_time()
        users = model.users(taken_by, rows)
        fill_sequence(items, start, rows, model.numbers, model.vectors, users, out)
        taken.append((time.thread_time() - began) / BATCH_USERS)
    return float(np.median(taken[1:]) * 1e6)  # the first may compile


def _alone(validation: RankingSet, dear: float) -> TriedRanker:
    """The order by the sequence model's score: a ranker of one column with weight 1."""
    weight = ListwiseNetwork((np.ones((1, 1), np.float32),), (np.zeros(1, np.float32),))
    scores = validation.rows[:, 0]
    return TriedRanker(
        "network",
        ALONE,
        export_network(weight),
        quality(validation, scores),
        dear,
        beats(validation, scores, validation.blend),
        0.0,
        reciprocal_ranks(validation, scores),
    )
