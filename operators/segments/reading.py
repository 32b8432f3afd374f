"""What rules read of a user record, beside events: profile features, affinities, persona, attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from operators.affinity import AffinityModel, AffinitySettings
from operators.attributes import AttributeKeeper, AttributeSettings
from operators.feature import EVERY_TYPE, Feature, FeatureValue
from operators.feature import Kind as FeatureKind
from operators.segments.literals import DAY
from schemas.state import UserState

_UNDECLARED = AttributeKeeper(AttributeSettings())

FORGOTTEN_AFTER = 400 * DAY
"""So long after the user's last event, a value that moves with time stands still, and needs no more timers."""


@dataclass(frozen=True)
class Reading:
    """A value of the user record.

    It is read as of the user's latest event: so it changes with events alone. One that `moves` with time is
    read as of the last midnight (UTC) where that is later, until `FORGOTTEN_AFTER`.
    """

    name: str
    touched_by: frozenset[str]
    read: Callable[[UserState, int], FeatureValue]
    moves: bool = False

    def value(self, user: UserState, now: int) -> FeatureValue:
        """The value that holds at `now` (ms)."""
        last = user.last
        if self.moves:
            return self.read(user, max(last, min(now, last + FORGOTTEN_AFTER) // DAY * DAY))
        return self.read(user, last)

    def next_change(self, user: UserState, now: int) -> int | None:
        """When the value could next change without an event (ms); None: never."""
        if not self.moves:
            return None
        midnight = (now // DAY + 1) * DAY
        return midnight if midnight <= user.last + FORGOTTEN_AFTER else None


@dataclass(frozen=True)
class Affinities:
    """How likely a user is to engage with a category, in [0, 1], and the event types that can change that."""

    read: Callable[[UserState, str], float]
    touched_by: frozenset[str]

    @classmethod
    def of(cls, settings: AffinitySettings = AffinitySettings()) -> Affinities:
        """The affinities of the model that the user step learns."""
        model = AffinityModel(settings)
        return cls(
            lambda user, category: model.probability(user.affinity, category),
            frozenset(settings.engaging) | frozenset(settings.disliking),
        )


def affinity(category: str, affinities: Affinities) -> Reading:
    """The affinity to one category."""
    read = affinities.read
    return Reading(f'affinity("{category}")', affinities.touched_by, lambda user, now: read(user, category))


def undeclared_attribute(name: str) -> Reading:
    """A profile attribute that the settings do not declare: a text, the latest record counts."""
    return Reading(
        f'attribute("{name}")',
        frozenset({"profile_update"}),
        lambda user, now: _UNDECLARED.value(user, name, now),
    )


def of_feature(feature: Feature) -> Reading:
    """A profile feature."""
    # A value that moves may have moved by the time of an event that does not touch it.
    touched = EVERY_TYPE if feature.moves else feature.touched_by
    return Reading(feature.name, touched, feature.read, feature.moves)


def _pace(user: UserState, now: int) -> float | None:
    session = user.session
    length = session.last - session.start
    return None if length <= 0 else session.depth * 60_000.0 / length


OWN_FEATURES = {
    feature.name: feature
    for feature in (
        Feature(
            "session.depth", FeatureKind.NUMBER, "events", "events of the latest session", EVERY_TYPE,
            lambda user, now: float(user.session.depth),
        ),
        Feature(
            "session.length", FeatureKind.NUMBER, "ms", "from its first to its last event", EVERY_TYPE,
            lambda user, now: float(user.session.last - user.session.start),
        ),
        Feature(
            "session.pace", FeatureKind.NUMBER, "1/min", "events a minute of the latest session", EVERY_TYPE,
            _pace,
        ),
        Feature("persona", FeatureKind.TEXT, "", "the user's persona", EVERY_TYPE, lambda user, now: user.persona),
    )
}  # fmt: skip
"""What rules can name without any profile feature; a profile feature of the same name takes precedence."""

LATEST_EVENT = Reading("the latest event", EVERY_TYPE, lambda user, now: user.last)
"""What a rule on the time since any event reads."""
