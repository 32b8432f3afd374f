"""Configuration that must be known before the first event: read whenever a task starts."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Preload:
    """Where control messages and catalogue entries are read from before the first event.

    `control_topic` is read whole, with `brokers`; `items_file` is a file of `write_messages`. Both may be
    absent.
    """

    brokers: str | None = None
    control_topic: str | None = None
    items_file: str | None = None

    def control(self) -> list[bytes]:
        """The control messages in force."""
        if self.brokers is None or self.control_topic is None:
            return []
        return list(read_topic(self.brokers, self.control_topic))

    def items(self) -> Iterator[bytes]:
        """The catalogue messages of the items file."""
        return read_messages(Path(self.items_file)) if self.items_file else iter(())


def read_topic(brokers: str, topic: str) -> Iterator[bytes]:
    """Every message that a topic holds now, oldest first in each partition."""
    consumer = KafkaConsumer(bootstrap_servers=brokers.split(","), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(partitions) if partitions else {}
        for partition in partitions:
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            while consumer.position(partition) < ends[partition]:
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
