"""From a file of events to a model bundle: factors, lists, rankers, each from later events than the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.bundle_writer import refuse_existing, write_bundle
from jobs.factorise import FactorSettings, ItemFactors, factorise, recency_weights
from jobs.plain_stream import PlainStream
from jobs.ranking_set import RankingSet
from jobs.train_ranker import RankerSettings, TriedRanker, choose, try_rankers
from jobs.training_events import NothingToLearnError, TrainingEvents, read_training_events
from jobs.training_report import TrainingReport, metrics, reported
from jobs.training_set import ListSampler
from operators.bundle_manifest import DataSpan, Manifest
from operators.features import FEATURES
from operators.ingest_settings import IngestSettings
from operators.onnx_scorer import OnnxScorer
from operators.ranker import RankSettings
from operators.statistics import StatisticsSettings
from operators.user_step import StepSettings
from schemas.records import Event

GOLDEN_ROWS = 64

ProgressOf = Callable[[str, int, int | None], None]
"""Hears of a stage by name, how much of it is done, and how much there is, where that is known."""


@dataclass(frozen=True)
class TrainingSettings:
    """How much is learned from.

    The first `factor_share` of the events (by number, cut at a change of time) makes the factors, those up to
    `ranker_share` the ranker, the rest measures. Of the latter two, `lists` and `validation` events
    are sampled; those that count are used.
    """

    factor_share: float = 0.6
    ranker_share: float = 0.8
    lists: int = 40_000
    validation: int = 20_000
    seed: int = 7
    factors: FactorSettings = field(default_factory=FactorSettings)
    rankers: RankerSettings = field(default_factory=RankerSettings)


class Training:
    """One training with its settings; `step`, `statistics`, `rank` and `ingest` are the job's."""

    def __init__(
        self,
        settings: TrainingSettings,
        step: StepSettings | None = None,
        statistics: StatisticsSettings | None = None,
        rank: RankSettings | None = None,
        ingest: IngestSettings | None = None,
    ) -> None:
        self._settings = settings
        self._step = step or StepSettings()
        self._statistics = statistics or StatisticsSettings()
        self._rank = rank or RankSettings()
        self._ingest = ingest or IngestSettings()
        self._seconds: dict[str, float] = {}

    def run(
        self,
        file: Path,
        items_file: Path | None,
        folder: Path,
        progress: ProgressOf = lambda stage, done, of: None,
        until: int | None = None,
    ) -> TrainingReport:
        """Train on a file and write the bundle to `folder`, which ends in the bundle's name and version.

        With `until` (ms), only events before it are learned from, so that the rest can judge the bundle.

        Raises `FileRefused` or `NothingToLearnError` for what cannot be learned from, `BundleExists`
        where the folder is there already.
        """
        refuse_existing(folder)
        start = time.perf_counter()
        data = read_training_events(
            file, items_file, self._ingest, lambda row, rows: progress("read", row, rows), until
        )
        start = self._done("read", start)
        first, second = split(data.events, self._settings.factor_share, self._settings.ranker_share)
        progress("factors", 0, None)
        factors = self._factors(data.events[:first])
        start = self._done("factors", start)
        train, validation = self._lists(data, factors, first, second, progress)
        start = self._done("lists", start)
        tried = try_rankers(
            train, validation, self._settings.rankers, lambda label: progress(f"train {label}", 0, None)
        )
        self._done("rankers", start)
        chosen = choose(tried)
        span = DataSpan(
            events=len(data.events),
            users=len({event.user_id for event in data.events}),
            items=len(factors.item_ids),
            first=data.events[0].time,
            factors_until=data.events[first].time,
            ranker_until=data.events[second].time,
            last=data.events[-1].time,
        )
        self._write(folder, factors, chosen, tried, validation, span)
        return TrainingReport(
            bundle=str(folder),
            name=f"{folder.parent.name}/{folder.name}",
            ranker=chosen.kind,
            data=span,
            unused_rows=data.unused,
            lists=train.lists,
            validation=validation.counted,
            validation_strict=validation.counted_strict,
            recall=validation.lists / max(validation.counted, 1),
            candidates=len(validation.rows) / max(validation.lists, 1),
            tried=[reported(ranker, ranker is chosen) for ranker in tried],
            seconds=self._seconds,
        )

    def _factors(self, events: Sequence[Event]) -> ItemFactors:
        users: dict[str, int] = {}
        items: dict[str, int] = {}
        interest = self._step.item_weights
        taken = [
            (
                users.setdefault(event.user_id, len(users)),
                items.setdefault(event.item_id, len(items)),
                event.time,
                interest[event.type],
            )
            for event in events
            if event.item_id is not None and event.type in interest
        ]
        if not taken:
            raise NothingToLearnError(
                f"none of the first {len(events)} events has an item and one of the types"
                f" {', '.join(sorted(interest))}"
            )
        user, item, when, weight = (np.array(column) for column in zip(*taken, strict=True))
        settings = self._settings.factors
        decayed = recency_weights(when, weight.astype(np.float32), settings.half_life_days)
        return factorise(user.astype(np.int32), item.astype(np.int32), decayed, list(items), settings)

    def _lists(
        self, data: TrainingEvents, factors: ItemFactors, first: int, second: int, progress: ProgressOf
    ) -> tuple[RankingSet, RankingSet]:
        """Replay all events; lists of sampled ones between `first` and `second`, and from `second` on."""
        settings, events = self._settings, data.events
        sampled = np.zeros(len(events), np.bool_)
        drawn = np.random.default_rng(settings.seed)
        for low, high, most in ((first, second, settings.lists), (second, len(events), settings.validation)):
            sampled[low + drawn.choice(high - low, min(most, high - low), replace=False)] = True
        stream = PlainStream(data.items, self._step, self._statistics)
        sampler = ListSampler(stream, factors, self._rank)
        train: RankingSet | None = None
        for place, event in enumerate(events):
            if place == second:
                train = sampler.take()
            if sampled[place] and stream.counts(event):
                sampler.sample(event)
            stream.learn(event)
            if place % 1_000 == 0:
                stream.catch_up()
                progress("replay", place, len(events))
        assert train is not None, "the second cut lies within the events"
        return train, sampler.take()

    def _write(
        self,
        folder: Path,
        factors: ItemFactors,
        chosen: TriedRanker,
        tried: Sequence[TriedRanker],
        validation: RankingSet,
        span: DataSpan,
    ) -> None:
        inputs: npt.NDArray[np.float32] = np.zeros((0, len(FEATURES)), np.float32)
        outputs: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        if chosen.graph is not None:
            inputs = validation.rows[np.linspace(0, len(validation.rows) - 1, GOLDEN_ROWS).astype(np.int64)]
            outputs = OnnxScorer(chosen.graph, len(FEATURES)).score(inputs)
        settings = self._settings
        manifest = Manifest(
            name=folder.parent.name,
            version=folder.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            ranker=chosen.kind,
            data=span,
            features=FEATURES,
            metrics={ranker.label: metrics(ranker) for ranker in tried},
            settings={"seed": settings.seed, "lists": settings.lists, "validation": settings.validation,
                      "factors": settings.factors.factors, "chosen": chosen.label},
            files={},
        )  # fmt: skip
        write_bundle(folder, manifest, factors, chosen.graph, inputs, outputs)

    def _done(self, stage: str, start: float) -> float:
        now = time.perf_counter()
        self._seconds[stage] = round(now - start, 1)
        return now


def split(events: Sequence[Event], *shares: float) -> list[int]:
    """Where to cut events after each of `shares`, moved on to the next change of time.

    Events of one time are often one order: were they on both sides, one side would know the other's answers.
    Raises `NothingToLearnError` where a part would be empty.
    """
    cuts = []
    for share in shares:
        cut = int(share * len(events))
        while 0 < cut < len(events) and events[cut].time == events[cut - 1].time:
            cut += 1
        cuts.append(cut)
    if any(a >= b for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)):
        raise NothingToLearnError(
            f"{len(events)} events at too few different times to cut in {len(shares) + 1} parts"
        )
    return cuts
