"""Avro object containers of events and items, by our writer, by fastavro and by an older schema."""

from __future__ import annotations

import json
from pathlib import Path

import fastavro
import pytest
from msgspec.structs import replace

from jobs.avro_files import write_avro
from jobs.bad_row import BadRow, FileRefused
from jobs.files import read_events, read_items
from schemas.codec import EVENTS, ITEMS
from schemas.records import Context, Event, Item, Market

FULL = Event(
    event_id="e1", user_id="u", type="impression", time=1_323_435_000_123, item_id="A", value=2.5, position=3,
    context=Context(country="GB"), items=("A", "B"), attributes={"k": "v"}, sent=7,
)  # fmt: skip
BARE = Event(event_id="e2", user_id="ü", type="view", time=-1)


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    assert write_avro(path, EVENTS, iter([FULL, BARE] * 3_000)) == 6_000
    assert list(read_events(path)) == [FULL, BARE] * 3_000


def test_items_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "items.avro"
    items = [
        Item(item_id="A", markets={"GB": Market(price=1.0)}, tags=("x",)),
        Item(item_id="B", deleted=True),
    ]
    write_avro(path, ITEMS, iter(items))
    assert list(read_items(path)) == items


def test_a_schema_with_fewer_fields_is_resolved(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    fields = [{"name": name, "type": "string"} for name in ("event_id", "user_id", "type")]
    schema = {
        "type": "record",
        "name": "headrace.Event",
        "fields": [*fields, {"name": "time", "type": "long"}],
    }
    with path.open("wb") as file:
        fastavro.writer(file, schema, [{"event_id": "e", "user_id": "u", "type": "view", "time": 5}])
    assert list(read_events(path)) == [Event(event_id="e", user_id="u", type="view", time=5)]


def test_a_schema_that_is_not_ours_is_refused_with_the_field(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    schema = json.loads(EVENTS.schema_json)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "user_id"]
    with path.open("wb") as file:
        fastavro.writer(file, schema, [])
    with pytest.raises(FileRefused, match="user_id"):
        read_events(path)


def test_a_file_cut_off_gives_what_is_whole_and_says_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    write_avro(path, EVENTS, (replace(FULL, time=time) for time in range(5_000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    *events, last = read_events(path)
    assert events == [replace(FULL, time=time) for time in range(len(events))]
    assert len(events) > 1_000
    assert isinstance(last, BadRow)
    assert last.row == len(events) + 1
    assert "cut off or broken" in last.detail
