"""`headrace rules`: context rules in files, checked, and brought to the running job."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs import options
from jobs.control_answers import bring, topics_of
from jobs.rules_in_force import (
    READY,
    FoundRule,
    body_of,
    known_rules,
    messages_of,
    read_rules,
    toml_of,
)
from jobs.settings import Settings, load
from operators.context_rule import RULE
from schemas.errors import HeadraceError
from schemas.records import Control

app = typer.Typer(
    help="Check context rules, which move or hide items by context, and bring them to the job.",
    no_args_is_help=True,
)

_FILE = f'Rules (TOML), or "{READY}" for those that ship'

RulesFile = Annotated[str, typer.Argument(metavar="FILE", help=f"{_FILE}.")]
OfFile = Annotated[str | None, typer.Option("--file", help=f"{_FILE}; none: the running job.")]


class RuleUnknown(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """A rule that is not where it is looked for."""


@app.command("check")
def check(file: RulesFile, as_json: options.AsJson = False) -> None:
    """Check all rules of a file: fields, factors, conditions, and how many they are.

    Example: headrace rules check rules.toml
    """
    found = read_rules(file)
    if as_json:
        print(json.dumps({"rules": list(found)}))
    else:
        print(f"{file}: {len(found)} {'rule is' if len(found) == 1 else 'rules are'} right")


@app.command("list")
def show_all(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help=f"{_FILE}; none: the running job.")
    ] = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """List the rules of the running job, those of its settings and those that messages brought; or of a file.

    Example: headrace rules list
    """
    found = _found(file, url, config)
    if as_json:
        print(json.dumps([_told(each) for each in found.values()]))
        return
    table = Table("rule", "from", "effect", "when", "items", "slots", box=None, header_style="bold")
    for each in found.values():
        table.add_row(*map(escape, _row(each)))
    Console().print(table)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The rule.")],
    file: OfFile = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show one rule whole, as a file of rules has it.

    Example: headrace rules show short_and_visual_on_mobile
    """
    found = _found(file, url, config)
    if name not in found:
        where = file if file is not None else "the running job"
        raise RuleUnknown(f'{where} has no rule "{name}"; it has: {", ".join(found) or "none"}')
    if as_json:
        print(json.dumps(_told(found[name])))
    else:
        print(f"# from {found[name].origin}\n{toml_of(found[name].rule)}")


@app.command("put")
def put(
    file: RulesFile,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Only these rules.")] = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring the rules of a file to the running job: new ones, and in the place of those of the same name.

    The next list of a user whom a rule concerns follows it.

    Example: headrace rules put rules.toml --brokers kafka:9092
    """
    found = read_rules(file)
    for name in names or ():
        if name not in found:
            raise RuleUnknown(f'{file} has no rule "{name}"; it has: {", ".join(found)}')
    now = int(time.time())
    controls = {
        name: Control(kind=RULE, name=name, version=now, body=json.dumps(body_of(each.rule)))
        for name, each in found.items()
        if not names or name in names
    }
    bring(controls, topics_of(config, brokers), as_json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The rule.")],
    brokers: options.Brokers = None,
    url: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Take back what was put under a name. A rule of that name in the settings is in force again.

    Example: headrace rules remove quiet_nights --brokers kafka:9092
    """
    told = _settings(url, config)
    held = {record.name: record for record in messages_of(told) if record.rule is not None}
    if name not in held:
        if name in {rule.name for rule in told.context_rules.in_force()}:
            raise RuleUnknown(
                f'rule "{name}" is of the settings; to switch it off, put it with enabled = false: headrace rules show'
                f" {name} prints it"
            )
        raise RuleUnknown(f'no rule "{name}" was put; put were: {", ".join(sorted(held)) or "none"}')
    # Its version may have been given by hand: the job takes only one that is not below it.
    version = max(int(time.time()), held[name].version + 1)
    control = Control(kind=RULE, name=name, version=version, deleted=True)
    bring({name: control}, topics_of(config, brokers), as_json)


def _found(file: str | None, url: str | None, config: Path | None) -> dict[str, FoundRule]:
    """The rules of a file, or those that the running job knows, by name."""
    if file is not None:
        return read_rules(file)
    told = _settings(url, config)
    return known_rules(told.context_rules.in_force(), messages_of(told))


def _settings(url: str | None, config: Path | None) -> Settings:
    return load(config, {"redis.url": url} if url else None)


def _told(found: FoundRule) -> dict[str, object]:
    return {
        "name": found.rule.name,
        "from": found.origin,
        "enabled": found.rule.enabled,
        "rule": body_of(found.rule),
    }


def _row(found: FoundRule) -> tuple[str, ...]:
    rule, body = found.rule, body_of(found.rule)
    effect = f"{rule.effect} × {rule.weight:g}" if rule.effect in ("boost", "bury") else rule.effect
    return (
        rule.name,
        found.origin,
        effect if rule.enabled else f"{effect} (switched off)",
        _conditions(body.get("when", {})) or "always",
        _conditions(body["items"]),
        ", ".join(rule.slots) or "all",
    )


def _conditions(table: dict[str, object]) -> str:
    return ", ".join(f"{name}: {_values(value)}" for name, value in table.items())


def _values(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else json.dumps(value)
