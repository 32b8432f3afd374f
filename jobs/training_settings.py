"""How much a training learns from, and how it says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.boosted_settings import BoostedSettings
from jobs.factorise import FactorSettings
from jobs.sequence_settings import SequenceSettings
from jobs.train_ranker import RankerSettings
from operators.features import (
    AUTOENCODER_FEATURES,
    BOOSTED_FEATURES,
    FEATURES,
    SEQUENCE_FEATURES,
    SEQUENCE_PROFILE,
)

ProgressOf = Callable[[str, int, int | None], None]
"""Hears of a stage by name, how much of it is done, and how much there is, where that is known."""


def untold(stage: str, done: int, of: int | None) -> None:
    """Tell nobody how far a stage is."""


@dataclass(frozen=True)
class TrainingSettings:
    """How much is learned from.

    The first `factor_share` of the events (by number, cut at a change of time) makes the factors, those up to
    `ranker_share` the ranker, the rest measures. Of the latter two, `lists` and `validation` events
    are sampled; those that count are used. `features` are what the ranker sees of a candidate, by name
    (operators/feature_plan.py). Above 0, `search_minutes` are spent on settings of rankers, on `search_trials` of a
    kind at most. The lists are kept in the file `keep_lists`, where one is named (jobs/list_files.py). With
    `sequence`, a sequence model is trained on the events of the factors, with `autoencoder` an autoencoder of
    users, with `boosted` a boosted model of the next category, and every ranker is tried with each of these too.
    With `leaves_users_out`, one user in `ONE_IN` (operators/held_out.py) teaches neither factors nor rankers nor what
    goes together: they are there to judge the bundle by.
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
    boosted: BoostedSettings | None = None
    leaves_users_out: bool = False

    @property
    def deep_features(self) -> tuple[str, ...]:
        """What the models of users' last items say, where they are asked for."""
        of_sequence = () if self.sequence is None else (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)
        return of_sequence if self.autoencoder is None else (*of_sequence, *AUTOENCODER_FEATURES)

    @property
    def beside_features(self) -> tuple[str, ...]:
        """What all models beside the ranker say that are asked for."""
        return self.deep_features if self.boosted is None else (*self.deep_features, *BOOSTED_FEATURES)
