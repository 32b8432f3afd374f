"""The data lake read: its days one after the other, each user's events in the order they were accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from jobs.bad_row import FileRefused
from jobs.lake_place import LakePlace
from operators.lake_row import event_of
from schemas.lake import COLUMNS, DAY_FOLDER, LAKE_VERSION, Kind
from schemas.records import Event

BATCH_ROWS: Final = 8_192
COMPACTED: Final = "part-compacted-"
"""What the names of compacted files begin with: `part-*` matches all files that count, and no hidden one."""

REPLACED: Final = b"headrace.replaced"
"""In the metadata of a compacted file: the names of the files whose rows it holds, a JSON list."""

_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.MOMENT: pa.timestamp("ms"),
    Kind.LIST: pa.list_(pa.string()),
    Kind.PAIRS: pa.map_(pa.string(), pa.string()),
}
SCHEMA: Final = pa.schema([("v", pa.int32()), *((each.name, _TYPES[each.kind]) for each in COLUMNS)])
"""A lake file's columns, as this release reads and compacts them."""

ORDER: Final = [("at", "ascending"), ("user", "ascending"), ("n", "ascending")]
"""By the users' own clocks: a user's rows come as they were accepted, a late event behind what it came after."""


@dataclass(frozen=True)
class LakeFolder:
    """A lake. One day is in memory at a time, in columns (some 150 bytes an event)."""

    place: LakePlace
    days: tuple[LakePlace, ...]

    @classmethod
    def open(cls, path: Path | str) -> LakeFolder:
        """A path of this machine, or `s3://BUCKET/FOLDER`. Raises `FileRefused` when the folder holds no day."""
        place = LakePlace.of(path)
        days = tuple(day for day in place.folders() if day.name.startswith(DAY_FOLDER))
        if not days:
            raise FileRefused(
                f"{place}: no data lake: no folder {DAY_FOLDER}YYYY-MM-DD in it; name a file, or the lake's folder"
            )
        return cls(place, days)

    @property
    def rows(self) -> int:
        """Rows in all days, those of bots and internal traffic included."""
        return sum(part.metadata().num_rows for day in self.days for part in parts(day))

    def events(self) -> Iterator[Event]:
        """The events of people, in order. Raises `FileRefused` for a file that this release cannot read."""
        for day in self.days:
            table = read_day(day)
            table = table.filter(pc.is_null(table["traffic"])).sort_by(ORDER)
            for _, event in event_rows(table):
                yield event


def event_rows(table: Any) -> Iterator[tuple[int, Event]]:
    """Of the rows of a table as `read_day` gives them, in their order, the number of the event among its user's and
    the event."""
    names = [column.name for column in COLUMNS]
    for batch in table.select(names).to_batches(max_chunksize=BATCH_ROWS):
        values = [_values(column) for column in batch.columns]
        for cells in zip(*values, strict=True):
            row = dict(zip(names, cells, strict=True))
            yield row["n"], event_of(row)


def parts(day: LakePlace) -> list[LakePlace]:
    """The files of a day whose rows count: no hidden one, none whose rows a compacted file holds."""
    visible = day.parts()
    gone = {name for part in visible for name in replaced_by(part)}
    return [part for part in visible if part.name not in gone]


def replaced_by(part: LakePlace) -> list[str]:
    """The names of the files that a compacted file stands for; none for any other file."""
    if not part.name.startswith(COMPACTED):
        return []
    known = part.metadata().metadata or {}
    names: list[str] = json.loads(known.get(REPLACED, b"[]"))
    return names


def read_day(day: LakePlace) -> Any:
    """A day's rows as one table of `SCHEMA`. Raises `FileRefused` for a file that cannot be read."""
    return pa.concat_tables([read_part(part) for part in parts(day)] or [SCHEMA.empty_table()])


def read_part(part: LakePlace) -> Any:
    """A file's rows as a table of `SCHEMA`: columns that it lacks are null, and such as are not known left.

    Raises `FileRefused` when it is no Parquet file or of a later release.
    """
    part.metadata()
    table = part.table()
    newest = pc.max(table["v"]).as_py() if "v" in table.column_names else None
    if table.num_rows and (newest is None or newest > LAKE_VERSION):
        raise FileRefused(
            f"{part}: rows of lake version {newest}; this release reads 1 to {LAKE_VERSION}: update Headrace"
        )
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _values(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values
