"""A checked rule: every name known, every type right. Durations and times are ms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.feature import FeatureValue
from operators.segments.reading import Reading
from operators.segments.selection import Selection


class Kind(StrEnum):
    """What a value is."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOL = "true or false"
    DURATION = "a duration"
    TIME = "a point in time"


@dataclass(frozen=True)
class Constant:
    """A value that stands in the rule."""

    value: float | str | bool
    kind: Kind
    at: int


@dataclass(frozen=True)
class Aggregate:
    """A number over the selected events, of the window (ms) where there is one.

    `function` is count, distinct, sum, minimum, maximum, first or last. `of` is the field that is summed up or
    told apart; a count of orders is a `distinct` of "order". `first` and `last` are points in time. `text` is
    how people read it.
    """

    function: str
    selection: Selection
    within: int | None
    of: str
    kind: Kind
    text: str
    at: int


@dataclass(frozen=True)
class Elapsed:
    """How long ago: the first or last selected event; with `selection` None the user's first event of all."""

    function: str
    selection: Selection | None
    text: str
    at: int
    kind: Kind = Kind.DURATION


@dataclass(frozen=True)
class Known:
    """Something that the user record knows."""

    reading: Reading
    kind: Kind
    text: str
    at: int


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers joined by +, -, * or /. None where a side is, and where it divides by 0."""

    operator: str
    left: Value
    right: Value
    kind: Kind
    at: int


Value = Constant | Aggregate | Elapsed | Known | Arithmetic


@dataclass(frozen=True)
class Compared:
    """Two values of one kind. False where one of them is not known."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Among:
    """A value that is one of several constants, or none of them where `negated`. False where it is not known."""

    value: Value
    constants: tuple[FeatureValue, ...]
    negated: bool


@dataclass(frozen=True)
class Followed:
    """Two steps in order, at most `within` ms apart.

    Of the user's latest `second`: whether a `first` came at most `within` before it. Where `negated`: whether
    the user's latest `first` is at least `within` ago, and no `second` came since.
    """

    first: Selection
    second: Selection
    negated: bool
    within: int
    text: str


@dataclass(frozen=True)
class InSegment:
    """Whether the user is in another segment."""

    segment: str
    at: int


@dataclass(frozen=True)
class Both:
    """All parts hold (`every`), or one at least."""

    parts: tuple[Condition, ...]
    every: bool


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True)
class IsTrue:
    """A true-or-false value."""

    value: Value


Condition = Compared | Among | Followed | InSegment | Both | Not | IsTrue
