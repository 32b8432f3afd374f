"""The tables of the job: Kafka topics, or files where there is no Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from operators.kafka_access import KafkaAccess

OUT_OF_ORDER_S = 5

GATHERED_BYTES = 65_536
"""As soon as so much is there, a broker gathers no longer."""


class Tables(Protocol):
    """Where the job reads and writes: `events`, `configuration`, `recommendations`, `messages`, and Redis."""

    def all(self) -> Iterator[str]:
        """The DDL of every table."""
        ...


@dataclass(frozen=True)
class KafkaTables:
    """Topics; `messages` are those that the job writes to besides the recommendations.

    Brokers gather events for `gather_ms`: answering with each as it comes takes brokers and job longer than the
    event itself.
    """

    kafka: KafkaAccess
    group: str
    events: str
    catalog: str
    control: str
    recommendations: str
    messages: Sequence[str]
    gather_ms: int

    def all(self) -> Iterator[str]:
        """The DDL of every table."""
        yield self._source(
            "events",
            self.events,
            watermark=f"ts - interval '{OUT_OF_ORDER_S}' second",
            **self._gathering(),
        )
        # Far back: while no event comes, its messages must not move the clock of events.
        yield self._source(
            "configuration", f"{self.catalog};{self.control}", watermark="ts - interval '99' year"
        )
        yield f"""create temporary table recommendations (uid string, log bytes) with (
            {self._connection()}, 'topic' = '{self.recommendations}',
            'sink.delivery-guarantee' = 'at-least-once', 'key.format' = 'raw', 'key.fields' = 'uid',
            'value.format' = 'raw',
            'value.fields-include' = 'EXCEPT_KEY')"""
        # Compacted topics refuse what has no key.
        yield f"""create temporary table messages (topic string metadata, id string, payload bytes) with (
            {self._connection()}, 'topic' = '{";".join(self.messages)}',
            'sink.delivery-guarantee' = 'at-least-once', 'key.format' = 'raw', 'key.fields' = 'id',
            'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY')"""
        yield from redis_tables()

    def _gathering(self) -> dict[str, int]:
        # With a wait of 0 brokers would answer with nothing, over and over; without both they wait for one event.
        if not self.gather_ms:
            return {}
        return {"fetch.min.bytes": GATHERED_BYTES, "fetch.max.wait.ms": self.gather_ms}

    def _source(self, name: str, topic: str, watermark: str, **client: int) -> str:
        options = "".join(f", 'properties.{key}' = '{value}'" for key, value in client.items())
        return f"""create temporary table {name} (
            message bytes, topic string metadata virtual, part int metadata from 'partition' virtual,
            place bigint metadata from 'offset' virtual,
            ts timestamp_ltz(3) metadata from 'timestamp' virtual,
            watermark for ts as {watermark}) with (
            {self._connection()}, 'topic' = '{topic}', 'properties.group.id' = '{self.group}',
            'scan.startup.mode' = 'earliest-offset', 'format' = 'raw'{options})"""

    def _connection(self) -> str:
        options = "".join(
            f", 'properties.{name}' = '{_quoted(value)}'" for name, value in self.kafka.properties().items()
        )
        return f"'connector' = 'kafka'{options}"


@dataclass(frozen=True)
class FileTables:
    """A spool folder: `events.csv` holds (message in base64, partition, offset, ms), the rest is written."""

    spool: Path

    @property
    def events(self) -> Path:
        """The file of events; one file is read by one subtask, in order."""
        return self.spool / "events.csv"

    @property
    def items(self) -> Path:
        """The catalogue, as the user step preloads it."""
        return self.spool / "items"

    def all(self) -> Iterator[str]:
        """The DDL of every table."""
        yield f"""create temporary table events (
            message bytes, part int, place bigint, ms bigint, ts as to_timestamp_ltz(ms, 3),
            watermark for ts as ts - interval '{OUT_OF_ORDER_S}' second) with ({_folder(self.events)})"""
        yield """create temporary table configuration (
            message bytes, topic string, part int, place bigint, ts timestamp_ltz(3)) with (
            'connector' = 'datagen', 'number-of-rows' = '0')"""
        for name, columns in (
            ("requests", "uid string, request bytes"),
            ("recommendations", "uid string, log bytes"),
            ("messages", "topic string, payload bytes"),
        ):
            yield f"create temporary table {name} ({columns}) with ({_folder(self.spool / name)})"
        yield from redis_tables()


def redis_tables() -> Iterator[str]:
    """What ends in Redis is written by the functions themselves; their row counts end here."""
    for name, columns in (
        ("co_visits", "a string, b string, written int, primary key (a, b) not enforced"),
        ("popularity", "area string, item string, written int, primary key (area, item) not enforced"),
        ("purchases_told", "written int"),
        ("session_steps", "written int"),
        ("segment_counts", "written int"),
    ):
        yield f"create temporary table {name} ({columns}) with ('connector' = 'blackhole')"


def _folder(path: Path) -> str:
    return f"'connector' = 'filesystem', 'path' = '{_quoted(path.as_uri())}', 'format' = 'csv'"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
