"""Profile features as columns of the ranker: `profile.NAME`, for any number or truth value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import copysign, log1p

import numpy as np

from operators.feature import Feature, FeatureValue, Kind
from operators.feature_columns import Floats, fill_users
from operators.features import PROFILE, Block, Scene
from operators.profile_features import profile_features
from operators.user_step import StepSettings

UNKNOWN = -1.0
"""A profile feature without a value: none of their numbers is below 0, declared attributes apart."""


def readable(step: StepSettings) -> Mapping[str, Feature]:
    """The profile features that can be a ranker's, by `profile.NAME`: numbers and truth values."""
    found = profile_features(step).items()
    return {PROFILE + name: feature for name, feature in found if feature.kind is not Kind.TEXT}


def profile_block(features: Mapping[str, Feature]) -> Block:
    """A column per profile feature: ±log(1 + |value|) of a number, 0 or 1 of a truth value, `UNKNOWN` for none."""
    return Block(tuple(features), partial(_own, list(features.values())))


def _own(features: Sequence[Feature], at: Scene, out: Floats) -> None:
    users = at.users
    own = [
        [_column(feature.read(state, now)) for feature in features]
        for state, now in zip(users.states, users.now.tolist(), strict=True)
    ]
    fill_users(at.candidates.start, np.array(own, np.float32).reshape(len(users), len(features)), out)


def _column(value: FeatureValue) -> float:
    if isinstance(value, bool):
        return float(value)
    return copysign(log1p(abs(value)), value) if isinstance(value, float) else UNKNOWN
