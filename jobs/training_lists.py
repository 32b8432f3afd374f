"""Item factors of the earlier events, and lists to train and judge rankers by of the later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.boosted_replay import BoostedReplay, drawn_places
from jobs.boosted_training import TrainedBoosted
from jobs.bought_times import bought_times
from jobs.factorise import FactorSettings, ItemFactors, factorise, recency_weights
from jobs.plain_stream import PlainStream
from jobs.ranking_set import RankingSet
from jobs.sequence_onnx import ExportedSequence
from jobs.training_events import NothingToLearnError, TrainingEvents
from jobs.training_set import ListSampler
from jobs.training_settings import ProgressOf, TrainingSettings
from operators.feature_plan import FeaturePlan
from operators.held_out import held_out
from operators.rank_settings import RankSettings
from operators.shelf import ShelfBounds
from operators.statistics import StatisticsSettings
from operators.stream_models import ModelsSettings
from operators.user_step import StepSettings
from schemas.records import Event


@dataclass(frozen=True)
class JobRules:
    """The settings of the job by which users are followed and lists are made, in training as in the stream.

    `models` are those of the stream's models, None where nothing reads them. `at_session_end` says whether a list is
    made when a session is over.
    """

    step: StepSettings
    statistics: StatisticsSettings
    rank: RankSettings
    shelf: ShelfBounds
    models: ModelsSettings | None = None
    at_session_end: bool = True


def learned_from(events: Sequence[Event], settings: TrainingSettings) -> Sequence[Event]:
    """The events that may teach something, without those of users who are left out."""
    return [event for event in events if not held_out(event)] if settings.leaves_users_out else events


def factors_of(
    events: Sequence[Event], interest: Mapping[str, float], settings: FactorSettings
) -> ItemFactors:
    """Item factors from events of the types in `interest`, each weighing what that says of its type.

    Raises `NothingToLearnError` where there is none.
    """
    users: dict[str, int] = {}
    items: dict[str, int] = {}
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
    decayed = recency_weights(when, weight.astype(np.float32), settings.half_life_days)
    return factorise(user.astype(np.int32), item.astype(np.int32), decayed, list(items), settings)


def sampled_lists(
    data: TrainingEvents,
    factors: ItemFactors,
    models: tuple[ExportedSequence | None, ExportedSequence | None],
    cuts: tuple[int, int],
    settings: TrainingSettings,
    rules: JobRules,
    plan: FeaturePlan,
    progress: ProgressOf,
) -> tuple[RankingSet, RankingSet, TrainedBoosted | None]:
    """Replay all events; lists of sampled ones between the `cuts` (places in the events), and after the second.

    Users who are left out are followed, and teach nothing to what users share. `models` of users' last items are the
    sequence model and the autoencoder. Where a boosted model of the next category is asked for, it is trained on
    the way, at the first cut, on examples of the events before.
    """
    (first, second), events = cuts, data.events
    sampled = drawn_places(
        len(events),
        ((first, second, settings.lists), (second, len(events), settings.validation)),
        settings.seed,
    )
    stream = PlainStream(data.items, rules.step, rules.statistics, rules.shelf, models=rules.models)
    sequence, autoencoder = (None if model is None else model.model() for model in models)
    sampler = ListSampler(
        stream, factors, rules.rank, plan, events[first].time, sequence, autoencoder, rules.at_session_end
    )
    bought = bought_times(events)
    boosting = None
    if settings.boosted is not None:
        boosting = BoostedReplay(stream, rules.rank, settings.boosted, cuts, len(events))
    train: RankingSet | None = None
    for place, event in enumerate(events):
        if place == first and boosting is not None:
            progress("boosted categories", 0, None)
            sampler.use_boosted(boosting.fitted())
        if place == second:
            train = sampler.take()
        if settings.leaves_users_out and held_out(event):
            stream.follow(event)
        else:
            if boosting is not None:
                boosting.sample(place, event)
            if sampled[place] and stream.counts(event):
                sampler.sample(event, int(bought[place]))
            stream.learn(event)
        if place % 1_000 == 0:
            stream.catch_up()
            progress("replay", place, len(events))
    assert train is not None, "the second cut lies within the events"
    return train, sampler.take(), None if boosting is None else boosting.judged()
