"""Compiles a writer: from one of our schemas to one Python function that encodes a record of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.avro_schema import Schema, kind
from schemas.source_lines import SourceLines
from schemas.varint import DOUBLE, int_bytes, long_bytes

Writer = Callable[[Any], bytearray]
"""From a record to its Avro bytes. Raises ValueError when a number does not fit or a text is not Unicode."""


def compile_writer(schema: Schema) -> Writer:
    """A writer of records of `schema`: every field is read from the record by its name.

    A nullable array, map or record is written as null when it is empty, so that absent and empty are one.
    """
    short = tuple(long_bytes(length) for length in range(64))
    lines = SourceLines(long_=long_bytes, int_=int_bytes, double=DOUBLE.pack, short=short)
    lines.add("out = bytearray()")
    _write(lines, schema, "record")
    return lines.function("record", "return out")


def _write(lines: SourceLines, schema: Schema, value: str) -> None:
    """Lines that append `value`, a local name, to `out`."""
    match kind(schema):
        case "union":
            _write_nullable(lines, schema, value)
        case "record":
            for field in schema["fields"]:
                name = lines.name()
                lines.add(f"{name} = {value}.{field['name']}")
                _write(lines, field["type"], name)
        case "array":
            item = lines.name()
            lines.add(f"if {value}: out += long_(len({value}))")
            with lines.block(f"for {item} in {value}:"):
                _write(lines, schema["items"], item)
            lines.add("out += b'\\x00'")
        case "map":
            key, entry = lines.name(), lines.name()
            lines.add(f"if {value}: out += long_(len({value}))")
            with lines.block(f"for {key}, {entry} in {value}.items():"):
                _write(lines, "string", key)
                _write(lines, schema["values"], entry)
            lines.add("out += b'\\x00'")
        case "string" | "bytes" as has:
            if has == "string":
                lines.add(f"{value} = {value}.encode()")
            lines.add(f"n = len({value})")
            lines.add("out += short[n] if n < 64 else long_(n)")
            lines.add(f"out += {value}")
        case "int" | "long" as has:
            lines.add(f"out += {has}_({value})")
        case "double":
            lines.add(f"out += double({value})")
        case "boolean":
            lines.add(f"out += b'\\x01' if {value} else b'\\x00'")
        case other:
            raise ValueError(f"our schemas use no {other}: teach the writer first")


def _write_nullable(lines: SourceLines, schema: list[Schema], value: str) -> None:
    null, full = schema
    if null != "null":
        raise ValueError("our unions are [null, something]")
    match kind(full):
        case "array" | "map":
            absent = f"not {value}"
        case "record":
            absent = " and ".join(f"{value}.{field['name']} is None" for field in full["fields"])
        case _:
            absent = f"{value} is None"
    lines.add(f"if {absent}: out += b'\\x00'")
    with lines.block("else:"):
        lines.add("out += b'\\x02'")
        _write(lines, full, value)
