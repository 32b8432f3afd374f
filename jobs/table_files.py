"""Parquet and CSV files as batches of rows, in bounded memory."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.bad_row import BadRow, FileRefused, raw_json
from jobs.record_columns import Rows
from schemas.reason import Reason

BATCH_ROWS: Final = 8_192
_DELIMITERS: Final = ",;\t"
_LONGEST_CELL: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file: `names` of its columns, `rows` in all."""

    path: Path
    names: tuple[str, ...]
    rows: int

    @classmethod
    def open(cls, path: Path) -> ParquetTable:
        """Reads the file's footer. Raises `FileRefused` when it is no Parquet file."""
        try:
            file = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise FileRefused(f"{path}: not a readable Parquet file: {error}") from error
        names: list[str] = []
        for field in file.schema_arrow:
            nested = [f"context.{child.name}" for child in field.type] if _is_context(field) else [field.name]
            names += nested
        return cls(path, tuple(names), file.metadata.num_rows)

    def batches(self) -> Iterator[Rows]:
        """The rows, batch by batch. Times come as ms, a struct column `context` as columns of its own."""
        first = 1
        for batch in pq.ParquetFile(self.path).iter_batches(batch_size=BATCH_ROWS):
            columns: dict[str, list[Any]] = {}
            for field, column in zip(batch.schema, batch.columns, strict=True):
                if _is_context(field):
                    for child, values in zip(field.type, column.flatten(), strict=True):
                        columns[f"context.{child.name}"] = _values(values)
                else:
                    columns[field.name] = _values(column)
            yield Rows(first, columns)
            first += batch.num_rows


def _is_context(field: Any) -> bool:
    return field.name == "context" and bool(pa.types.is_struct(field.type))


def _values(column: Any) -> list[Any]:
    """Python values of a column; timestamps as ms at once, because datetimes are slow and end in 9999."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        unit = pa.timestamp("ms", getattr(column.type, "tz", None))
        column = pc.cast(pc.cast(column, unit, safe=False), pa.int64())
    values: list[Any] = column.to_pylist()
    return values


@dataclass(frozen=True)
class CsvTable:
    """A CSV file with a header, its cells parted by comma, semicolon or tab; `.gz` is unpacked while reading.

    Every cell stays text, so that an id like 00123 keeps its zeros.
    """

    path: Path
    names: tuple[str, ...]
    delimiter: str

    @classmethod
    def open(cls, path: Path) -> CsvTable:
        """Reads the header. Raises `FileRefused` when there is none or it names a column twice."""
        try:
            with open_text(path) as lines:
                header = lines.readline()
        except (OSError, EOFError) as error:
            raise FileRefused(f"{path}: not readable: {error}") from error
        delimiter = max(_DELIMITERS, key=header.count)
        names = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))
        if not any(names):
            raise FileRefused(f"{path}: its first line is empty; it must name the columns")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FileRefused(f"{path}: the header names {', '.join(twice)} more than once; rename one")
        return cls(path, names, delimiter)

    def batches(self) -> Iterator[Rows | BadRow]:
        """The rows, batch by batch, and between them the lines that have too many or too few cells."""
        first, pending = 1, list[list[str]]()
        for row, cells, problem in self._lines():
            if problem is None:
                if not pending:
                    first = row
                pending.append(cells)
            if pending and (problem is not None or len(pending) == BATCH_ROWS):
                yield self._rows(first, pending)
                pending = []
            if problem is not None:
                yield BadRow(
                    file=str(self.path), row=row, reason=Reason.MALFORMED,
                    detail=f"{self.path} row {row}: {problem}",
                    raw=raw_json({"cells": self.delimiter.join(cells)}),
                )  # fmt: skip
        if pending:
            yield self._rows(first, pending)

    def _rows(self, first: int, lines: list[list[str]]) -> Rows:
        return Rows(first, dict(zip(self.names, map(list, zip(*lines, strict=True)), strict=True)))

    def _lines(self) -> Iterator[tuple[int, list[str], str | None]]:
        csv.field_size_limit(_LONGEST_CELL)  # the module's own limit would lose longer cells
        with open_text(self.path) as lines:
            reader = csv.reader(lines, delimiter=self.delimiter)
            next(reader)
            row = 0
            while True:
                row += 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield row, [], f"not CSV: {error}"
                    continue
                if not cells:
                    row -= 1  # an empty line is no row
                elif len(cells) != len(self.names):
                    yield (
                        row,
                        cells,
                        f"{len(cells)} cells under {len(self.names)} names; quote {self.delimiter!r}",
                    )
                elif not all(map(_is_unicode, cells)):
                    yield row, cells, "not UTF-8; save the file as UTF-8"
                else:
                    yield row, cells, None


def _is_unicode(cell: str) -> bool:
    return cell.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in cell)


def open_text(path: Path) -> TextIO:
    """A text file, unpacked when it ends in .gz; bytes that are not UTF-8 come as lone surrogates."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="")
