"""Configuration that must be known before the first event: read whenever a task starts."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operators.control import Configuration
from operators.held_topic import HeldTopic
from operators.kafka_access import KafkaAccess
from schemas.codec import CONTROLS
from schemas.reason import UndecodableRecord
from schemas.schema_book import SchemaBook
from schemas.schema_registry import SchemaRegistry

_PATIENCE_S = 60.0
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Preload:
    """Where control messages, catalogue entries and schemas are read from before the first event.

    `control_topic` is read whole, from `kafka`; `items_file` is a file of `write_messages`; `registry` is the
    URL of a schema registry. All may be absent.
    """

    kafka: KafkaAccess | None = None
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
            if _kind(message) == "schema":
                configuration.apply_control(message)
        return book

    def control(self) -> list[bytes]:
        """The control messages in force."""
        if self.kafka is None or self.control_topic is None:
            return []
        return list(read_topic(self.kafka, self.control_topic))

    def catalogue(self, topic: str) -> Iterator[tuple[bytes, int]]:
        """The catalogue messages that a topic holds, each with its time (ms); none without Kafka."""
        if self.kafka is not None:
            with closing(HeldTopic(self.kafka, topic, _PATIENCE_S)) as held:
                yield from (
                    (record.value, record.timestamp) for record in held.held() if record.value is not None
                )

    def items(self) -> Iterator[bytes]:
        """The catalogue messages of the items file."""
        return read_messages(Path(self.items_file)) if self.items_file else iter(())


def _kind(message: bytes) -> str | None:
    try:
        return CONTROLS.decode(message).kind
    except UndecodableRecord:
        return None


@cache
def _shared_book(registry: str | None) -> SchemaBook:
    return SchemaBook(SchemaRegistry(registry) if registry else None)


def read_topic(kafka: KafkaAccess, topic: str) -> Iterator[bytes]:
    """Every message that a topic holds now, oldest first in each partition. Raises `TopicSilent`."""
    with closing(HeldTopic(kafka, topic, _PATIENCE_S)) as held:
        yield from (record.value for record in held.held() if record.value is not None)


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
