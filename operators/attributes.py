"""Profile attributes: what CRM, demographic and firmographic records say of a user.

They come as `profile_update` events: `attributes` holds names and values, the name `source` says which system
tells it, and the event's time when it was true. Of every name the latest value of each source is kept, so
that the order of arrival decides nothing; which one counts, is decided when it is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from operators.feature import Feature, Kind
from schemas.attributes import Attribute
from schemas.records import Event
from schemas.state import UserState

SOURCE = "source"
"""The name under which a record says where it comes from."""

UNNAMED_SOURCE = "app"
"""The source of records that name none."""

CLEARED = ""
"""A value that takes an attribute back."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "bool": Kind.BOOL}
_TYPES = frozenset({"profile_update"})


@dataclass(frozen=True)
class AttributeField:
    """One declared attribute.

    `sources` are those that may tell it, the most trusted first; none: any, the latest record counts. After
    `stale_after` (ms) a value counts no more, and that of a less trusted source takes its place; none: never.
    `values` are those allowed for a text (none: any), `low` and `high` bound a number.
    Raises `ValueError` for a contradiction.
    """

    kind: Literal["text", "number", "bool"] = "text"
    sources: tuple[str, ...] = ()
    stale_after: int | None = None
    values: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    meaning: str = ""

    def __post_init__(self) -> None:
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"sources are {', '.join(self.sources)}; each may be named once")
        if self.stale_after is not None and self.stale_after < 1:
            raise ValueError(f"stale_after is {self.stale_after}; it must be at least 1 ms")
        if not self.low <= self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; no number lies between")
        if self.values and self.kind != "text":
            raise ValueError(f"values are for a text; the kind is {self.kind}")


