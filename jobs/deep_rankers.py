"""Rankers tried once more with what a model beside them says of a candidate, and that model alone."""

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
from operators.sequence_columns import fill_sequence


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


@dataclass(frozen=True, eq=False)
class Beside:
    """A model beside the rankers, as the table calls it, the µs that it costs a user, and the `features` that it gives
    them.

    The first is its score, by which it is tried alone too, unless another of the same model was already."""

    label: str
    microseconds: float
    features: tuple[str, ...]
    alone: bool = True


def try_with_model(
    train: RankingSet,
    validation: RankingSet,
    names: tuple[str, ...],
    plain: tuple[str, ...],
    settings: RankerSettings,
    beside: Beside,
    progress: Callable[[str], None] = lambda label: None,
) -> list[TriedRankers]:
    """Every ranker of `settings` on the columns `plain` and the model's, of lists with columns `names`, and its score
    alone.

    What they cost a user includes what the model does. Without lists to judge by, none.
    """
    if train.lists < 2 or validation.lists == 0:
        return []
    dear = beside.microseconds
    groups = []
    if beside.alone:
        fit = beside.features[:1]
        own = _alone(f"{beside.label} alone", columns(validation, names, fit), dear)
        groups.append(TriedRankers(fit, [own]))
    wanted = (*plain, *beside.features)
    learned, judged = (columns(lists, names, wanted) for lists in (train, validation))
    _, *tried = try_rankers(learned, judged, settings, lambda label: progress(f"{label} + {beside.label}"))
    with_it = [
        replace(r, label=f"{r.label} + {beside.label}", microseconds=r.microseconds + dear) for r in tried
    ]
    return [*groups, TriedRankers(wanted, with_it)]


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
    out: npt.NDArray[np.float32] = np.empty((len(items), 2), np.float32)
    taken = []
    for _ in range(repeats + 1):
        began = time.thread_time()
        users = model.users(taken_by, rows)
        fill_sequence(items, start, rows, model.numbers, model.vectors, users, out)
        taken.append((time.thread_time() - began) / BATCH_USERS)
    return float(np.median(taken[1:]) * 1e6)  # the first may compile


def _alone(label: str, validation: RankingSet, dear: float) -> TriedRanker:
    """The order by a model's score: a ranker of one column with weight 1."""
    weight = ListwiseNetwork((np.ones((1, 1), np.float32),), (np.zeros(1, np.float32),))
    scores = validation.rows[:, 0]
    return TriedRanker(
        "network",
        label,
        export_network(weight),
        quality(validation, scores),
        dear,
        beats(validation, scores, validation.blend),
        0.0,
        reciprocal_ranks(validation, scores),
    )
