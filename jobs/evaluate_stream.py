"""The stream protocol of `headrace evaluate`: recommenders side by side over recorded events (docs/quality.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from jobs.evaluate_cold import ColdEvaluation, cold_evaluation, split_of
from jobs.judgement_groups import Sorted
from jobs.quality_figures import EXPECTED
from jobs.quality_report import Origin, QualityReport
from jobs.quality_run import QualityRun
from jobs.recommenders import KNOWN, CannotJudge, Strategy, models_of, recommenders, strategies
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from operators.bundle import Bundle
from operators.cold_start import ColdStart
from operators.held_out import ONE_IN, LeavesOut, held_out
from operators.judgements import JudgementLog
from operators.numbering import Numbering
from operators.prequential import Prequential, Recommender
from operators.prequential_score import Evaluation
from operators.segments import SegmentRule
from schemas.records import Event

DEFAULTS = Settings()
Progress = Callable[[Prequential], Any]


class Split(StrEnum):
    """What is learned from, and what is judged."""

    TIME = "time"
    """Everything is judged before it is learned from."""
    USERS = "users"
    """Users held out are judged and never learned from; all others are learned from and not judged."""
    COLD = "cold"
    """As `TIME`, the later half alone; what is new in it is told apart."""


PROTOCOL = {
    Split.TIME: "Every event was predicted, then learned from, in the order of time.",
    Split.USERS: (
        f"One user in {ONE_IN} was held out: their events were predicted and went into their own records alone, so"
        " nobody was helped by what they themselves had taught. All others were learned from and not judged."
    ),
    Split.COLD: (
        "The earlier half of the events was learned from and not judged; every event of the later half was"
        " predicted, then learned from. New is what came with the later half."
    ),
}
UNSEEN = "Items and users unseen in training"
"""Title of the grouping by what is new to a bundle."""

COUNTING = (
    "An event counts when its user takes an item for the first time, and is not the user's first; a list holds at"
    " most 20 items, none that the user ever touched."
)


def evaluate(
    data: TrainingEvents,
    only: Sequence[str] = KNOWN,
    bundle: Bundle | None = None,
    progress: Progress = lambda trial: None,
    settings: Settings = DEFAULTS,
    split: Split = Split.TIME,
) -> Evaluation:
    """Judge the recommenders named in `only`, side by side, over cleaned events in order of time.

    With a bundle only events later than its data count. `progress` is called after each event; `settings`
    are those of the job. Raises `CannotJudge` for an unknown name and where the bundle has seen all events.
    """
    started = time.perf_counter()
    run = _Trial(data, strategies(only, bundle, settings), settings, split)
    run.through(progress)
    return run.evaluation(_seconds_since(started), None if bundle is None else bundle.name)


def evaluate_cold(
    data: TrainingEvents,
    only: Sequence[str] = KNOWN,
    bundle: Bundle | None = None,
    progress: Progress = lambda trial: None,
    settings: Settings = DEFAULTS,
) -> ColdEvaluation:
    """As `evaluate`, over the later half of the events, for items and users that the earlier half lacks."""
    started = time.perf_counter()
    run = _Trial(data, strategies(only, bundle, settings), settings, Split.COLD)
    run.through(progress)
    model = None if bundle is None else bundle.name
    return cold_evaluation(run.cold, len(data.events), run.count_from, model, _seconds_since(started))


def evaluate_fully(
    data: TrainingEvents,
    only: Sequence[str],
    bundle: Bundle | None,
    progress: Progress,
    settings: Settings,
    split: Split,
    rules: Sequence[SegmentRule],
    origin: Origin,
    title: str,
    count_from: int = 0,
    judges: Callable[[Event], bool] | None = None,
    notes: Sequence[str] = (),
    unseen: bool = False,
) -> tuple[Evaluation, QualityReport]:
    """As `evaluate`, and every figure of a report, for which popularity is judged too if it was not asked for.

    The report is about the first of `only`. Events before `count_from` (ms), and those that `judges` refuses, are
    learned from and not judged. `rules` are the segments that users are told apart by. With `unseen` it tells apart
    the items and users of whom there was no event before those that are judged.
    """
    started = time.perf_counter()
    chosen = strategies((*only, EXPECTED), bundle, settings)
    kept = QualityRun([each.name for each in chosen], data.items, rules, settings.step)
    run = _Trial(data, chosen, settings, split, kept.log, count_from, judges, unseen)
    run.through(progress, lambda event: kept.took((event,)))
    done = run.evaluation(_seconds_since(started), None if bundle is None else bundle.name)
    report = kept.report(
        title,
        [PROTOCOL[split], COUNTING, *notes],
        origin,
        run.items,
        data.unused,
        models_of(chosen),
        done.seconds,
        run.sorts(),
    )
    return done, report


class _Trial:
    """One run over the events; `cold` tells new from old where the split is by it."""

    def __init__(
        self,
        data: TrainingEvents,
        chosen: Sequence[Strategy],
        settings: Settings,
        split: Split,
        log: JudgementLog | None = None,
        count_from: int = 0,
        judges: Callable[[Event], bool] | None = None,
        unseen: bool = False,
    ) -> None:
        bounds = [count_from, *(_after(each.bundle, data) for each in chosen if each.bundle is not None)]
        if split is Split.COLD:
            bounds.append(split_of(data.events))
        self.count_from = max(bounds)
        self.items = Numbering(item.item_id for item in data.items)
        followers = recommenders(chosen, self.items, data.items, settings)
        made: Sequence[Recommender] = followers
        if split is Split.USERS:
            made = [LeavesOut(each) for each in followers]
            judges = held_out if judges is None else both(held_out, judges)
        self._trial = Prequential(made, self.items, self.count_from, judges, log)
        self.cold = ColdStart(self._trial, self.count_from)
        self._data = data
        self._split = split
        self._unseen = unseen

    def through(self, progress: Progress, took: Callable[[Event], None] = lambda event: None) -> None:
        take = self.cold.take if self._split is Split.COLD or self._unseen else self._trial.take
        for event in self._data.events:
            take(event)
            took(event)
            progress(self._trial)

    def evaluation(self, seconds: float, model: str | None) -> Evaluation:
        return self._trial.evaluation(model=model, unused_rows=self._data.unused, seconds=seconds)

    def sorts(self) -> list[Sorted]:
        """New items and users told apart, where the split is by it or they are asked for."""
        if self._split is Split.COLD:
            note = "New is what the earlier half of the events did not show."
            return [Sorted("New items and users", note, self.cold.masks(), overlapping=True)]
        if self._unseen:
            note = "Unseen is of whom there was no event before those that are judged."
            return [Sorted(UNSEEN, note, self.cold.unseen(), overlapping=True)]
        return []


def both(one: Callable[[Event], bool], other: Callable[[Event], bool]) -> Callable[[Event], bool]:
    """Whether both say so of an event."""
    return lambda event: one(event) and other(event)


def _seconds_since(started: float) -> float:
    return round(time.perf_counter() - started, 1)


def _after(bundle: Bundle, data: TrainingEvents) -> int:
    seen_until = bundle.manifest.data.last
    if data.events[-1].time <= seen_until:
        raise CannotJudge(
            f"bundle {bundle.name} was trained on events until {seen_until} ms, and the file ends at"
            f" {data.events[-1].time} ms: it has seen them all; train on an earlier span or judge on later"
            " events"
        )
    return seen_until + 1