@dataclass(frozen=True)
class AttributeSettings:
    """Which attributes there are. `undeclared` ones are kept as texts, or refused.

    A user has at most `most` attributes, the oldest giving way, of at most `longest` characters each.
    Raises `ValueError` for a name that no attribute can have.
    """

    fields: Mapping[str, AttributeField] = field(default_factory=dict)
    undeclared: Literal["keep", "refuse"] = "keep"
    most: int = 32
    longest: int = 128

    def __post_init__(self) -> None:
        for name in self.fields:
            if not _NAME.fullmatch(name) or name == SOURCE:
                raise ValueError(f"fields.{name}: {_NAME_RULE}")
        for name in ("most", "longest"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


_NAME_RULE = f"a name is 1 to 64 letters, digits and '_', does not begin with a digit, and is not {SOURCE!r}"
_ANY = AttributeField()


NO_FIELD = "?"
"""Stands for an attribute that is not declared: its name is the sender's own text."""


class BadAttributes(ValueError):  # noqa: N818
    """A record that cannot be believed: the text names the attribute, the source and the rule, never the value.

    `field` (a declared name, or NO_FIELD) and `rule` come from the settings alone, so that anybody may read them.
    """

    def __init__(self, where: str, field: str, rule: str) -> None:
        super().__init__(f"{where} {rule}")
        self.field = field
        self.rule = rule


def attribute_of(detail: str) -> str:
    """The attribute that the text of a `BadAttributes` names; `record` where it is of the whole record.

    >>> attribute_of("attribute 'employees' of source 'app' is no number"), attribute_of("record: it holds")
    ('employees', 'record')
    """
    named = re.match(r"attribute (.+?) of source ", detail)
    return named[1][1:-1] if named else "record"


class AttributeKeeper:
    """Takes records into the `attributes` part of user records; holds nothing of any user itself.

    >>> keeper = AttributeKeeper(AttributeSettings({"employees": AttributeField(kind="number", low=1)}))
    >>> user = UserState("u", born=0)
    >>> def record(**attributes): return Event(
    ...     event_id="e", user_id="ann", type="profile_update", time=5, attributes=attributes)
    >>> keeper.update(user, keeper.parse(record(employees="250", tier="gold", source="crm")))
    >>> keeper.value(user, "employees", 9), keeper.value(user, "tier", 9)
    (250.0, 'gold')
    >>> keeper.parse(record(employees="many"))
    Traceback (most recent call last):
    operators.attributes.BadAttributes: attribute 'employees' of source 'app' is no number
    """

    def __init__(self, settings: AttributeSettings) -> None:
        self._settings = settings
        self._fields = dict(settings.fields)

    def parse(self, event: Event) -> dict[str, Attribute]:
        """The attributes of a profile_update event, by name.

        Raises `BadAttributes` when one of them cannot be believed: then none of the record is used.
        """
        source = event.attributes.get(SOURCE, UNNAMED_SOURCE).strip() or UNNAMED_SOURCE
        if len(source) > self._settings.longest:
            rule = f"the name of its source has more than {self._settings.longest} characters"
            raise BadAttributes("record:", NO_FIELD, rule)
        given = {name: text for name, text in event.attributes.items() if name != SOURCE}
        if len(given) > self._settings.most:
            rule = f"it holds more than the {self._settings.most} attributes that a user has at most"
            raise BadAttributes("record:", NO_FIELD, rule)
        return {
            name: Attribute(self._parsed(name, text, source), source, event.time)
            for name, text in given.items()
        }

    def update(self, user: UserState, given: Mapping[str, Attribute]) -> None:
        """Keep what `parse` gave; a value older than the one held of its source changes nothing."""
        held = user.attributes
        for name, attribute in given.items():
            several = bool(self._fields.get(name, _ANY).sources)
            same = [a for a in held.get(name, ()) if not several or a.source == attribute.source]
            if all(_order(a) < _order(attribute) for a in same):
                held[name] = [a for a in held.get(name, ()) if a not in same] + [attribute]
                held[name].sort(key=lambda a: a.source)
        while len(held) > self._settings.most:
            del held[min(held, key=lambda name: (max(a.time for a in held[name]), name))]

    def value(self, user: UserState, name: str, now: int) -> float | str | bool | None:
        """What counts of an attribute at `now` (ms): the most trusted source's value that is not stale."""
        declared = self._fields.get(name, _ANY)
        fresh = [
            a
            for a in user.attributes.get(name, ())
            if declared.stale_after is None or now - a.time <= declared.stale_after
        ]
        if declared.sources:
            ranks = {source: rank for rank, source in enumerate(declared.sources)}
            fresh = [a for a in fresh if a.source in ranks and a.value != CLEARED]
            return min(fresh, key=lambda a: ranks[a.source]).value if fresh else None
        return fresh[0].value if fresh and fresh[0].value != CLEARED else None

    def values(self, user: UserState, now: int) -> dict[str, float | str | bool]:
        """All attributes that count at `now`, by name in alphabetical order."""
        found = ((name, self.value(user, name, now)) for name in sorted(user.attributes))
        return {name: value for name, value in found if value is not None}

    def _parsed(self, name: str, text: str, source: str) -> float | str | bool:
        settings = self._settings
        declared = self._fields.get(name)
        where = f"attribute {name[:64]!r} of source {source!r}"

        def bad(rule: str) -> BadAttributes:
            return BadAttributes(where, NO_FIELD if name not in self._fields else name, rule)

        if not _NAME.fullmatch(name):
            raise bad(f"is no name: {_NAME_RULE}")
        if declared is None:
            if settings.undeclared == "refuse":
                raise bad(f"is not declared; declared: {', '.join(sorted(self._fields)) or 'none'}")
            declared = _ANY
        if declared.sources and source not in declared.sources:
            raise bad(f"may not be told by this source; {', '.join(declared.sources)} may")
        text = text.strip()
        if text == CLEARED:
            return CLEARED
        if len(text) > settings.longest:
            raise bad(f"has more than {settings.longest} characters")
        if declared.kind == "bool":
            if text.lower() not in _TRUTH:
                raise bad("is no truth value; give true or false")
            return _TRUTH[text.lower()]
        if declared.kind == "number":
            return _number(text, declared, bad)
        if declared.values and text not in declared.values:
            raise bad(f"is none of {', '.join(declared.values)}")
        return text


def attribute_features(settings: AttributeSettings) -> list[Feature]:
    """`attribute.NAME` for every declared attribute.

    >>> [feature.name for feature in attribute_features(AttributeSettings({"tier": AttributeField()}))]
    ['attribute.tier']
    """
    keeper = AttributeKeeper(settings)
    return [
        Feature(
            f"attribute.{name}",
            _KINDS[declared.kind],
            "",
            declared.meaning or "as declared in step.attributes.fields",
            _TYPES,
            lambda user, now, name=name: keeper.value(user, name, now),  # type: ignore[misc]
            moves=declared.stale_after is not None,
        )
        for name, declared in settings.fields.items()
    ]


def _number(text: str, declared: AttributeField, bad: Callable[[str], BadAttributes]) -> float:
    try:
        number = float(text)
    except ValueError:
        raise bad("is no number") from None
    if not math.isfinite(number) or not declared.low <= number <= declared.high:
        raise bad(f"is not from {declared.low:g} to {declared.high:g}")
    return number


def _order(attribute: Attribute) -> tuple[int, str, str]:
    """The latest counts; of one time, the greater text, so that the order of arrival decides nothing."""
    return attribute.time, str(attribute.value), attribute.source
