"""From a file of events to a model bundle: factors, lists, rankers, each from later events than the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.bought_times import bought_times
from jobs.bundle_writer import refuse_existing, write_bundle
from jobs.deep import autoencoder_from, require_torch, sequence_from
from jobs.deep_rankers import Beside, TriedRankers, columns, try_with_model
from jobs.deep_recipes import DEEP, left_out
from jobs.factorise import FactorSettings, ItemFactors, factorise, recency_weights
from jobs.list_files import write_lists
from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.ranker_search import search
from jobs.ranking_set import RankingSet
from jobs.sequence_onnx import ExportedSequence
from jobs.sequence_settings import SequenceSettings
from jobs.train_ranker import RankerSettings, TriedRanker, choose, try_rankers
from jobs.training_events import NothingToLearnError, TrainingEvents, read_training_events, split
from jobs.training_people import VISITORS, People
from jobs.training_report import TrainingReport, metrics, reported, searched_reports
from jobs.training_set import ListSampler, TrainingLists
from operators.bundle_manifest import DataSpan, Manifest
from operators.feature_plan import FeaturePlan, known_features, refuse_unknown
from operators.features import (
    AUTOENCODER_FEATURES,
    DEEP_FEATURES,
    FEATURES,
    SEQUENCE_FEATURES,
    SEQUENCE_PROFILE,
)
from operators.ingest_settings import IngestSettings
from operators.onnx_scorer import OnnxScorer
from operators.rank_settings import RankSettings
from operators.shelf import ShelfBounds
from operators.statistics import StatisticsSettings
from operators.stream_models import ModelsSettings
from operators.user_step import StepSettings
from schemas.records import Event

GOLDEN_ROWS = 64
NOTHING_NOTED: Mapping[str, int] = MappingProxyType({})

ProgressOf = Callable[[str, int, int | None], None]
"""Hears of a stage by name, how much of it is done, and how much there is, where that is known."""


@dataclass(frozen=True)
class TrainingSettings:
    """How much is learned from.

    The first `factor_share` of the events (by number, cut at a change of time) makes the factors, those up to
    `ranker_share` the ranker, the rest measures. Of the latter two, `lists` and `validation` events
    are sampled; those that count are used. `features` are what the ranker sees of a candidate, by name
    (operators/feature_plan.py). Above 0, `search_minutes` are spent on settings of rankers, on `search_trials` of a
    kind at most. The lists are kept in the file `keep_lists`, where one is named (jobs/list_files.py). With
    `sequence`, a sequence model is trained on the events of the factors, with `autoencoder` an autoencoder of
    users, and every ranker is tried with each of these too.
    """

    factor_share: float = 0.6
    ranker_share: float = 0.8
    lists: int = 40_000
    validation: int = 20_000
    seed: int = 7
    features: tuple[str, ...] = FEATURES
    factors: FactorSettings = field(default_factory=FactorSettings)
    rankers: RankerSettings = field(default_factory=RankerSettings)
    search_minutes: float = 0.0
    search_trials: int | None = None
    keep_lists: Path | None = None
    sequence: SequenceSettings | None = None
    autoencoder: AutoencoderSettings | None = None

    @property
    def deep_features(self) -> tuple[str, ...]:
        """What the models of users' last items say, where they are asked for."""
        of_sequence = () if self.sequence is None else (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)
        return of_sequence if self.autoencoder is None else (*of_sequence, *AUTOENCODER_FEATURES)


