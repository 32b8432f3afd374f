"""Context rules in files and on their way to the rank workers: which are in force."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import Any

import msgspec

from operators.context_rule import MOST_RULES, ContextRule, RuleRefused, rule_of, rule_of_control
from operators.in_force import InForce, record_reader
from operators.named_tables import named_tables
from schemas.records import Control

RECORD_VERSION = 1


class RuleRecord(msgspec.Struct, tag="rule", frozen=True, kw_only=True):
    """What is said of a rule's name: a value of the internal key `hr:rules` (JSON), and a record of the shelf's stream.

    The higher `version` holds. `rule` is the body of the control message; None: the settings' rule of that name, if
    there is one.
    """

    v: int = RECORD_VERSION
    name: str
    version: int
    rule: dict[str, Any] | None = None


encode_rule = msgspec.json.Encoder().encode
"""A record as it is stored."""
decode_rule = record_reader(RuleRecord, RECORD_VERSION, "a rule", RuleRefused)
"""The record of `encode_rule`. Raises `RuleRefused` for one of a later release, or that is none."""


def record_of_rule(control: Control) -> RuleRecord:
    """What a control message says of a rule. Raises `RuleRefused`."""
    told = rule_of_control(control)
    body = None if told is None else msgspec.json.decode(control.body)
    return RuleRecord(name=control.name, version=control.version, rule=body)


class RulesInForce(InForce[RuleRecord, ContextRule]):
    """The rules of the settings, and in their place or beside them those of the newest records.

    >>> rules = RulesInForce(ready_rules())
    >>> rules.offer(RuleRecord(name="mine", version=1, rule={"effect": "hide", "items": {"tags": ["loud"]}}))
    True
    >>> [rule.name for rule in rules.all()]
    ['mine', 'short_and_visual_on_mobile']
    """

    def __init__(self, settings: Iterable[ContextRule]) -> None:
        super().__init__(settings, _rule_in, _refuse_too_many)


def rules_of_file(text: str, source: str) -> tuple[ContextRule, ...]:
    """The rules of a TOML file's text, which `source` names in errors. Raises `RuleRefused`."""
    try:
        tables = named_tables(text, "rules", "effect and items")
        return tuple(rule_of(name, table) for name, table in tables.items())
    except (ValueError, RuleRefused) as why:
        raise RuleRefused(f"{source}: {why}") from None


def ready_rules() -> tuple[ContextRule, ...]:
    """The rules that ship.

    >>> [rule.name for rule in ready_rules()]
    ['short_and_visual_on_mobile']
    """
    text = resources.files("operators").joinpath("context_rules.toml").read_text("utf-8")
    return rules_of_file(text, "context_rules.toml")


def _rule_in(record: RuleRecord) -> ContextRule | None:
    return None if record.rule is None else rule_of(record.name, record.rule)


def _refuse_too_many(rules: tuple[ContextRule, ...]) -> None:
    if len(rules) > MOST_RULES:
        raise RuleRefused(f"{len(rules)} rules are in force with this one; {MOST_RULES} are possible")
