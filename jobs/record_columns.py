"""Columns of a table to the fields of a record, and rows to records: for Parquet and CSV alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from jobs import cells
from jobs.bad_row import BadRow, FileRefused, raw_json
from schemas.reason import Reason
from schemas.records import NO_CONTEXT, Context, Event, Item

_EVENT_TEXTS = (
    "event_id user_id type session_id item_id query order_id currency anonymous_id site slot rec_id"
)
_ITEM_TEXTS = "item_id title category group_id currency description image_url language media"

CONTEXT_COLUMNS: Final = Context.__struct_fields__
"""Fields of the context: plain columns in a file, or with `context.` in front."""

EVENT_COLUMNS: Final[Mapping[str, cells.Cell]] = {
    **dict.fromkeys(_EVENT_TEXTS.split(), cells.text),
    **dict.fromkeys(("value", "quantity"), cells.number),
    **dict.fromkeys(("time", "sent"), cells.time_ms),
    "position": cells.integer,
    "items": cells.texts,
    "attributes": cells.text_map,
    **dict.fromkeys(CONTEXT_COLUMNS, cells.text),
}
ITEM_COLUMNS: Final[Mapping[str, cells.Cell]] = {
    **dict.fromkeys(_ITEM_TEXTS.split(), cells.text),
    **dict.fromkeys(("price", "length"), cells.number),
    **dict.fromkeys(("published_at", "expires_at"), cells.time_ms),
    **dict.fromkeys(("in_stock", "deleted"), cells.flag),
    "tags": cells.texts,
    "markets": cells.markets,
    "attributes": cells.text_map,
}
NEEDED_BY_EVENTS: Final = ("user_id", "type", "time")
NEEDED_BY_ITEMS: Final = ("item_id",)


class Rows(msgspec.Struct, frozen=True):
    """Some rows of a table, column by column. `first` is the number of the first row, counted from 1."""

    first: int
    columns: dict[str, list[Any]]


@dataclass(frozen=True)
class RecordColumns:
    """How the columns of one file make records of one class.

    `fields` maps a field to its column; `extra` are columns of no field, which become attributes.
    """

    file: str
    kind: type[Event] | type[Item]
    fields: Mapping[str, str]
    extra: tuple[str, ...]

    @classmethod
    def of(cls, file: str, kind: type[Event] | type[Item], names: Sequence[str]) -> RecordColumns:
        """Finds the fields among a file's column names. Raises `FileRefused` when a needed one is missing."""
        known, needed = (
            (EVENT_COLUMNS, NEEDED_BY_EVENTS) if kind is Event else (ITEM_COLUMNS, NEEDED_BY_ITEMS)
        )
        fields: dict[str, str] = {}
        for name in names:
            field = name.removeprefix("context.") if kind is Event else name
            if field in known and (field == name or field in CONTEXT_COLUMNS):
                fields.setdefault(field, name)
        missing = [field for field in needed if field not in fields]
        if missing:
            raise FileRefused(
                f"{file}: no column {', '.join(missing)} among {', '.join(names) or 'none'};"
                f" {kind.__name__.lower()} files need {', '.join(needed)}: rename or add columns"
            )
        taken = set(fields.values())
        return cls(file, kind, fields, tuple(name for name in names if name not in taken))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know once about this file."""
        if not self.extra:
            return ()
        return (f"{self.file}: columns of no field go to attributes: {', '.join(self.extra)}",)

    def records(self, batches: Iterable[Rows]) -> Iterator[Event | Item | BadRow]:
        """One record or bad row for each row, in order."""
        for rows in batches:
            yield from self._records(rows)

    def _records(self, rows: Rows) -> Iterator[Event | Item | BadRow]:
        known = EVENT_COLUMNS if self.kind is Event else ITEM_COLUMNS
        wrong: dict[int, str] = {}
        converted = [
            _converted(rows.columns[column], known[field], column, wrong)
            for field, column in self.fields.items()
        ]
        names = tuple(self.fields)
        contents: list[tuple[Any, ...]] | None = None
        for index, values in enumerate(zip(*converted, strict=True)):
            if index in wrong:
                yield self._bad(rows, index, Reason.MALFORMED, wrong[index])
                continue
            found = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            missing = self._missing(found)
            if missing:
                yield self._bad(rows, index, Reason.MISSING_FIELD, f"column {missing} is empty; fill it")
                continue
            if self.extra:
                self._add_attributes(found, rows, index)
            if self.kind is Item:
                yield Item(**found)
                continue
            if "event_id" not in found:
                contents = contents or list(
                    zip(*(rows.columns[name] for name in sorted(rows.columns)), strict=True)
                )
                found["event_id"] = derived_event_id(rows.first + index, contents[index])
            yield _event(found)

    def _missing(self, found: dict[str, Any]) -> str | None:
        for field in NEEDED_BY_EVENTS if self.kind is Event else NEEDED_BY_ITEMS:
            if field not in found:
                return self.fields[field]
        return None

    def _add_attributes(self, found: dict[str, Any], rows: Rows, index: int) -> None:
        attributes = {
            name: cells.text(cell) for name in self.extra if not _is_empty(cell := rows.columns[name][index])
        }
        if attributes:
            found["attributes"] = {**attributes, **found.get("attributes", {})}

    def _bad(self, rows: Rows, index: int, reason: Reason, detail: str) -> BadRow:
        row = rows.first + index
        raw = {name: column[index] for name, column in rows.columns.items()}
        return BadRow(
            file=self.file,
            row=row,
            reason=reason,
            detail=f"{self.file} row {row}: {detail}",
            raw=raw_json(raw),
        )


def derived_event_id(row: int, content: Sequence[Any]) -> str:
    """The id of an event whose file gives none: the same whenever the same row of the same file is read.

    >>> derived_event_id(1, ("u1", "view")) == derived_event_id(1, ("u1", "view"))
    True
    """
    known = msgspec.json.encode((row, content), enc_hook=str)
    return hashlib.blake2b(known, digest_size=16).hexdigest()


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == "" or cell != cell  # NaN is what pandas writes for nothing


def _converted(column: list[Any], cell: cells.Cell, name: str, wrong: dict[int, str]) -> list[Any]:
    values: list[Any] = []
    for index, given in enumerate(column):
        if given is None or given == "" or given != given:
            values.append(None)
            continue
        try:
            values.append(cell(given))
        except (ValueError, OverflowError) as error:
            wrong.setdefault(index, f"column {name}: {error}")
            values.append(None)
    return values


def _event(found: dict[str, Any]) -> Event:
    context = {name: found.pop(name) for name in CONTEXT_COLUMNS if name in found}
    return Event(context=Context(**context) if context else NO_CONTEXT, **found)