class Training:
    """One training with its settings; `step`, `statistics`, `rank`, `ingest`, `shelf` and `models` are the job's.

    Raises `UnknownFeatures` where the settings name a feature that is none, and `DeepMissing` where they want a
    model of users' last items and torch is not installed.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        step: StepSettings | None = None,
        statistics: StatisticsSettings | None = None,
        rank: RankSettings | None = None,
        ingest: IngestSettings | None = None,
        shelf: ShelfBounds | None = None,
        people: People = VISITORS,
        models: ModelsSettings = ModelsSettings(),
    ) -> None:
        self._settings = settings
        self._step = step or StepSettings()
        self._statistics = statistics or StatisticsSettings()
        self._rank = rank or RankSettings()
        self._ingest = ingest or IngestSettings()
        self._shelf = shelf or ShelfBounds()
        self._people = people
        self._models = models_read(models, [self._rank], features=settings.features)
        # Those of models beside the ranker come of `--deep` alone, and then beside all others.
        refuse_unknown(settings.features, known_features(self._step) - set(DEEP_FEATURES), "the ranker")
        if deep := settings.deep_features:
            require_torch()
        self._plan = FeaturePlan((*settings.features, *deep), self._step)
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
        return self.learn(self.read(file, items_file, progress, until), folder, progress)

    def read(
        self,
        file: Path,
        items_file: Path | None,
        progress: ProgressOf = lambda stage, done, of: None,
        until: int | None = None,
    ) -> TrainingEvents:
        """The events and items of files, cleaned by the rules of the job: see `read_training_events`."""
        start = time.perf_counter()
        data = read_training_events(
            file, items_file, self._ingest, lambda row, rows: progress("read", row, rows), until, self._people
        )
        self._done("read", start)
        return data

    def learn(
        self,
        data: TrainingEvents,
        folder: Path,
        progress: ProgressOf = lambda stage, done, of: None,
        noted: Mapping[str, int] = NOTHING_NOTED,
    ) -> TrainingReport:
        """`run` from the events on. What is `noted` is kept among the settings in the manifest."""
        refuse_existing(folder)
        made = self.lists(data, progress)
        settings = self._settings
        if settings.keep_lists is not None:
            write_lists(settings.keep_lists, self._plan.names, made.train, made.validation)
        train, validation = made.train, made.validation
        start = time.perf_counter()
        searched = search(
            columns(train, self._plan.names, settings.features),
            settings.rankers,
            60.0 * settings.search_minutes,
            settings.search_trials,
            lambda kind, trials: progress(f"search {kind}", trials, settings.search_trials),
        )
        start = self._done("search", start)
        groups = self._rankers(
            made,
            replace(settings.rankers, found=searched.found),
            lambda label: progress(f"train {label}", 0, None),
        )
        self._done("rankers", start)
        tried = [ranker for group in groups for ranker in group.tried]
        chosen = choose(tried)
        span = DataSpan(
            events=len(data.events),
            users=len({event.user_id for event in data.events}),
            items=len(made.factors.item_ids),
            first=data.events[0].time,
            factors_until=made.factors_until,
            ranker_until=made.ranker_until,
            last=data.events[-1].time,
        )
        searches = searched_reports(searched)
        told = {f"searched {each.ranker}": str(each.settings) for each in searches}
        [features] = [group.features for group in groups if chosen in group.tried]
        self._write(folder, made, chosen, features, tried, span, {**noted, **told})
        return TrainingReport(
            bundle=str(folder),
            name=f"{folder.parent.name}/{folder.name}",
            ranker=chosen.kind,
            data=span,
            unused_rows=data.unused,
            lists=made.train.lists,
            validation=validation.counted,
            validation_strict=validation.counted_strict,
            recall=validation.lists / max(validation.counted, 1),
            candidates=len(validation.rows) / max(validation.lists, 1),
            tried=[reported(ranker, ranker is chosen) for ranker in tried],
            searched=searches,
            left_out=left_out(settings.rankers.rankers, *train.parted(settings.rankers.kept_share)),
            seconds=self._seconds,
        )

    def lists(
        self, data: TrainingEvents, progress: ProgressOf = lambda stage, done, of: None
    ) -> TrainingLists:
        """Item factors, and lists of the events after those that made them."""
        start = time.perf_counter()
        first, second = split(data.events, self._settings.factor_share, self._settings.ranker_share)
        progress("factors", 0, None)
        factors = self._factors(data.events[:first])
        start = self._done("factors", start)
        learned = (data.events[:first], factors.item_ids, self._step.item_weights, self._step.recent_items)
        sequence = autoencoder = None
        if self._settings.sequence is not None:
            sequence = sequence_from(
                *learned, self._settings.sequence, lambda done, of: progress("sequence model", done, of)
            )
            start = self._done("sequence model", start)
        if self._settings.autoencoder is not None:
            autoencoder = autoencoder_from(
                *learned, self._settings.autoencoder, lambda done, of: progress("autoencoder", done, of)
            )
            start = self._done("autoencoder", start)
        models = (sequence, autoencoder)
        train, validation = self._lists(data, factors, models, first, second, progress)
        self._done("lists", start)
        return TrainingLists(
            factors, train, validation, data.events[first].time, data.events[second].time, *models
        )

    def _rankers(
        self, made: TrainingLists, settings: RankerSettings, progress: Callable[[str], None]
    ) -> list[TriedRankers]:
        """What was tried, by the features it takes; the blend is the first of all."""
        names, plain = self._plan.names, self._settings.features
        train, validation = (columns(lists, names, plain) for lists in (made.train, made.validation))
        groups = [TriedRankers(plain, try_rankers(train, validation, settings, progress))]
        beside = []
        if made.sequence is not None:
            profile = (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)
            beside += [
                Beside("sequence", made.sequence, SEQUENCE_FEATURES),
                Beside("sequence profile", made.sequence, profile, alone=False),
            ]
        if made.autoencoder is not None:
            beside.append(Beside("autoencoder", made.autoencoder, AUTOENCODER_FEATURES))
        for model in beside:
            groups += try_with_model(made.train, made.validation, names, plain, settings, model, progress)
        return groups

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
        self,
        data: TrainingEvents,
        factors: ItemFactors,
        models: tuple[ExportedSequence | None, ExportedSequence | None],
        first: int,
        second: int,
        progress: ProgressOf,
    ) -> tuple[RankingSet, RankingSet]:
        """Replay all events; lists of sampled ones between `first` and `second`, and from `second` on."""
        settings, events = self._settings, data.events
        sampled = np.zeros(len(events), np.bool_)
        drawn = np.random.default_rng(settings.seed)
        for low, high, most in ((first, second, settings.lists), (second, len(events), settings.validation)):
            sampled[low + drawn.choice(high - low, min(most, high - low), replace=False)] = True
        stream = PlainStream(data.items, self._step, self._statistics, self._shelf, models=self._models)
        loaded = [None if model is None else model.model() for model in models]
        sampler = ListSampler(stream, factors, self._rank, self._plan, events[first].time, *loaded)
        bought = bought_times(events)
        train: RankingSet | None = None
        for place, event in enumerate(events):
            if place == second:
                train = sampler.take()
            if sampled[place] and stream.counts(event):
                sampler.sample(event, int(bought[place]))
            stream.learn(event)
            if place % 1_000 == 0:
                stream.catch_up()
                progress("replay", place, len(events))
        assert train is not None, "the second cut lies within the events"
        return train, sampler.take()

    def _write(
        self,
        folder: Path,
        made: TrainingLists,
        chosen: TriedRanker,
        features: tuple[str, ...],
        tried: Sequence[TriedRanker],
        span: DataSpan,
        noted: Mapping[str, int | str],
    ) -> None:
        inputs: npt.NDArray[np.float32] = np.zeros((0, len(features)), np.float32)
        outputs: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        if chosen.graph is not None:
            rows = columns(made.validation, self._plan.names, features).rows
            inputs = rows[np.linspace(0, len(rows) - 1, GOLDEN_ROWS).astype(np.int64)]
            outputs = OnnxScorer(chosen.graph, len(features)).score(inputs)
        settings = self._settings
        manifest = Manifest(
            name=folder.parent.name,
            version=folder.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            ranker=chosen.kind,
            data=span,
            features=features,
            metrics={ranker.label: metrics(ranker) for ranker in tried},
            settings={"seed": settings.seed, "lists": settings.lists, "validation": settings.validation,
                      "factors": settings.factors.factors, "chosen": chosen.label, **noted},
            files={},
            libraries={"torch": version("torch")} if self._takes_torch() else {},
        )  # fmt: skip
        models = [
            None if set(features).isdisjoint(own) else model
            for model, own in (
                (made.sequence, (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)),
                (made.autoencoder, AUTOENCODER_FEATURES),
            )
        ]
        write_bundle(folder, manifest, made.factors, chosen.graph, inputs, outputs, *models)

    def _takes_torch(self) -> bool:
        settings = self._settings
        return bool(settings.deep_features) or not set(DEEP).isdisjoint(settings.rankers.rankers)

    def _done(self, stage: str, start: float) -> float:
        now = time.perf_counter()
        self._seconds[stage] = round(now - start, 1)
        return now
