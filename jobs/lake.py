"""`headrace lake`: what lies in the data lake, and few files made of many."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from jobs import options
from jobs.lake_files import COMPACTED, ORDER, REPLACED, SCHEMA, LakeFolder, parts, read_day, replaced_by
from jobs.lake_place import LakePlace
from schemas.errors import HeadraceError
from schemas.lake import DAY_FOLDER

ROW_GROUP: int = 128 * 1024
COMPRESSION = "zstd"

app = typer.Typer(help="The data lake: what lies in it, and few files made of many.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The lake's folder: a path, or s3://BUCKET/FOLDER.")]


class DayRefused(HeadraceError):  # noqa: N818 (named like the other refusals)
    """A day that is none."""


class DayFiles(msgspec.Struct, kw_only=True):
    """A day of the lake: its files and rows, and its bytes."""

    day: str
    files: int
    rows: int
    bytes: int


@app.command("list")
def show(folder: Folder, as_json: options.AsJson = False) -> None:
    """Show the days of a lake.

    Example: headrace lake list lake
    """
    days = [files_of(day) for day in LakeFolder.open(folder).days]
    _tell(days, as_json)


@app.command()
def compact(
    folder: Folder,
    before: Annotated[
        str | None, typer.Option(help="Days before this one (YYYY-MM-DD); by default, before today.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Make one sorted file of each finished day's many. It may run beside the job, and be interrupted.

    Example: headrace lake compact lake --before 2026-03-01
    """
    last = _day(before) if before is not None else datetime.now(UTC).date().isoformat()
    done = []
    for day in LakeFolder.open(folder).days:
        if day.name.removeprefix(DAY_FOLDER) < last and compact_day(day):
            done.append(files_of(day))
    _tell(done, as_json)


def compact_day(day: LakePlace) -> bool:
    """Bring a day's rows into one file, sorted by `ORDER`. False where there was nothing to do.

    The new file names those whose rows it holds, and appears whole before they go: whoever reads the lake with
    `jobs.lake_files` counts each row once at any moment. One day is in memory, in columns.
    """
    finish(day)
    many = parts(day)
    if len(many) < 2:
        return False
    names = sorted(part.name for part in many)
    table = read_day(day).sort_by(ORDER)
    metadata = {**(SCHEMA.metadata or {}), REPLACED: json.dumps(names).encode()}
    new = day / f"{COMPACTED}{datetime.now(UTC):%Y%m%dT%H%M%S%f}.parquet"
    options = {"compression": COMPRESSION, "row_group_size": ROW_GROUP}
    new.write(table.replace_schema_metadata(metadata), options)
    finish(day)
    return True


def finish(day: LakePlace) -> None:
    """Remove the files whose rows a compacted file of the day holds."""
    for part in day.parts():
        for name in replaced_by(part):
            (day / name).remove()


def files_of(day: LakePlace) -> DayFiles:
    """The figures of a day."""
    held = parts(day)
    return DayFiles(
        day=day.name.removeprefix(DAY_FOLDER),
        files=len(held),
        rows=sum(part.metadata().num_rows for part in held),
        bytes=sum(part.size() for part in held),
    )


def _day(told: str) -> str:
    try:
        return datetime.strptime(told, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise DayRefused(f"--before {told!r} is not a day; write it like 2026-03-01") from None


def _tell(days: list[DayFiles], as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(days).decode())
        return
    table = Table("day", "files", "rows", "bytes", box=None, header_style="bold")
    for each in days:
        figures: tuple[Any, ...] = (each.files, each.rows, each.bytes)
        table.add_row(each.day, *(f"{figure:,}" for figure in figures))
    Console().print(table)
