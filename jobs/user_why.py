"""`headrace user why`: where each item of a list came from, and why another is not in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from jobs import options, settings
from jobs.send_progress import recorded_time
from jobs.user import Prefix, User, app, user_keys
from jobs.why import Why, explain, moment
from operators.explanation import ItemReason, SourceShare

_SHOWN_FEATURES = 4
"""Of each item of a list; of one that is asked for, all are shown."""

_HEADINGS = ("", "item", "score", "why", "sources", "features", "")


@app.command("why")
def why(
    user: User,
    item: Annotated[
        str | None, typer.Option("--item", help="This item alone, also if it is not listed.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="The list that held then: ISO 8601, or ms since 1970.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Folder that `headrace run --source` wrote; none: the topic."),
    ] = None,
    models: Annotated[
        list[Path] | None, typer.Option("--models", help="Where bundles lie; may be given again.")
    ] = None,
    brokers: options.Brokers = None,
    url: options.Redis = None,
    prefix: Prefix = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell where each item of a user's list came from: sources, features, rules, model.

    Example: headrace user why 17850 --item 22423
    """
    given = {"kafka.brokers": brokers, "redis.url": url, "redis.prefix": prefix}
    told = settings.load(config, {name: value for name, value in given.items() if value is not None})
    found = explain(told, user_keys(user, told), item, moment(at), source, models or ())
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    out = Console(highlight=False)
    _tell_list(out, user, found)
    if item is None:
        _tell_items(out, found)
    else:
        for reason in found.items:
            _tell_item(out, reason)


def _tell_list(out: Console, user: str, found: Why) -> None:
    out.print(
        f"list {found.rec_id} of {user}, of {recorded_time(found.at)} UTC", markup=False, soft_wrap=True
    )
    bundle = f", bundle {found.bundle[:12]}…" if found.bundle else ""
    release = f", Headrace {found.release}" if found.release else ""
    out.print(f"model {found.model}{bundle}{release}", markup=False, soft_wrap=True)
    for name, variant in sorted(found.experiment.items()):
        out.print(f"experiment {name}: variant {variant}", markup=False, soft_wrap=True)
    for sentence in (*found.rules, *found.unknown):
        out.print(sentence, markup=False, soft_wrap=True)


def _tell_items(out: Console, found: Why) -> None:
    """A row an item, in columns of which the list has something."""
    rows = [
        (
            str(each.place), each.item_id, _number(each.score), each.why,
            "\n".join(map(_source, each.sources)), "\n".join(_weightiest(each)), "\n".join(each.notes),
        )
        for each in found.items
    ]  # fmt: skip
    told = [column for column in zip(_HEADINGS, *rows, strict=True) if any(column[1:])]
    table = Table(*(heading for heading, *_ in told), box=None, header_style="bold")
    for row in zip(*(cells for _, *cells in told), strict=True):
        table.add_row(*row)
    out.print(table)


def _weightiest(reason: ItemReason) -> list[str]:
    return [
        f"{share.feature} {share.contribution:+.3g}"
        for share in reason.features[:_SHOWN_FEATURES]
        if share.contribution
    ]


def _tell_item(out: Console, reason: ItemReason) -> None:
    place = f"at place {reason.place}, {reason.why}" if reason.place else "not in the list"
    ranked = f", ranked {reason.rank} among the candidates" if reason.rank is not None else ""
    score = f", score {_number(reason.score)}" if reason.score is not None else ""
    out.print(f"{reason.item_id}: {place}{score}{ranked}", markup=False, soft_wrap=True)
    for note in reason.notes:
        out.print(f"  {note}", markup=False, soft_wrap=True)
    for share in reason.sources:
        out.print(f"  {_source(share)}", markup=False, soft_wrap=True)
    if reason.features:
        table = Table("feature", "value", "neutral", "contribution", box=None, header_style="bold")
        for each in reason.features:
            table.add_row(
                each.feature, _number(each.value), _number(each.neutral), _number(each.contribution, "+")
            )
        out.print(table)


def _source(share: SourceShare) -> str:
    if share.weight is None or share.contribution is None:
        return f"{share.source} said {share.said:.3f}"
    return f"{share.source} said {share.said:.3f} × {share.weight:g} = {share.contribution:+.4f}"


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4g}"
