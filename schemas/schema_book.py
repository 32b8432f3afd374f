"""Every schema that events and items may come in: ours, customers' own, and a registry's."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from schemas.avro_reader import Reader
from schemas.avro_schema import fingerprint, read_schema
from schemas.codec import EVENTS, HEADER_SIZE, ITEMS, MARKER, Codec, read_whole, unknown_header
from schemas.reason import Reason, SchemaRefused, UndecodableRecord
from schemas.schema_registry import SchemaSource

T = TypeVar("T")

_FRAME_SIZE = 5
_REMEMBERED_FAILURES = 1000


class RecordBook(Generic[T]):
    """Decodes records of one kind from whatever known schema wrote them.

    `registry` turns Confluent framing on: a zero byte and a schema id of four bytes, big-endian.
    """

    def __init__(self, codec: Codec[T], registry: SchemaSource | None = None) -> None:
        self.codec = codec
        self._registry = registry
        self._current = codec.header
        self._read = codec.readers[codec.header]
        self._readers: dict[bytes, Reader] = dict(codec.readers)
        self._by_id: dict[int, Reader] = {}
        self._failed_ids: dict[int, UndecodableRecord] = {}

    def add(self, schema_json: str) -> int:
        """Makes a writer's schema known, and returns its fingerprint. Raises `SchemaRefused`."""
        reader = self.codec.reader_of(schema_json)
        mark = fingerprint(schema_json)
        self._readers.setdefault(MARKER + mark.to_bytes(8, "little"), reader)
        return mark

    def decode(self, message: bytes) -> T:
        """The record of one message. Raises `UndecodableRecord`, and nothing else."""
        record: T
        if message.startswith(self._current):
            record = read_whole(self._read, message, HEADER_SIZE)
        elif (reader := self._readers.get(message[:HEADER_SIZE])) is not None:
            record = read_whole(reader, message, HEADER_SIZE)
        elif self._registry is not None and message[:1] == b"\0":
            record = read_whole(self._framed(message, self._registry), message, _FRAME_SIZE)
        else:
            raise unknown_header(message[:HEADER_SIZE])
        return record

    def _framed(self, message: bytes, registry: SchemaSource) -> Reader:
        if len(message) < _FRAME_SIZE:
            raise UndecodableRecord(
                Reason.TRUNCATED, f"only {len(message)} bytes, less than Confluent's frame"
            )
        schema_id = int.from_bytes(message[1:_FRAME_SIZE], "big")
        reader = self._by_id.get(schema_id)
        if reader is None:
            reader = self._by_id[schema_id] = self._fetched(schema_id, registry)
        return reader

    def _fetched(self, schema_id: int, registry: SchemaSource) -> Reader:
        # An id that failed is not asked for again before a new start: the dead letters hold its messages.
        if schema_id in self._failed_ids:
            raise self._failed_ids[schema_id]
        try:
            return self.codec.reader_of(registry.schema(schema_id))
        except SchemaRefused as refusal:
            failure = UndecodableRecord(Reason.REFUSED_SCHEMA, f"registry schema {schema_id}: {refusal}")
        except UndecodableRecord as unknown:
            failure = unknown
        if failure.reason is not Reason.REGISTRY_UNAVAILABLE and len(self._failed_ids) < _REMEMBERED_FAILURES:
            self._failed_ids[schema_id] = failure
        raise failure


class SchemaBook:
    """The known schemas of events and of items.

    >>> book = SchemaBook()
    >>> f"{book.add(EVENTS.schema_json):016x}" == f"{EVENTS.fingerprint:016x}"
    True
    """

    def __init__(self, registry: SchemaSource | None = None) -> None:
        self.events = RecordBook(EVENTS, registry)
        self.items = RecordBook(ITEMS, registry)
        self.decode_event = self.events.decode
        self.decode_item = self.items.decode

    def add(self, schema_json: str) -> int:
        """Makes a customer's schema known, and returns its fingerprint.

        Its record is named Event or Item, in any namespace. Raises `SchemaRefused`, naming the field that
        does not resolve to ours.
        """
        books: dict[str, RecordBook[Any]] = {"Event": self.events, "Item": self.items}
        schema = read_schema(schema_json)
        name = schema["name"].rpartition(".")[2] if isinstance(schema, dict) and "name" in schema else None
        if name not in books:
            raise SchemaRefused("", f"its record is named {name}: name it Event or Item, in any namespace")
        return books[name].add(schema_json)
