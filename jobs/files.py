"""Files of events and items, whatever their form, as records.

>>> for event in read_events(Path("events.parquet")):  # doctest: +SKIP
...     if isinstance(event, BadRow):
...         print(event.detail)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, cast, get_args

from infra.s3 import in_s3
from jobs.avro_files import AvroContainer
from jobs.bad_row import BadRow, FileRefused
from jobs.lake_files import LakeFolder
from jobs.online_retail import is_online_retail, retail_events, retail_items
from jobs.record_columns import RecordColumns
from jobs.session_files import SESSION_COLUMNS, session_events, session_items
from jobs.table_files import CsvTable, ParquetTable
from schemas.codec import EVENTS, ITEMS, Codec
from schemas.records import Event, Item

Format = Literal["auto", "parquet", "csv", "avro", "online-retail", "sessions", "lake"]
R = TypeVar("R", Event, Item)

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".avro": "avro",
}  # fmt: skip


@dataclass(frozen=True)
class RecordFile(Generic[R]):
    """A file whose form is known. Iterating it reads it from the start, a record or bad row at a time.

    `rows` is the number of rows where the file tells it before it is read; `notes` is what a person should be
    told once about how it is read.
    """

    path: Path
    format: Format
    rows: int | None
    notes: tuple[str, ...]
    read: Callable[[], Iterator[R | BadRow]]

    def __iter__(self) -> Iterator[R | BadRow]:
        return self.read()


def open_events(path: Path | str, format: Format = "auto") -> RecordFile[Event]:
    """A file of events, or the folder of a data lake; `auto` goes by the file's name and columns.

    Raises `FileRefused` when it is not there, its form is not known or a needed column is missing.
    """
    return _open(Path(path), format, Event, EVENTS)


def open_items(path: Path | str, format: Format = "auto") -> RecordFile[Item]:
    """A file of items. An Online Retail or session file gives the items its lines speak of.

    Raises `FileRefused` when it is not there, its form is not known or a needed column is missing.
    """
    return _open(Path(path), format, Item, ITEMS)


def read_events(path: Path | str, format: Format = "auto") -> Iterator[Event | BadRow]:
    """The events of a file; a row that makes no event comes as a `BadRow`. Raises `FileRefused`."""
    return iter(open_events(path, format))


def read_items(path: Path | str, format: Format = "auto") -> Iterator[Item | BadRow]:
    """The items of a file; a row that makes no item comes as a `BadRow`. Raises `FileRefused`."""
    return iter(open_items(path, format))


def carries_items(path: Path | str) -> bool:
    """Whether a file of events names its items too, as Online Retail and session files do."""
    return open_events(path).format in ("online-retail", "sessions")


def _open(path: Path, format: Format, kind: type[R], codec: Codec[R]) -> RecordFile[R]:
    form = _form(path) if format == "auto" else format
    if form == "lake":
        return _lake(path, kind)
    if form == "avro":
        container = AvroContainer.open(path, codec)
        return RecordFile(path, form, None, (), container.records)
    parquet = form == "parquet" or (form == "online-retail" and ".parquet" in path.suffixes)
    table = ParquetTable.open(path) if parquet else CsvTable.open(path)
    rows = table.rows if isinstance(table, ParquetTable) else None
    if form == "online-retail" or (format == "auto" and is_online_retail(table.names)):
        return _adapted(path, "online-retail", rows, kind, retail_events, retail_items)
    if form == "sessions" or (format == "auto" and set(table.names) == set(SESSION_COLUMNS)):
        return _adapted(path, "sessions", rows, kind, session_events, session_items)
    columns = RecordColumns.of(str(path), kind, table.names)

    def read() -> Iterator[R | BadRow]:
        for batch in table.batches():
            if isinstance(batch, BadRow):
                yield batch
            else:
                yield from cast(Iterator[R | BadRow], columns.records([batch]))

    return RecordFile(path, form, rows, columns.notes, read)


def _lake(path: Path, kind: type[Event] | type[Item]) -> RecordFile[Any]:
    if not issubclass(kind, Event):
        raise FileRefused(f"{path}: a data lake holds events; give a file of items")
    lake = LakeFolder.open(path)
    return RecordFile(path, "lake", lake.rows, (), lake.events)


def _adapted(
    path: Path,
    form: Format,
    rows: int | None,
    kind: type[R],
    events: Callable[[Path], Iterator[Event | BadRow]],
    items: Callable[[Path], Iterator[Item | BadRow]],
) -> RecordFile[R]:
    of_events = issubclass(kind, Event)
    read = events if of_events else items
    return RecordFile(
        path, form, rows if of_events else None, (), lambda: cast(Iterator[R | BadRow], read(path))
    )


def _form(path: Path) -> Format:
    if in_s3(path) or path.is_dir():
        return "lake"
    if not path.is_file():
        raise FileRefused(f"{path}: no such file")
    for suffix in reversed(path.suffixes):
        if suffix.lower() in _BY_SUFFIX:
            return _BY_SUFFIX[suffix.lower()]
    known = ", ".join(sorted(_BY_SUFFIX))
    raise FileRefused(
        f"{path}: its name ends in none of {known};"
        f" rename it, or name its form: {', '.join(get_args(Format)[1:])}"
    )
