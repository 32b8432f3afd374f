"""What rules read of a user record, beside events: profile features, affinities, persona, attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from operators.attributes import AttributeKeeper, AttributeSettings
from operators.calibrated_affinity import CalibratedAffinity
from operators.feature import EVERY_TYPE, Feature, FeatureValue
from operators.feature import Kind as FeatureKind
from operators.segments.literals import DAY
from operators.user_step import StepSettings
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
    """How likely a user's next engaging event is in a category, in [0, 1]: as the profile shows it."""

    read: Callable[[UserState, str], float]

    @classmethod
    def of(cls, settings: StepSettings = StepSettings()) -> Affinities:
        """The affinities of users followed with `settings`."""
        return cls(CalibratedAffinity(settings.affinity, settings.calibration).probability)


def affinity(category: str, affinities: Affinities) -> Reading:
    """The affinity to one category. Any event on an item changes the counts, so every type may touch it."""
    read = affinities.read
    return Reading(f'affinity("{category}")', EVERY_TYPE, lambda user, now: read(user, category))


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
