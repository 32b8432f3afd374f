"""Schemas as data: parsed, checked, with every name resolved, and their fingerprints."""

from __future__ import annotations

import json
from typing import Any

import fastavro

from schemas.reason import SchemaRefused

Schema = Any
"""A schema with names resolved: a primitive's name, a dict with `type`, or a list (a union)."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def read_schema(schema_json: str) -> Schema:
    """The schema of a JSON text, every name spelt out. Raises `SchemaRefused` when it is not an Avro schema.

    >>> read_schema('{"type": "record", "name": "a.B", "fields": []}')["name"]
    'a.B'
    """
    try:
        parsed = fastavro.parse_schema(json.loads(schema_json), named_schemas={}, _write_hint=False)
    except json.JSONDecodeError as error:
        raise SchemaRefused("", f"not JSON: {error}") from error
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        raise SchemaRefused("", f"not an Avro schema: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise SchemaRefused("", f"not an Avro schema: {type(error).__name__}: {error}") from error
    try:
        return _resolved(parsed, {}, ())
    except RecursionError:
        raise SchemaRefused("", "its types are nested too deeply to be read here; flatten them") from None


def fingerprint(schema_json: str) -> int:
    """CRC-64-AVRO of the schema's Parsing Canonical Form, as the Avro specification defines it."""
    canonical = fastavro.schema.to_parsing_canonical_form(json.loads(schema_json))
    # fastavro gives the hexadecimal text of the little-endian bytes.
    return int.from_bytes(bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")), "little")


def kind(schema: Schema) -> str:
    """`union`, or the type's name: `string`, `record`, `array`, …"""
    if isinstance(schema, list):
        return "union"
    return str(schema["type"] if isinstance(schema, dict) else schema)


def logical_type(schema: Schema) -> str | None:
    """The logical type that a schema annotates its values with, if any."""
    return schema.get("logicalType") if isinstance(schema, dict) else None


def may_be_null(schema: Schema) -> bool:
    """Whether null is among what this schema allows."""
    return "null" in (map(kind, schema) if isinstance(schema, list) else (kind(schema),))


def least_size(schema: Schema) -> int:
    """The least number of bytes that a value of this schema takes."""
    match kind(schema):
        case "null":
            return 0
        case "fixed":
            return int(schema["size"])
        case "record":
            return sum(least_size(field["type"]) for field in schema["fields"])
        case "double":
            return 8
        case "float":
            return 4
    return 1


def _resolved(schema: Schema, names: dict[str, Schema], inside: tuple[str, ...]) -> Schema:
    if isinstance(schema, list):
        return [_resolved(branch, names, inside) for branch in schema]
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return schema
        if schema in inside:
            raise SchemaRefused(schema, "a type that contains itself cannot be read here; flatten it")
        return names[schema]
    whole = dict(schema)
    match whole["type"]:
        case "record" | "error":
            whole["type"] = "record"
            within = (*inside, whole["name"])
            whole["fields"] = [{**f, "type": _resolved(f["type"], names, within)} for f in whole["fields"]]
            names[whole["name"]] = whole
        case "array":
            whole["items"] = _resolved(whole["items"], names, inside)
        case "map":
            whole["values"] = _resolved(whole["values"], names, inside)
        case "enum" | "fixed":
            names[whole["name"]] = whole
        case list() | dict() as nested:
            return _resolved(nested, names, inside)
    return whole
