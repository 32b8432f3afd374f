"""A segment as its owner writes it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from operators.segments.errors import SegmentRefused

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True):
    """A named condition on what users do and are. A rule that is not `enabled` has no members.

    `version` is 0 where its owner gave none.

    >>> SegmentRule.from_body("vip", 3, '{"when": "known_for > \\\\"7d\\\\""}').when
    'known_for > "7d"'
    """

    name: str
    when: str
    version: int = 0
    description: str = ""
    enabled: bool = True

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SegmentRefused(
                self.name,
                "a name is of letters, digits, _ . and -, begins with a letter or digit, and has at most 64",
            )

    @classmethod
    def from_body(cls, name: str, version: int, body: str) -> SegmentRule:
        """The rule of a control message of kind "segment". Raises `SegmentRefused`."""
        try:
            fields = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise SegmentRefused(name, f"its body is not JSON: {error}") from None
        return cls.from_fields(name, fields, version)

    @classmethod
    def from_fields(cls, name: str, fields: Any, version: int = 0) -> SegmentRule:
        """The rule of a parsed table. Raises `SegmentRefused`."""
        try:
            read = msgspec.convert(fields, _Fields)
        except msgspec.ValidationError as error:
            raise SegmentRefused(
                name, f'{error}; write when = "…", and if you like description, enabled'
            ) from None
        return cls(
            name=name,
            when=read.when,
            version=read.version or version,
            description=read.description,
            enabled=read.enabled,
        )

    def body(self) -> str:
        """The JSON of the control message that carries the rule."""
        fields = {"when": self.when, "description": self.description, "enabled": self.enabled}
        return msgspec.json.encode(fields).decode()


class _Fields(msgspec.Struct, forbid_unknown_fields=True):
    when: str
    description: str = ""
    enabled: bool = True
    version: int = 0
