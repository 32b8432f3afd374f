"""Records to bytes and back, in Avro's single-object encoding.

A message is a two-byte marker, the fingerprint of the schema that wrote the record, and the record.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from schemas.avro_reader import Reader, compile_reader
from schemas.avro_schema import fingerprint, read_schema
from schemas.avro_writer import compile_writer
from schemas.reason import Reason, UndecodableRecord
from schemas.records import (
    Context,
    Control,
    DeadLetter,
    DriftAlert,
    Event,
    Item,
    Market,
    Recommendation,
    ScoredItem,
    SegmentChange,
)

T = TypeVar("T")

MARKER = b"\xc3\x01"
HEADER_SIZE = 10
AVRO_FOLDER = Path(__file__).parent / "avro"

_TOP_RECORDS = (Event, Item, Control, Recommendation, SegmentChange, DriftAlert, DeadLetter)
_NESTED_RECORDS = (Context, Market, ScoredItem)

RECORDS: Mapping[str, type] = MappingProxyType(
    {f"headrace.{record.__name__}": record for record in (*_TOP_RECORDS, *_NESTED_RECORDS)}
)
"""The class of every record name in our schemas."""


def released_schemas(folder: Path, stem: str) -> list[str]:
    """The JSON texts of `stem`.v1.avsc, `stem`.v2.avsc and so on in `folder`, oldest first."""
    found = {}
    for path in folder.glob(f"{stem}.v*.avsc"):
        if match := re.fullmatch(rf"{re.escape(stem)}\.v(\d+)\.avsc", path.name):
            found[int(match[1])] = path.read_text("utf-8")
    if not found:
        raise FileNotFoundError(f"{folder} holds no {stem}.v1.avsc: the installation is incomplete")
    return [found[version] for version in sorted(found)]


class Codec(Generic[T]):
    """Encodes records of one class with their newest schema, and decodes what any released one wrote.

    >>> codec = CONTROLS
    >>> codec.decode(codec.encode(Control(kind="flag", name="dark", version=1))).name
    'dark'
    """

    def __init__(self, record: type[T], schemas: Sequence[str]) -> None:
        self.record = record
        self.schema_json = schemas[-1]
        self.fingerprint = fingerprint(self.schema_json)
        self.header = MARKER + self.fingerprint.to_bytes(8, "little")
        self._schema = read_schema(self.schema_json)
        self._write = compile_writer(self._schema)
        self._read = self.reader_of(self.schema_json)
        self.readers: dict[bytes, Reader] = {
            MARKER + fingerprint(schema).to_bytes(8, "little"): self.reader_of(schema) for schema in schemas
        }
        """Reader by header, of every released version."""

    def reader_of(self, writer_json: str) -> Reader:
        """A reader of what that schema wrote. Raises `SchemaRefused`, naming the field."""
        return compile_reader(read_schema(writer_json), self._schema, RECORDS)

    def encode(self, record: T) -> bytes:
        """One message. Raises ValueError when a number does not fit its type or a text is not Unicode."""
        return self.header + self._write(record)

    def decode(self, message: bytes) -> T:
        """The record of one message, of any released version. Raises `UndecodableRecord`."""
        if message.startswith(self.header):
            record: T = read_whole(self._read, message, HEADER_SIZE)
        else:
            record = read_whole(self.reader_for(message), message, HEADER_SIZE)
        return record

    def reader_for(self, message: bytes) -> Reader:
        """The reader that a single-object message asks for. Raises `UndecodableRecord`."""
        header = message[:HEADER_SIZE]
        reader = self.readers.get(header)
        if reader is None:
            raise unknown_header(header)
        return reader


def unknown_header(header: bytes) -> UndecodableRecord:
    """Why these first bytes of a message lead to no reader."""
    if not header.startswith(MARKER):
        return UndecodableRecord(
            Reason.NOT_AVRO, f"it begins with {header[:2].hex()!r}, Avro with {MARKER.hex()!r}"
        )
    if len(header) < HEADER_SIZE:
        return UndecodableRecord(Reason.TRUNCATED, f"only {len(header)} bytes, less than Avro's header")
    known = int.from_bytes(header[2:], "little")
    return UndecodableRecord(Reason.UNKNOWN_SCHEMA, f"schema fingerprint {known:016x} is not known here")


def read_whole(read: Reader, message: bytes, start: int) -> Any:
    """The record that fills `message` from `start` to its end. Raises `UndecodableRecord`, nothing else."""
    try:
        record, end = read(message, start)
    except (IndexError, struct.error):
        raise UndecodableRecord(
            Reason.TRUNCATED, f"the record goes on after its {len(message)} bytes"
        ) from None
    except UnicodeDecodeError as error:
        raise UndecodableRecord(Reason.INVALID_UTF8, f"a text is not UTF-8: {error.reason}") from None
    if end != len(message):
        if end > len(message):
            raise UndecodableRecord(
                Reason.TRUNCATED, f"the record takes {end} bytes, the message {len(message)}"
            )
        raise UndecodableRecord(Reason.TRAILING_BYTES, f"{len(message) - end} bytes follow the record")
    return record


EVENTS: Codec[Event] = Codec(Event, released_schemas(AVRO_FOLDER, "event"))
ITEMS: Codec[Item] = Codec(Item, released_schemas(AVRO_FOLDER, "item"))
CONTROLS: Codec[Control] = Codec(Control, released_schemas(AVRO_FOLDER, "control"))
RECOMMENDATIONS: Codec[Recommendation] = Codec(
    Recommendation, released_schemas(AVRO_FOLDER, "recommendation")
)
SEGMENT_CHANGES: Codec[SegmentChange] = Codec(SegmentChange, released_schemas(AVRO_FOLDER, "segment_change"))
DRIFT_ALERTS: Codec[DriftAlert] = Codec(DriftAlert, released_schemas(AVRO_FOLDER, "drift_alert"))
DEAD_LETTERS: Codec[DeadLetter] = Codec(DeadLetter, released_schemas(AVRO_FOLDER, "dead_letter"))

encode_event = EVENTS.encode
decode_event = EVENTS.decode
