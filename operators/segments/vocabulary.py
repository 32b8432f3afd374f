"""The names that a rule may use, and what the functions of the language take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.feature import Feature
from operators.segments.reading import OWN_FEATURES, Affinities
from schemas.records import EVENT_TYPES

ANY_TYPE = "any"
LINE = "purchase_line"
ORDER = "purchase"
COUNTED_TYPES = EVENT_TYPES - {"forget"} | {ANY_TYPE, LINE}
"""What stands where an event type is expected. `purchase_line` is a purchase event, of which an order may have many."""

AGGREGATES = frozenset({"count", "distinct", "sum", "average", "minimum", "maximum", "first", "last"})
ELAPSED = frozenset({"since_last", "since_first"})
FUNCTIONS = AGGREGATES | ELAPSED | {"affinity", "attribute", "segment", "event"}
AGE = "known_for"
"""The name of the time since the user's first event."""

MS_OF_UNIT = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "days": 86_400_000}
"""Profile features of these units are compared with durations."""


@dataclass(frozen=True)
class Vocabulary:
    """The profile features by name, and where affinities are read."""

    features: Mapping[str, Feature] = field(default_factory=dict)
    affinities: Affinities = field(default_factory=Affinities.of)

    def feature(self, name: str) -> Feature | None:
        """The feature of that name."""
        return self.features.get(name) or OWN_FEATURES.get(name)

    def names(self) -> frozenset[str]:
        """All that can stand alone in a rule."""
        return frozenset(self.features) | frozenset(OWN_FEATURES) | {AGE}
