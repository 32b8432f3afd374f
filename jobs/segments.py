"""`headrace segments`: rules in files, checked, explained, and brought to the running job."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs import options
from jobs.control_answers import bring, topics_of
from jobs.text_file import text_of
from operators.profile_features import FEATURES
from operators.segments.book import SegmentBook
from operators.segments.errors import SegmentRefused
from operators.segments.explain import Explained, explain
from operators.segments.rules_file import RulesFileRefused, ready_rules, rules_of
from schemas.errors import HeadraceError
from schemas.records import Control

READY = "ready"
"""What stands for the rules that ship, where a file is expected."""

app = typer.Typer(help="Check, explain and bring segment rules to the job.", no_args_is_help=True)

RulesFile = Annotated[
    str, typer.Argument(metavar="FILE", help=f'Rules (TOML), or "{READY}" for those that ship.')
]


class SegmentUnknown(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """A segment that the file does not have."""


@app.command("check")
def check(file: RulesFile, as_json: options.AsJson = False) -> None:
    """Check all rules of a file: names, types, circles, bounds.

    Example: headrace segments check segments.toml
    """
    book = read_book(file)
    if as_json:
        print(json.dumps({"segments": list(book.rules), "most_bytes": book.most_bytes}))
    else:
        right = "segment is" if len(book.rules) == 1 else "segments are"
        print(f"{file}: {len(book.rules)} {right} right, at most {book.most_bytes:,} bytes a user")


@app.command("list")
def show(file: RulesFile = READY, as_json: options.AsJson = False) -> None:
    """List the segments of a file, or those that ship.

    Example: headrace segments list
    """
    book = read_book(file)
    if as_json:
        print(json.dumps([{"name": rule.name, **json.loads(rule.body())} for rule in book.rules.values()]))
        return
    table = Table("segment", "meaning", "when", box=None, header_style="bold")
    for rule in book.rules.values():
        off = "" if rule.enabled else " (not enabled)"
        table.add_row(escape(rule.name) + off, escape(rule.description), escape(" ".join(rule.when.split())))
    Console().print(table)


@app.command("explain")
def explained(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A segment, or a file of rules (TOML).")],
    file: Annotated[str, typer.Option("--file", help="The file that a segment is in.")] = READY,
    as_json: options.AsJson = False,
) -> None:
    """Show what rules remember of a user, how exact they are, and what they cost.

    Example: headrace segments explain high_value
    """
    is_file = what == READY or what.endswith(".toml") or "/" in what
    book = read_book(what if is_file else file)
    if not is_file and what not in book.rules:
        raise SegmentUnknown(f'{file} has no segment "{what}"; it has: {", ".join(book.rules)}')
    found = [explain(book, name) for name in (book.rules if is_file else [what])]
    if as_json:
        print(json.dumps([asdict(each) for each in found]))
        return
    for each in found:
        print("\n".join(lines_of(each)), end="\n\n")
    if is_file:
        print(f"all together: at most {book.most_bytes:,} bytes a user; cells that rules share count once")
    print("cells that the running job does not have yet begin empty with each user's next event")


@app.command("put")
def put(
    file: RulesFile,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Only these segments.")] = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring the segments of a file to the running job: new ones, and new versions of those that it has.

    The version of a rule is what the file says (version = 2), else the seconds since 1970.

    Example: headrace segments put segments.toml --brokers kafka:9092
    """
    book = read_book(file)
    for name in names or ():
        if name not in book.rules:
            raise SegmentUnknown(f'{file} has no segment "{name}"; it has: {", ".join(book.rules)}')
    # A segment that another one reads has to be there first.
    now = int(time.time())
    controls = {
        name: Control(
            kind="segment", name=name, version=book.rules[name].version or now, body=book.rules[name].body()
        )
        for name in book.order
        if not names or name in names
    }
    bring(controls, topics_of(config, brokers), as_json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The segment.")],
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove a segment from the running job. Its members leave with their next event or due time.

    Example: headrace segments remove bargain_seekers --brokers kafka:9092
    """
    control = Control(kind="segment", name=name, version=int(time.time()), deleted=True)
    bring({name: control}, topics_of(config, brokers), as_json)


def read_book(file: str) -> SegmentBook:
    """The checked rules of a file, or those that ship. Raises `RulesFileRefused` and `TextUnreadable`."""
    if file == READY:
        return SegmentBook.of(ready_rules(), FEATURES)
    text = text_of(file)
    try:
        return SegmentBook.of(rules_of(text, file), FEATURES)
    except SegmentRefused as refusal:
        raise RulesFileRefused(f"{file}: {refusal}") from None


def lines_of(rule: Explained) -> list[str]:
    """What `explain` says of a rule."""
    state = "" if rule.enabled else " (not enabled)"
    types = "any event" if rule.types is None else ", ".join(rule.types) or "no event"
    lines = [
        f"{rule.name}{state}: {rule.description or 'no description'}",
        f"  when      {' '.join(rule.when.split())}",
    ]
    lines.append(f"  judged    after {types}, and when time alone could change it")
    if rule.segments:
        lines.append(f"  reads     the segments {', '.join(rule.segments)}")
    lines.append(f"  evidence  {'; '.join(rule.evidence) or 'none'}")
    lines.append(f"  memory    at most {rule.most_bytes:,} bytes a user")
    for cell in rule.cells:
        shared = f", shared with {', '.join(cell.shared_with)}" if cell.shared_with else ""
        lines.append(f"            {cell.text}: {cell.precision}; {cell.most_bytes:,} bytes{shared}")
    lines.append(f"  cost      {rule.steps} steps an event, about {rule.microseconds:g} µs")
    return lines
