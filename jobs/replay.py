"""`headrace replay`: lists made again from what the log says they were made from, and profiles from the lake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from jobs import options, settings
from jobs.bundle_search import BundleSearch
from jobs.dead_letter_topic import TimeSpan
from jobs.logged_lists import LoggedLists
from jobs.replay_profile import ProfileReplay, replay_profile
from jobs.user import user_keys
from operators.list_replay import Difference, FindBundle, differences
from schemas.errors import HeadraceError
from schemas.records import Recommendation

_DIFFERS = 1
_MOST_KEPT = 1_000
_MOST_SHOWN = 20


class NothingToReplay(HeadraceError):  # noqa: N818 (a state, told as one line)
    """No list was logged with its inputs, or the options ask for what cannot be done."""


class ReplaySummary(msgspec.Struct, kw_only=True):
    """Lists `read`, those asked for; those with inputs, and of these how many came out equal, bit for bit, or differ.

    `differences` holds the first thousand of them.
    """

    read: int = 0
    unreadable: int = 0
    with_inputs: int = 0
    equal: int = 0
    differ: int = 0
    differences: list[Difference] = []


def command(
    source: Annotated[
        Path | None,
        typer.Argument(help="Folder or file that `headrace run --source` wrote; none: the topic of lists."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Lists of this user alone.")] = None,
    rec_id: Annotated[str | None, typer.Option("--list", help="The list with this id alone.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Lists of this event time or later: ISO 8601, or ms since 1970."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Lists of this event time or earlier.")] = None,
    models: Annotated[
        list[Path] | None, typer.Option("--models", help="Where bundles lie; may be given again.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Make this user's profile again from the lake instead.")
    ] = None,
    lake: Annotated[
        str | None, typer.Option("--lake", help="The lake, with --profile. [lake.folder]")
    ] = None,
    items: Annotated[
        Path | None, typer.Option("--items", help="Catalogue file, with --profile; none: as Redis has it.")
    ] = None,
    brokers: options.Brokers = None,
    redis: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Make logged lists again from their inputs alone, bit for bit; or a user's profile from the data lake.

    Exit code 1 where anything differs.

    Example: headrace replay out --models models
    """
    given = {"kafka.brokers": brokers, "redis.url": redis, "lake.folder": lake}
    told = settings.load(config, {name: value for name, value in given.items() if value is not None})
    if profile is not None:
        _tell_profile(replay_profile(told, profile, items), as_json)
        return
    span = TimeSpan.of(since, until)
    lists = LoggedLists(told.kafka, source, None if user is None else user_keys(user, told).uid)
    chosen = (each for each in lists if each.at in span and rec_id in (None, each.rec_id))
    summary = replay(chosen, BundleSearch(told, models or ()).find)
    summary.unreadable = lists.unreadable
    if as_json:
        print(msgspec.json.encode(summary).decode())
    else:
        _tell(summary)
    if not summary.read:
        raise NothingToReplay(
            f"the log holds {lists.read:,} records, and no list of those that were asked for: see"
            " --user, --list, --since, --until and --brokers"
        )
    if not summary.with_inputs:
        raise NothingToReplay(
            f"of {summary.read:,} logged lists none was logged with its inputs; set publish.inputs_share, or"
            " ask for a user's: headrace user log USER"
        )
    if summary.differ:
        raise typer.Exit(_DIFFERS)


def replay(lists: Iterable[Recommendation], find: FindBundle) -> ReplaySummary:
    """Make the lists again that were logged with inputs."""
    summary = ReplaySummary()
    for logged in lists:
        summary.read += 1
        if logged.inputs is None:
            continue
        summary.with_inputs += 1
        found = differences(logged, find)
        if found:
            summary.differ += 1
            summary.differences += found[: _MOST_KEPT - len(summary.differences)]
        else:
            summary.equal += 1
    return summary


def _tell(summary: ReplaySummary) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"{summary.with_inputs:,} of {summary.read:,} logged lists have their inputs")
    out.print(f"{summary.equal:,} are made again bit for bit, {summary.differ:,} differ")
    for each in summary.differences[:_MOST_SHOWN]:
        out.print(str(each), markup=False)
    if len(summary.differences) > _MOST_SHOWN:
        out.print(f"and {len(summary.differences) - _MOST_SHOWN:,} more; --json names them")
    if summary.unreadable:
        out.print(f"{summary.unreadable:,} records there are no logged lists")


def _tell_profile(found: ProfileReplay, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        out = Console(highlight=False, soft_wrap=True)
        out.print(found.verdict, markup=False)
        for each in found.differences:
            out.print(f"{each.field}: stored {each.stored}, made again {each.computed}", markup=False)
    if found.differences or not found.made_again:
        raise typer.Exit(_DIFFERS)
