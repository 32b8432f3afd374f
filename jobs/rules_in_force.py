"""Context rules and where each comes from: a file, the settings, or a message to the running job."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import redis

from jobs.model_readings import RedisUnreachable
from jobs.settings import Settings
from jobs.text_file import text_of
from operators.context_rule import ContextRule, RuleRefused, rule_of
from operators.context_rules import RuleRecord, RulesInForce, ready_rules, rules_of_file
from schemas.redis_keys import RedisKeys
from udfs.rule_side import stored_rules

READY = "ready"
"""What stands for the rules that ship, where a file is expected."""


class FoundRule(msgspec.Struct, frozen=True):
    """A rule, and where it is from: a file, the settings, or the message of a version."""

    rule: ContextRule
    origin: str


def read_rules(file: str) -> dict[str, FoundRule]:
    """The checked rules of a file, or those that ship, by name. Raises `RuleRefused` and `TextUnreadable`."""
    if file == READY:
        return {rule.name: FoundRule(rule, READY) for rule in ready_rules()}
    rules = rules_of_file(text_of(file), file)
    try:
        RulesInForce(rules)
    except RuleRefused as why:
        raise RuleRefused(f"{file}: {why}") from None
    return {rule.name: FoundRule(rule, file) for rule in rules}


def messages_of(told: Settings) -> list[RuleRecord]:
    """The newest message on every rule's name that the running job passed on. Raises `RedisUnreachable`."""
    try:
        with redis.Redis.from_url(told.redis_url(), socket_timeout=5.0) as client:
            return list(stored_rules(client, RedisKeys(told.redis.prefix)))
    except redis.RedisError as error:
        raise RedisUnreachable(f"Redis at {told.redis.url} does not answer ({error}); give --redis") from None


def known_rules(settings: Iterable[ContextRule], messages: Iterable[RuleRecord]) -> dict[str, FoundRule]:
    """The rules of the settings and of messages by name, those that are switched off too.

    >>> mine = RuleRecord(name="mine", version=7, rule={"effect": "hide", "items": {"tags": ["loud"]}})
    >>> {name: found.origin for name, found in known_rules(ready_rules(), [mine]).items()}
    {'mine': 'message, version 7', 'short_and_visual_on_mobile': 'settings'}
    """
    found = {rule.name: FoundRule(rule, "settings") for rule in settings}
    for record in messages:
        if record.rule is not None:
            rule = rule_of(record.name, record.rule)
            found[record.name] = FoundRule(rule, f"message, version {record.version}")
    return dict(sorted(found.items()))


def body_of(rule: ContextRule) -> dict[str, Any]:
    """The table that makes a rule, without its name and what it leaves as usual.

    >>> body_of(rule_of("x", {"effect": "hide", "items": {"tags": ["loud"]}, "enabled": True}))
    {'effect': 'hide', 'items': {'tags': ['loud']}}
    """
    usual = ContextRule("usual", rule.effect, rule.items)
    return {
        name: _said(value)
        for name, value in msgspec.to_builtins(rule).items()
        if name in ("effect", "items") or value != msgspec.to_builtins(getattr(usual, name))
        if name != "name"
    }


def toml_of(rule: ContextRule) -> str:
    """A rule as a table of a file of rules.

    >>> print(toml_of(rule_of("x", {"effect": "hide", "items": {"tags": ["loud"]}})))
    [rules.x]
    effect = "hide"
    items = { tags = ["loud"] }
    """
    name = rule.name if "." not in rule.name else json.dumps(rule.name)
    return "\n".join(
        [f"[rules.{name}]", *(f"{key} = {_toml(value)}" for key, value in body_of(rule).items())]
    )


def _said(value: Any) -> Any:
    """A table without what is not given in it, as TOML would give it."""
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, dict):
        return value
    return {name: _said(each) for name, each in value.items() if each not in (None, [], (), {})}


def _toml(value: Any) -> str:
    """A value as TOML has it; its text is that of JSON, but for characters that JSON need not escape."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _toml(name)
