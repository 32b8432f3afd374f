"""The data lake as a table of the job: Parquet by day, committed with the job's checkpoints.

Flink writes a file only under a hidden name, and shows it when the checkpoint that covers its rows is
complete: so each accepted event is in exactly one visible file, whatever was killed in between. A file ends
with each checkpoint; `headrace lake compact` makes few of many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from schemas.lake import COLUMNS, LAKE_VERSION, LIST_SEPARATOR, PAIR_SEPARATOR, Column, Kind

BLOCK_BYTES: Final = 32 * 1024 * 1024
"""Rows of a file that are held in memory before they are written, at most; a file is open for each day."""

_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.TEXT: "string",
        Kind.WHOLE: "bigint",
        Kind.NUMBER: "double",
        Kind.MOMENT: "timestamp_ltz(3)",
        Kind.LIST: "array<string>",
        Kind.PAIRS: "map<string, string>",
    }
)


def lake_uri(folder: str) -> str:
    """A folder as Flink needs it: a URI as it is, a path of this machine as a URI.

    >>> lake_uri("s3://shop/lake"), lake_uri("/data/lake")
    ('s3://shop/lake', 'file:///data/lake')
    """
    return folder if "://" in folder else Path(folder).resolve().as_uri()


def lake_table(folder: str, name: str = "lake") -> str:
    """The DDL of the lake in `folder`, a path or URI of any file system that Flink has."""
    columns = ", ".join(f"`{column.name}` {_TYPES[column.kind]}" for column in COLUMNS)
    return f"""create temporary table {name} (v int, {columns}, `day` string) partitioned by (`day`) with (
        'connector' = 'filesystem', 'path' = '{lake_uri(folder).replace("'", "''")}', 'format' = 'parquet',
        'parquet.compression' = 'SNAPPY', 'parquet.write.int64.timestamp' = 'true',
        'parquet.timestamp.time.unit' = 'millis', 'parquet.parquet.block.size' = '{BLOCK_BYTES}',
        'sink.partition-commit.trigger' = 'process-time', 'sink.partition-commit.delay' = '1 d',
        'sink.partition-commit.policy.kind' = 'success-file')"""


def lake_insert(source: str, cells: str = "lake", name: str = "lake") -> str:
    """The statement that writes the rows of `source`; its ARRAY<STRING> `cells` is empty where there is none."""
    columns = ", ".join(_read(column, f"{cells}[{place}]") for place, column in enumerate(COLUMNS, start=1))
    at = 1 + next(place for place, column in enumerate(COLUMNS) if column.name == "at")
    day = f"date_format({_moment(f'{cells}[{at}]')}, 'yyyy-MM-dd')"
    return f"insert into {name} select {LAKE_VERSION}, {columns}, {day} from {source} where cardinality({cells}) > 0"


def _read(column: Column, cell: str) -> str:
    if column.kind is Kind.TEXT:
        return cell
    if column.kind is Kind.MOMENT:
        return _moment(cell)
    if column.kind is Kind.LIST:
        return f"split({cell}, {_literal(LIST_SEPARATOR)})"
    if column.kind is Kind.PAIRS:
        return f"str_to_map({cell}, {_literal(LIST_SEPARATOR)}, {_literal(PAIR_SEPARATOR)})"
    return f"cast({cell} as {_TYPES[column.kind]})"


def _moment(cell: str) -> str:
    return f"to_timestamp_ltz(cast({cell} as bigint), 3)"


def _literal(separator: str) -> str:
    return f"U&'\\{ord(separator):04X}'"
