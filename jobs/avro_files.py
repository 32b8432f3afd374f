"""Avro object containers of our records, written with any schema that resolves to ours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import fastavro
import msgspec

from jobs.bad_row import BadRow, FileRefused
from schemas.avro_reader import Reader
from schemas.codec import Codec
from schemas.reason import Reason, SchemaRefused, UndecodableRecord

T = TypeVar("T")


@dataclass(frozen=True)
class AvroContainer(Generic[T]):
    """A container of records of one codec's class; `read` turns a block's bytes into our records."""

    path: Path
    read: Reader

    @classmethod
    def open(cls, path: Path, codec: Codec[T]) -> AvroContainer[T]:
        """Reads the header. Raises `FileRefused` when it is none or its schema does not resolve."""
        try:
            with path.open("rb") as file:
                schema_json = fastavro.block_reader(file).metadata["avro.schema"]
        except (ValueError, EOFError, OSError, KeyError, struct.error) as error:
            raise FileRefused(f"{path}: not a readable Avro object container: {error}") from error
        try:
            return cls(path, codec.reader_of(schema_json))
        except SchemaRefused as refused:
            raise FileRefused(
                f"{path}: its schema does not resolve to {codec.record.__name__}: {refused};"
                " rename or convert that field"
            ) from refused

    def records(self) -> Iterator[T | BadRow]:
        """The records in order. Where bytes are broken the rest of their block comes as one bad row."""
        row = 0
        with self.path.open("rb") as file:
            blocks = iter(fastavro.block_reader(file))
            while True:
                try:
                    block = next(blocks)
                except StopIteration:
                    return
                except (ValueError, EOFError, OSError, struct.error) as error:
                    yield self._bad(row + 1, "the file is cut off or broken here", error, b"")
                    return
                content = block.bytes_.read()
                yield from self._block(content, block.num_records, row)
                row += block.num_records

    def _block(self, content: bytes, count: int, row: int) -> Iterator[T | BadRow]:
        start = 0
        for done in range(count):
            try:
                record, start = self.read(content, start)
            except (IndexError, struct.error, UnicodeDecodeError, UndecodableRecord) as error:
                lost = f"record {done + 1} of a block of {count} is broken, and the block ends with it"
                yield self._bad(row + done + 1, lost, error, content[start:])
                return
            yield record

    def _bad(self, row: int, detail: str, error: Exception, rest: bytes) -> BadRow:
        return BadRow(
            file=str(self.path), row=row, reason=Reason.MALFORMED,
            detail=f"{self.path} row {row}: {detail} ({error}); write the file again",
            raw=msgspec.json.encode({"avro": rest}),
        )  # fmt: skip


def write_avro(path: Path, codec: Codec[Any], records: Iterator[Any]) -> int:
    """Writes records of a codec's class as an object container. Returns how many."""
    written = 0
    schema = fastavro.parse_schema(msgspec.json.decode(codec.schema_json))

    def plain() -> Iterator[Any]:
        nonlocal written
        for record in records:
            written += 1
            fields = msgspec.to_builtins(record, builtin_types=(bytes,))
            # fastavro takes a tuple for a union branch with its name
            yield {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    with path.open("wb") as file:
        fastavro.writer(file, schema, plain(), codec="deflate")
    return written
