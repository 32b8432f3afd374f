"""Configuration that must be known before the first event: read whenever a task starts."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

from operators.control import Configuration
from schemas.schema_book import SchemaBook
from schemas.schema_registry import SchemaRegistry

_PATIENCE_S = 60.0
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Preload:
    """Where control messages, catalogue entries and schemas are read from before the first event.

    `control_topic` is read whole, with `brokers`; `items_file` is a file of `write_messages`; `registry` is the
    URL of a schema registry. All may be absent.
    """

    brokers: str | None = None
    control_topic: str | None = None
    items_file: str | None = None
    registry: str | None = None

    def schemas(self) -> SchemaBook:
        """The schemas known to this process: ours, those of the control topic as it is now, the registry's.

        One book for all who ask: in thread mode the key selector and the user step of one JVM share an
        interpreter, so a schema that comes in by broadcast is known to both.
        """
        book = _shared_book(self.registry)
        configuration = Configuration(book)
        for message in self.control():
            configuration.apply_control(message)
        return book

    def control(self) -> list[bytes]:
        """The control messages in force."""
        if self.brokers is None or self.control_topic is None:
            return []
        return list(read_topic(self.brokers, self.control_topic))

    def items(self) -> Iterator[bytes]:
        """The catalogue messages of the items file."""
        return read_messages(Path(self.items_file)) if self.items_file else iter(())


@cache
def _shared_book(registry: str | None) -> SchemaBook:
    return SchemaBook(SchemaRegistry(registry) if registry else None)


def read_topic(brokers: str, topic: str) -> Iterator[bytes]:
    """Every message that a topic holds now, oldest first in each partition."""
    consumer = KafkaConsumer(bootstrap_servers=brokers.split(","), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(partitions) if partitions else {}
        until = time.monotonic() + _PATIENCE_S
        for partition in partitions:
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            while consumer.position(partition) < ends[partition]:
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"topic {topic} at {brokers} could not be read within {_PATIENCE_S:.0f} s"
                    )
                for records in consumer.poll(timeout_ms=500).values():
                    yield from (record.value for record in records if record.value is not None)
    finally:
        consumer.close()


def write_messages(path: Path, messages: Iterable[bytes]) -> int:
    """Write messages to a file, each behind its length. Returns how many there were."""
    count = 0
    with path.open("wb") as file:
        for message in messages:
            file.write(_LENGTH.pack(len(message)))
            file.write(message)
            count += 1
    return count


def read_messages(path: Path) -> Iterator[bytes]:
    """The messages of `write_messages`, in order."""
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(length)[0])
