"""What a training tells of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from jobs.boosted_training import TrainedBoosted
from jobs.ranker_search import Searched
from jobs.train_ranker import TriedRanker
from jobs.training_splits import SplitFigures
from operators.bundle_manifest import DataSpan, RankerKind


class TriedReport(msgspec.Struct, frozen=True, kw_only=True):
    """One ranker: quality on validation events, µs per user in onnxruntime, seconds of training.

    `mrr_bought` is of lists that hold what came and was bought, where some were and others not.
    """

    ranker: str
    hr: float
    mrr: float
    hr_strict: float
    mrr_strict: float
    microseconds: float
    beats_blend: bool
    chosen: bool
    seconds: float
    mrr_bought: float = 0.0


class SearchedReport(msgspec.Struct, frozen=True, kw_only=True):
    """The best settings found for one kind of ranker, their MRR@20 on the lists that judged, how many were tried."""

    ranker: str
    settings: dict[str, Any]
    mrr: float
    trials: int


class CategoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How far what `said` the probability of the next category can be taken at its word, over `pairs` of a user and a
    category of the set `asked`, before later events."""

    asked: str
    said: str
    pairs: int
    log_loss: float
    brier: float
    error: float


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a training; `recall` is the share of validation events whose item was a candidate.

    `left_out` says which ranker could not be tried, and why; it is empty where all were. `categories` judge a
    boosted model of the next category, where one was trained. `splits` are figures of the report on the bundle, where
    one was made.
    """

    bundle: str
    name: str
    ranker: RankerKind
    data: DataSpan
    unused_rows: int
    lists: int
    validation: int
    validation_strict: int
    recall: float
    candidates: float
    tried: list[TriedReport]
    searched: list[SearchedReport] = []
    left_out: str = ""
    categories: list[CategoryFigures] = []
    splits: list[SplitFigures] = []
    seconds: dict[str, float]


def metrics(ranker: TriedRanker) -> dict[str, float]:
    """What the manifest keeps of a ranker."""
    report = reported(ranker, chosen=False)
    return {name: getattr(report, name) for name in ("hr", "mrr", "hr_strict", "mrr_strict", "microseconds")}


def reported(ranker: TriedRanker, chosen: bool) -> TriedReport:
    """A ranker's line of the report, its figures rounded."""
    return TriedReport(
        ranker=ranker.label,
        hr=round(ranker.quality.hr, 4),
        mrr=round(ranker.quality.mrr, 4),
        hr_strict=round(ranker.quality.hr_strict, 4),
        mrr_strict=round(ranker.quality.mrr_strict, 4),
        microseconds=round(ranker.microseconds, 1),
        beats_blend=ranker.beats_blend,
        chosen=chosen,
        seconds=round(ranker.seconds, 1),
        mrr_bought=round(ranker.quality.mrr_bought, 4),
    )


def searched_reports(searched: Searched) -> list[SearchedReport]:
    """What a search found, a line for each kind of ranker."""
    return [
        SearchedReport(
            ranker=found.label.partition(" ")[0], settings=asdict(found), mrr=round(mrr, 4), trials=trials
        )
        for found, mrr, trials in zip(searched.found, searched.mrr, searched.trials, strict=True)
    ]


def category_figures(boosted: TrainedBoosted | None) -> list[CategoryFigures]:
    """The figures of a boosted model and of what it is held against; none without one."""
    return [
        CategoryFigures(
            asked=asked,
            said=each.name,
            pairs=sum(one.count for one in each.curve),
            log_loss=round(each.log_loss, 5),
            brier=round(each.brier, 5),
            error=round(each.error, 5),
        )
        for asked, judged in (() if boosted is None else boosted.judged.items())
        for each in judged
    ]
