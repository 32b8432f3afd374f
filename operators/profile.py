"""What is known of a user, as the profile key shows it."""

from __future__ import annotations

from msgspec.structs import astuple

from operators.affinity import AffinityModel
from operators.drift import DriftDetector
from schemas.redis_keys import seq
from schemas.redis_values import DriftValue, ProfileValue, SessionValue
from schemas.state import UserState

SHOWN_AFFINITIES = 8
"""Of how many of the user's most counted categories the profile shows the probability."""


def profile_of(user: UserState, model: AffinityModel, learning: dict[str, str]) -> ProfileValue:
    """The published profile of a user record; `learning` is that of `learning_classes`.

    >>> from operators.affinity import AffinitySettings
    >>> profile_of(UserState("u", born=5, n=2), AffinityModel(AffinitySettings()), {}).seq
    '0000000000005.0000000002'
    """
    affinity = user.affinity
    session = user.session
    return ProfileValue(
        seq=seq(user.born, user.n),
        at=user.last,
        born=user.born,
        events=user.n,
        country=user.country,
        device=user.device,
        session=SessionValue(
            number=session.number, start=session.start, last=session.last, depth=session.depth
        ),
        types=user.types,
        categories=user.categories,
        affinities=model.probabilities(affinity, _most(user.categories)),
        recent=list(map(astuple, reversed(user.recent))),
        segments=user.segments,
        drift=DriftValue(drifts=affinity.drifts, at=affinity.drifted_at, labelled=affinity.labelled),
        learning=learning,
    )


def learning_classes(model: AffinityModel, detector: DriftDetector) -> dict[str, str]:
    """The classes that learn and detect, as the profile names them: without settings, which all profiles would repeat.

    >>> from operators.affinity import AffinitySettings
    >>> from operators.drift import DriftSettings
    >>> learning_classes(AffinityModel(AffinitySettings()), DriftDetector(DriftSettings()))["drift"]
    'river.drift.ADWIN'
    """
    return {"affinity": _names(model.classes()), "drift": _names(detector.classes())}


def _names(classes: list[str]) -> str:
    return ", ".join(name.partition("(")[0] for name in classes)


def _most(categories: dict[str, float]) -> list[str]:
    best = sorted([(-count, name) for name, count in categories.items()])[:SHOWN_AFFINITIES]
    return [name for _, name in best]
