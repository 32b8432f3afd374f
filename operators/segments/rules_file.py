"""Rules in a file: TOML with one table per segment, and those that ship."""

from __future__ import annotations

from importlib import resources

from operators.named_tables import named_tables
from operators.segments.errors import SegmentRefused
from operators.segments.rule import SegmentRule
from schemas.errors import HeadraceError


class RulesFileRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A file of rules that cannot be read, or that holds a bad rule."""


def rules_of(text: str, source: str) -> list[SegmentRule]:
    """The rules of a file's text, which `source` names in errors.

    >>> rules_of('[segments.new]\\nwhen = "known_for < \\'7d\\'"', "mine.toml")[0].name
    'new'

    Raises `RulesFileRefused`.
    """
    try:
        segments = named_tables(text, "segments", 'when = "…"')
        return [SegmentRule.from_fields(name, fields) for name, fields in segments.items()]
    except (ValueError, SegmentRefused) as refusal:
        raise RulesFileRefused(f"{source}: {refusal}") from None


def ready_text() -> str:
    """The file of rules that ship."""
    return resources.files("operators.segments").joinpath("ready.toml").read_text("utf-8")


def ready_rules() -> list[SegmentRule]:
    """The rules that ship.

    >>> [rule.name for rule in ready_rules()][:3]
    ['high_value', 'at_risk', 'new']
    """
    return rules_of(ready_text(), "ready.toml")
