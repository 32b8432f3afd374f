"""What is known of a user, as the profile key shows it."""

from __future__ import annotations

from dataclasses import dataclass

from operators.affinity import AffinityModel
from operators.attributes import AttributeKeeper
from operators.calibration import Calibration
from operators.drift import DriftDetector
from operators.feature import Feature
from operators.logistic import log_odds_of
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
    calibration: Calibration

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
            Calibration(settings.calibration),
        )


DEFAULT_READING = ProfileReading.of(StepSettings())


def profile_of(
    user: UserState,
    model: AffinityModel,
    learning: dict[str, str],
    reading: ProfileReading = DEFAULT_READING,
) -> ProfileValue:
    """The published profile of a user record; `learning` is that of `learning_classes`.

    >>> from operators.affinity import AffinitySettings
    >>> profile_of(UserState("u", born=5, n=2), AffinityModel(AffinitySettings()), {}).seq
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
        affinities=shown_affinities(user, model, reading.calibration),
        recent=[(r.item_id, r.time, r.type, r.category) for r in reversed(user.recent)],
        segments=user.segments,
        persona=user.persona,
        drift=DriftValue(drifts=affinity.drifts, at=affinity.drifted_at, labelled=affinity.labelled),
        learning=learning,
        features={name: value for name, value in read if value is not None},
        attributes=reading.attributes.values(user, now) if user.attributes else {},
        traffic=reasons(user.traffic.marks),
    )


def shown_affinities(
    user: UserState, model: AffinityModel, calibration: Calibration
) -> list[tuple[str, float]]:
    """How likely the user's next engaging event is in each of their most counted categories, likeliest first.

    >>> from operators.affinity import AffinitySettings
    >>> from operators.calibration import CalibrationSettings
    >>> ann = UserState("ann", born=1, categories={"Garden": 3.0, "Toys": 1.0})
    >>> curve = Calibration(CalibrationSettings(intercept=0.0, model=1.0, share=1.0))
    >>> [(name, round(p, 2)) for name, p in shown_affinities(ann, AffinityModel(AffinitySettings()), curve)]
    [('Garden', 0.43), ('Toys', 0.2)]
    """
    counts = user.categories
    total = sum(counts.values())
    shown = [
        (name, calibration.probability(log_odds_of(p), counts[name] / total))
        for name, p in model.probabilities(user.affinity, _most(counts))
    ]
    shown.sort(key=lambda pair: (-pair[1], pair[0]))
    return shown


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
