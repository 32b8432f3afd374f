"""From a file of events to a model bundle: factors, lists, rankers, each from later events than the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from jobs.bundle_writer import refuse_existing
from jobs.deep import autoencoder_from, require_torch, sequence_from
from jobs.deep_rankers import Beside, TriedRankers, columns, microseconds, try_with_model
from jobs.deep_recipes import left_out
from jobs.list_files import write_lists
from jobs.models_read import models_read
from jobs.ranker_search import search
from jobs.train_ranker import RankerSettings, choose, try_rankers
from jobs.training_bundle import span_of, write_trained
from jobs.training_events import TrainingEvents, read_training_events, split
from jobs.training_lists import JobRules, factors_of, learned_from, sampled_lists
from jobs.training_people import VISITORS, People
from jobs.training_report import TrainingReport, category_figures, reported, searched_reports
from jobs.training_set import TrainingLists
from jobs.training_settings import ProgressOf, TrainingSettings, untold
from operators.feature_plan import FeaturePlan, known_features, refuse_unknown
from operators.features import (
    AUTOENCODER_FEATURES,
    BESIDE_FEATURES,
    BOOSTED_FEATURES,
    SEQUENCE_FEATURES,
    SEQUENCE_PROFILE,
)
from operators.ingest_settings import IngestSettings
from operators.rank_settings import RankSettings
from operators.shelf import ShelfBounds
from operators.statistics import StatisticsSettings
from operators.stream_models import ModelsSettings
from operators.user_step import StepSettings

NOTHING_NOTED: Mapping[str, int] = MappingProxyType({})


class Training:
    """One training with its settings; `step`, `statistics`, `rank`, `ingest`, `shelf`, `models` and
    `at_session_end` are the job's.

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
        at_session_end: bool = True,
    ) -> None:
        self._settings = settings
        rank = rank or RankSettings()
        self._rules = JobRules(
            step or StepSettings(),
            statistics or StatisticsSettings(),
            rank,
            shelf or ShelfBounds(),
            models_read(models, [rank], features=settings.features),
            at_session_end,
        )
        self._people = people
        self._ingest = ingest or IngestSettings()
        # Those of models beside the ranker come of `--deep` and `--boosted` alone, and then beside all others.
        refuse_unknown(
            settings.features, known_features(self._rules.step) - set(BESIDE_FEATURES), "the ranker"
        )
        if settings.deep_features:
            require_torch()
        self._plan = FeaturePlan((*settings.features, *settings.beside_features), self._rules.step)
        self._seconds: dict[str, float] = {}

    def run(
        self,
        file: Path,
        items_file: Path | None,
        folder: Path,
        progress: ProgressOf = untold,
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
        progress: ProgressOf = untold,
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
        progress: ProgressOf = untold,
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
        span = span_of(data, made)
        searches = searched_reports(searched)
        told = {f"searched {each.ranker}": str(each.settings) for each in searches}
        [features] = [group.features for group in groups if chosen in group.tried]
        write_trained(
            folder, made, self._plan.names, chosen, features, tried, span, settings, {**noted, **told}
        )
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
            categories=category_figures(made.boosted),
            left_out=left_out(settings.rankers.rankers, *train.parted(settings.rankers.kept_share)),
            seconds=self._seconds,
        )

    def lists(self, data: TrainingEvents, progress: ProgressOf = untold) -> TrainingLists:
        """Item factors, and lists of the events after those that made them."""
        start = time.perf_counter()
        first, second = split(data.events, self._settings.factor_share, self._settings.ranker_share)
        progress("factors", 0, None)
        learned = learned_from(data.events[:first], self._settings)
        factors = factors_of(learned, self._rules.step.item_weights, self._settings.factors)
        start = self._done("factors", start)
        step = self._rules.step
        from_items = (learned, factors.item_ids, step.item_weights, step.recent_items)
        sequence = autoencoder = None
        if self._settings.sequence is not None:
            sequence = sequence_from(
                *from_items, self._settings.sequence, lambda done, of: progress("sequence model", done, of)
            )
            start = self._done("sequence model", start)
        if self._settings.autoencoder is not None:
            autoencoder = autoencoder_from(
                *from_items, self._settings.autoencoder, lambda done, of: progress("autoencoder", done, of)
            )
            start = self._done("autoencoder", start)
        models = (sequence, autoencoder)
        train, validation, boosted = sampled_lists(
            data, factors, models, (first, second), self._settings, self._rules, self._plan, progress
        )
        self._done("lists", start)
        return TrainingLists(
            factors, train, validation, data.events[first].time, data.events[second].time, *models, boosted
        )

    def _rankers(
        self, made: TrainingLists, settings: RankerSettings, progress: Callable[[str], None]
    ) -> list[TriedRankers]:
        """What was tried, by the features it takes; the blend is the first of all."""
        names, plain = self._plan.names, self._settings.features
        train, validation = (columns(lists, names, plain) for lists in (made.train, made.validation))
        groups = [TriedRankers(plain, try_rankers(train, validation, settings, progress))]
        if validation.lists == 0:
            return groups
        candidates = len(validation.rows) // validation.lists
        beside = []
        if made.sequence is not None:
            profile, dear = (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE), microseconds(made.sequence, candidates)
            beside += [
                Beside("sequence", dear, SEQUENCE_FEATURES),
                Beside("sequence profile", dear, profile, alone=False),
            ]
        if made.autoencoder is not None:
            dear = microseconds(made.autoencoder, candidates)
            beside.append(Beside("autoencoder", dear, AUTOENCODER_FEATURES))
        if made.boosted is not None:
            beside.append(Beside("boosted category", made.boosted.microseconds, BOOSTED_FEATURES))
        for model in beside:
            groups += try_with_model(made.train, made.validation, names, plain, settings, model, progress)
        return groups

    def _done(self, stage: str, start: float) -> float:
        now = time.perf_counter()
        self._seconds[stage] = round(now - start, 1)
        return now
