"""What a profile feature is: a named, typed reading of one user record.

Segment rules, the ranker, training and the profile key all read features by these definitions, so none of
them can come to another value than the others: operators/profile_features.py holds the features themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from schemas.state import UserState

FeatureValue = float | str | bool | None
"""None where nothing is known: a user without purchases has no order value, not one of 0."""


class Kind(StrEnum):
    """What values a feature has. A number is a float, counts included."""

    NUMBER = "number"
    TEXT = "text"
    BOOL = "bool"


EVERY_TYPE = frozenset({"*"})
"""`Feature.touched_by` of a feature that any event can change, one of an unknown type included."""


@dataclass(frozen=True)
class Feature:
    """One profile feature.

    `name` is what a rule is written with, `unit` what a number counts ("" for a pure number), `meaning` one
    line for people. `touched_by` are the event types that can change the value. `moves` says that the value
    also changes with the time alone: it is a rate or an age. `read(user, now)` gives the value as of `now`
    (event time, ms), which is not before the user's latest event; it changes nothing.

    >>> events = Feature("events", Kind.NUMBER, "events", "accepted events", EVERY_TYPE, lambda user, now: user.n)
    >>> events.read(UserState("u", born=5, n=3), 9), events.is_touched_by("view")
    (3, True)
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    touched_by: frozenset[str]
    read: Callable[[UserState, int], FeatureValue]
    moves: bool = False

    def is_touched_by(self, type: str) -> bool:
        """Whether an event of `type` can change the value.

        >>> likes = Feature("likes", Kind.NUMBER, "", "likes", frozenset({"like"}), lambda user, now: 0.0)
        >>> likes.is_touched_by("like"), likes.is_touched_by("view")
        (True, False)
        """
        return self.touched_by is EVERY_TYPE or type in self.touched_by
