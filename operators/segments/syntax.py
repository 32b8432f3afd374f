"""What a rule's text is made of, before anything is known of its names and types.

Every node bears `at`, the place in the text where it begins, for errors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Literal:
    """A number, a text, or true and false."""

    value: float | str | bool
    at: int


@dataclass(frozen=True)
class Name:
    """A name that stands alone, such as `persona` or `session.depth`."""

    name: str
    at: int


@dataclass(frozen=True)
class Options:
    """The values in `in ("a", "b")`."""

    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True)
class Setting:
    """What is said of a field between the parentheses of a call: `within="30d"`, `value >= 5`."""

    field: str
    operator: str
    value: Literal | Options | Name
    at: int


@dataclass(frozen=True)
class Call:
    """A function with its plain arguments and its settings."""

    function: str
    arguments: tuple[Node, ...]
    settings: tuple[Setting, ...]
    at: int


@dataclass(frozen=True)
class Negative:
    """A minus sign before a number."""

    of: Node
    at: int


@dataclass(frozen=True)
class Calculation:
    """Two sides joined by +, -, * or /; `at` is that of the operator."""

    operator: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True)
class Comparing:
    """Two sides joined by ==, !=, <, <=, > or >=; `at` is that of the operator."""

    operator: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True)
class OneOf:
    """`left in (…)`, or `left not in (…)` where `negated`."""

    left: Node
    options: Options
    negated: bool
    at: int


@dataclass(frozen=True)
class Steps:
    """`first then second within "1d"`, or `first then not second within "1h"` where `negated`."""

    first: Node
    second: Node
    negated: bool
    within: Literal
    at: int


@dataclass(frozen=True)
class Joined:
    """Conditions joined by `and`, or by `or`."""

    word: str
    parts: tuple[Node, ...]
    at: int


@dataclass(frozen=True)
class Negated:
    """`not` before a condition."""

    of: Node
    at: int


Node = Literal | Name | Call | Negative | Calculation | Comparing | OneOf | Steps | Joined | Negated
