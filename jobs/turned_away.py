"""What cannot be an event is told apart natively, before Python sees it; its dead letters are made in large batches.

events ─┬─ readable ──────────────► user step
        └─ strange ──► turn_away ─► dead letters, and what detectors hear
"""

from __future__ import annotations

from pyflink.datastream import DataStream
from pyflink.table import DataTypes, Schema, StreamTableEnvironment
from pyflink.table.udf import udf

from jobs.batches import in_large_batches
from operators.flink_rows import STREAM, WATCH
from operators.turned_away import is_readable
from udfs.turned_away import TellTurnedAway, TurnAway

LETTERS = "select '{dead_letters}', letter from turned_away"
"""The dead letters, as (topic, payload)."""

TOLD = f"select '{STREAM}', '{WATCH}', told from turned_away where told is not null"
"""What the detectors of the stream hear of it, as (key, topic, payload)."""

_RECORD_TIME = ("rowtime", "TIMESTAMP_LTZ(3)")


def stamped(tables: StreamTableEnvironment, query: str) -> DataStream:
    """The rows of a query whose last column, `rowtime`, becomes the timestamp of each, and no part of it."""
    schema = Schema.new_builder().column_by_metadata(*_RECORD_TIME).build()
    return tables.to_changelog_stream(tables.sql_query(query), schema)


def view_of(tables: StreamTableEnvironment, name: str, rows: DataStream) -> None:
    """Make a view of the rows of `stamped`, with the timestamp of each as `rowtime`, and with their watermarks."""
    schema = (
        Schema.new_builder()
        .column_by_metadata(*_RECORD_TIME)
        .watermark(_RECORD_TIME[0], "source_watermark()")
        .build()
    )
    tables.create_temporary_view(name, tables.from_data_stream(rows, schema))


def readable_events(tables: StreamTableEnvironment, topic: str, *, framed: bool) -> DataStream:
    """The rows of the table `events` that may be events; what is not lies in the view `turned_away` (letter, told)."""
    # The source is read once: as a stream, from which both ways lead.
    rows = stamped(tables, "select message, part, place, ts as rowtime from events where message is not null")
    view_of(tables, "event_rows", rows)
    query = "select message, part, place, rowtime from event_rows where "
    readable = is_readable(framed=framed)
    # Not chained: the source would stand still while a batch is worked on.
    view_of(tables, "strange_messages", stamped(tables, f"{query} not {readable}").rescale())
    for name, function in (
        ("turn_away", TurnAway(topic, framed=framed)),
        ("tell_turned_away", TellTurnedAway()),
    ):
        tables.create_temporary_system_function(
            name, udf(function, result_type=DataTypes.BYTES(), func_type="pandas", deterministic=False)
        )
    with in_large_batches(tables):
        away = tables.to_data_stream(
            tables.sql_query(
                "select turn_away(message, part, place, rowtime) as letter, tell_turned_away(rowtime) as told"
                " from strange_messages"
            )
        )
    tables.create_temporary_view("turned_away", tables.from_data_stream(away))
    return stamped(tables, query + readable)
