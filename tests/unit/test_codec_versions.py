"""A schema is never forgotten: what an older release wrote is read by the newest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.codec import CONTROLS, HEADER_SIZE, Codec, released_schemas
from schemas.records import Control

NEWEST = CONTROLS.schema_json
OLDER = json.dumps(
    {
        "type": "record",
        "name": "Control",
        "namespace": "headrace",
        "fields": [
            {"name": "version", "type": "int"},
            {"name": "name", "type": "string"},
            {"name": "retired", "type": "double"},
            {"name": "kind", "type": "string"},
        ],
    }
)


def test_what_an_older_release_wrote_is_read_by_the_newest() -> None:
    codec = Codec(Control, [OLDER, NEWEST])
    assert codec.header == CONTROLS.header
    (old_header,) = codec.readers.keys() - {codec.header}
    message = old_header + b"\x06" + b"\x06vip" + bytes(8) + b"\x0esegment"
    assert codec.decode(message) == Control(kind="segment", name="vip", version=3)
    assert codec.encode(codec.decode(message))[:HEADER_SIZE] == codec.header


def test_versions_are_found_by_their_file_names_and_ordered_by_number(tmp_path: Path) -> None:
    for version in (10, 9, 1):
        (tmp_path / f"event.v{version}.avsc").write_text(f'"{version}"')
    (tmp_path / "event.v2.avsc.bak").write_text("no")
    (tmp_path / "event_page.v1.avsc").write_text("another")
    assert released_schemas(tmp_path, "event") == ['"1"', '"9"', '"10"']


def test_a_missing_schema_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"event\.v1\.avsc"):
        released_schemas(tmp_path, "event")
