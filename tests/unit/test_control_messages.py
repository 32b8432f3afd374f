"""Configuration by messages: versioned, the bad ones refused with a reason, restored from what was kept."""

from __future__ import annotations

import json

import msgspec
import pytest

from operators.control import Applied, Configuration
from operators.item_facts import ItemFacts
from schemas.codec import CONTROLS, EVENTS, ITEMS
from schemas.records import Control, Item
from schemas.schema_book import SchemaBook


def schema(**changes: object) -> str:
    own = json.loads(EVENTS.schema_json)
    own["namespace"] = "shop"
    own["fields"] = [f for f in own["fields"] if f["name"] in ("event_id", "user_id", "type", "time")]
    return json.dumps(own | changes)


def told(applied: Applied) -> dict[str, object]:
    assert applied.status is not None
    return dict(msgspec.json.decode(applied.status))


def control(version: int = 1, body: str = "", kind: str = "schema", deleted: bool = False) -> bytes:
    return CONTROLS.encode(
        Control(kind=kind, name="shop.Event", version=version, body=body or schema(), deleted=deleted)
    )


def test_a_schema_is_applied_and_known_from_then_on() -> None:
    book = SchemaBook()
    applied = Configuration(book).apply_control(control())
    assert told(applied) == {
        "v": 1, "kind": "schema", "name": "shop.Event", "version": 1, "applied": True, "reason": "",
    }  # fmt: skip
    assert len(book.events._readers) == 2


def test_what_was_kept_restores_the_same_configuration() -> None:
    book, again = SchemaBook(), SchemaBook()
    first = Configuration(book)
    kept = [
        first.apply_control(control()),
        first.apply_item(ITEMS.encode(Item(item_id="mug", category="A/B"))),
    ]
    second = Configuration(again)
    for applied in kept:
        assert applied.entry is not None
        second.restore(*applied.entry)
    assert second.catalogue == first.catalogue == {"mug": ItemFacts("A/B", None)}
    assert again.events._readers.keys() == book.events._readers.keys()
    assert told(second.apply_control(control(version=0)))["applied"] is False


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"no control message", "it begins with"),
        (control(body='{"type": "record", "name": "Shop", "fields": []}'), "name it Event or Item"),
        (control(kind="weather"), "kind 'weather' is not known; known: schema"),
    ],
)
def test_a_bad_message_is_refused_with_a_reason_and_kept_nowhere(message: bytes, reason: str) -> None:
    applied = Configuration(SchemaBook()).apply_control(message)
    assert applied.entry is None
    assert told(applied)["applied"] is False
    assert reason in str(told(applied)["reason"])


def test_an_older_version_does_not_replace_a_newer_one() -> None:
    configuration = Configuration(SchemaBook())
    assert told(configuration.apply_control(control(version=3)))["applied"] is True
    assert "version 3 is in force" in str(told(configuration.apply_control(control(version=2)))["reason"])
    assert told(configuration.apply_control(control(version=3)))["applied"] is True  # sent again: the same


def test_an_item_that_changes_nothing_is_not_kept_again() -> None:
    configuration = Configuration(SchemaBook())
    message = ITEMS.encode(Item(item_id="mug", category="A", title="one"))
    assert configuration.apply_item(message).entry is not None
    assert (
        configuration.apply_item(ITEMS.encode(Item(item_id="mug", category="A", title="two"))).entry is None
    )
    assert configuration.apply_item(ITEMS.encode(Item(item_id="mug", category="B"))).entry is not None
    assert configuration.apply_item(b"garbage") == Applied()
    assert configuration.catalogue["mug"].category == "B"
