"""What is known of a user, as the profile key shows it."""

from __future__ import annotations

from dataclasses import dataclass

from operators.affinity import AffinityModel
from operators.attributes import AttributeKeeper
from operators.calibrated_affinity import CalibratedAffinity
from operators.drift import DriftDetector
from operators.feature import Feature
from operators.profile_features import profile_features
from operators.user_step import StepSettings
from schemas.redis_keys import seq
from schemas.redis_values import DriftValue, ProfileValue, SessionValue
from schemas.state import UserState
from schemas.traffic_state import reasons

SHOWN_AFFINITIES = 8
"""Of how many of the user's most counted categories the profile shows the probability."""

SHOWN_FEATURES = (
    "session.duration", "sessions_per_week", "session_depth_average", "session_duration_average",
    "purchase_velocity", "order_value", "days_since_order", "cart_abandonment", "dwell_average", "scroll_depth",
    "price_level", "usual_hour", "usual_device", "weekend_share", "likes", "dislikes", "rating_average",
)  # fmt: skip
"""The features of operators/profile_features.py that the profile shows, where they have a value; the others
are there under names of their own, or follow from these."""


@dataclass(frozen=True)
class ProfileReading:
    """By which definitions a profile reads features, attributes and probabilities from records."""

    features: tuple[Feature, ...]
    attributes: AttributeKeeper
    affinities: CalibratedAffinity

    @classmethod
    def of(cls, settings: StepSettings) -> ProfileReading:
        """Those of users followed with `settings`.

        >>> len(ProfileReading.of(StepSettings()).features) == len(SHOWN_FEATURES)
        True
        """
        features = profile_features(settings)
        return cls(
            tuple(features[name] for name in SHOWN_FEATURES),
            AttributeKeeper(settings.attributes),
            CalibratedAffinity(settings.affinity, settings.calibration),
        )


DEFAULT_READING = ProfileReading.of(StepSettings())


def profile_of(
    user: UserState,
    learning: dict[str, str],
    reading: ProfileReading = DEFAULT_READING,
) -> ProfileValue:
    """The published profile of a user record; `learning` is that of `learning_classes`.

    >>> profile_of(UserState("u", born=5, n=2), {}).seq
    '0000000000005.0000000002'
    """
    affinity = user.affinity
    session = user.session
    now = user.last
    read = ((feature.name, feature.read(user, now)) for feature in reading.features)
    return ProfileValue(
        seq=seq(user.born, user.n),
        at=now,
        born=user.born,
        events=user.n,
        country=user.country,
        device=user.device,
        session=SessionValue(
            number=session.number, start=session.start, last=session.last, depth=session.depth
        ),
        types=user.types,
        categories=user.categories,
        affinities=reading.affinities.likeliest(user, most_counted(user)),
        recent=[(r.item_id, r.time, r.type, r.category) for r in reversed(user.recent)],
        segments=user.segments,
        persona=user.persona,
        drift=DriftValue(drifts=affinity.drifts, at=affinity.drifted_at, labelled=affinity.labelled),
        learning=learning,
        features={name: value for name, value in read if value is not None},
        attributes=reading.attributes.values(user, now) if user.attributes else {},
        traffic=reasons(user.traffic.marks),
    )


def most_counted(user: UserState) -> list[str]:
    """The categories of which the profile shows the probability: the most counted ones, ties by name.

    >>> most_counted(UserState("ann", born=1, categories={"Toys": 1.0, "Garden": 3.0, "Art": 1.0}))
    ['Garden', 'Art', 'Toys']
    """
    best = sorted([(-count, name) for name, count in user.categories.items()])[:SHOWN_AFFINITIES]
    return [name for _, name in best]


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
