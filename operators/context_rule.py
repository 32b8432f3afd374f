"""A rule on what is shown when: for users in a context, some items go up, down or out of their lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import msgspec

from operators.item_selector import ItemSelector
from operators.named_tables import refuse_unknown
from schemas.errors import HeadraceError
from schemas.records import Control

RULE = "rule"
"""The kind of control messages that bring rules."""

MOST_RULES = 16
"""Rules in force at once."""

BOOSTS = (1.0, 4.0)
BURIES = (0.25, 1.0)
"""What a factor may be, the ends that change nothing left out."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_USUAL = {"boost": 1.5, "bury": 0.5}


class RuleRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A context rule that cannot be used; the text names the rule, what is wrong, and what may stand there."""


@dataclass(frozen=True)
class Moment:
    """When a rule holds: of each condition that is given, one value must fit.

    `hours` are (from, to) of the user's local time (`operators.local_time`), the second not included; (22, 6) goes
    over midnight. `segments` are segments that the user is in. Raises `ValueError`.
    """

    devices: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    hours: tuple[int, int] | None = None
    weekdays: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hours is not None:
            begin, end = self.hours
            if not (0 <= begin <= 23 and 0 <= end <= 24 and begin != end):
                raise ValueError(f"hours {[begin, end]}: from 0 to 23, to 1 to 24, and not the same")
        if strange := [day for day in self.weekdays if day not in WEEKDAYS]:
            raise ValueError(f"weekday {strange[0]!r} is not known; known: {', '.join(WEEKDAYS)}")

    def holds(
        self, device: str | None, country: str | None, hour: int, weekday: int, segments: frozenset[str]
    ) -> bool:
        """Whether a user is in this context; `hour` and `weekday` (0: Monday) are local."""
        return (
            (not self.devices or device in self.devices)
            and (not self.countries or country in self.countries)
            and (self.hours is None or _within(hour, *self.hours))
            and (not self.weekdays or WEEKDAYS[weekday] in self.weekdays)
            and (not self.segments or not segments.isdisjoint(self.segments))
        )


@dataclass(frozen=True)
class ContextRule:
    """What a rule does to which items, when, and in which slots (all, where none is named).

    `boost` and `bury` multiply an item's score by `factor` (where none is given 1.5 and 0.5), `hide` takes the items
    out, `keep` all others. Raises `RuleRefused`.

    >>> rule = ContextRule("calm", "bury", ItemSelector(tags=("loud",)), Moment(hours=(22, 6)))
    >>> rule.weight, rule.when.holds("mobile", "GB", 23, 0, frozenset())
    (0.5, True)
    """

    name: str
    effect: Literal["boost", "bury", "hide", "keep"]
    items: ItemSelector
    when: Moment = Moment()
    factor: float | None = None
    slots: tuple[str, ...] = ()
    enabled: bool = True
    description: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise self._refused(
                "a name is of letters, digits, _ . and -, begins with a letter or digit, and has at most 64"
            )
        if self.items.is_empty:
            raise self._refused('items: say which items are meant, such as items = {tags = ["new"]}')
        bounds = {"boost": BOOSTS, "bury": BURIES}.get(self.effect)
        if self.factor is None:
            return
        if bounds is None:
            raise self._refused(f"factor: {self.effect} takes none")
        low, high = bounds
        if not (low <= self.factor <= high and self.factor != 1.0):
            raise self._refused(
                f"factor {self.factor:g} of a {self.effect} is not within {low:g} and {high:g}"
            )

    @property
    def weight(self) -> float:
        """What scores are multiplied by; 0 takes an item out."""
        return self.factor if self.factor is not None else _USUAL.get(self.effect, 0.0)

    @property
    def spares_others(self) -> bool:
        """Whether it is about the items that are named; `keep` is about the others."""
        return self.effect != "keep"

    def _refused(self, why: str) -> RuleRefused:
        return RuleRefused(f'rule "{self.name}": {why}')


def rule_of(name: str, table: Any) -> ContextRule:
    """The rule of a parsed table or JSON object. Raises `RuleRefused`.

    >>> rule_of("x", {"effect": "boost", "items": {"tags": ["new"]}, "factor": 9})
    Traceback (most recent call last):
    operators.context_rule.RuleRefused: rule "x": factor 9 of a boost is not within 1 and 4
    """
    try:
        if not isinstance(table, Mapping):
            raise ValueError("it is a table with effect and items")
        for place, kind in (("", ContextRule), ("items", ItemSelector), ("when", Moment)):
            _refuse_unknown(table.get(place) if place else table, kind, place)
        return msgspec.convert({**table, "name": name}, ContextRule)
    except (msgspec.ValidationError, ValueError) as error:
        text = str(error).removeprefix(f'rule "{name}": ')
        raise RuleRefused(f'rule "{name}": {text}') from None


def rule_of_control(control: Control) -> ContextRule | None:
    """The rule that a control message brings, None for one that takes it away. Raises `RuleRefused`."""
    if control.deleted:
        return None
    try:
        table = msgspec.json.decode(control.body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise RuleRefused(f'rule "{control.name}": its body is not JSON: {error}') from None
    return rule_of(control.name, table)


def _refuse_unknown(table: Any, kind: type, place: str) -> None:
    if not isinstance(table, Mapping):
        return
    refuse_unknown(table, {each.name for each in fields(kind)} - {"name"}, place or "it")


def _within(hour: int, begin: int, end: int) -> bool:
    return begin <= hour < end if begin < end else hour >= begin or hour < end
