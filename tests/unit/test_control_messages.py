"""Configuration by messages: versioned, the bad ones refused with a reason, restored from what was kept."""

from __future__ import annotations

import json

import msgspec
import pytest

from operators.backfill import Backfill
from operators.control import Applied, Configuration, kept_of_kind
from operators.following import Following, FollowingSettings
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.item_facts import ItemFacts
from operators.traffic_settings import TrafficSettings
from schemas.codec import CONTROLS, EVENTS, ITEMS
from schemas.records import Control, Event, Item
from schemas.schema_book import SchemaBook
from schemas.state import UserState


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
        second.restore(dict([applied.entry]))
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


def test_rules_that_build_on_each_other_are_taken_in_whatever_order_they_come() -> None:
    following = Following(FollowingSettings(), {})
    taking = FollowingControl(following, [], TrafficSettings(), Backfill(), IdleClock(now=0))
    configuration = Configuration(SchemaBook())
    configuration.give(taking.takers())
    rules = {
        "second": '{"when": "segment(\\"first\\") and count(\\"view\\", within=\\"1h\\") >= 1"}',
        "first": '{"when": "count(\\"view\\", within=\\"1h\\") >= 1"}',
    }
    configuration.apply_all(
        CONTROLS.encode(Control(kind="segment", name=name, version=1, body=body))
        for name, body in rules.items()
    )
    user = UserState("u", born=0)
    view = Event(event_id="1", user_id="ann", type="view", time=5, item_id="mug")
    following.update(user, view, None)
    assert user.segments == ["first", "second"]


@pytest.fixture
def following_control() -> Configuration:
    """A configuration that takes every kind of message."""
    taking = FollowingControl(
        Following(FollowingSettings(), {}), [], TrafficSettings(), Backfill(), IdleClock(now=0)
    )
    configuration = Configuration(SchemaBook())
    configuration.give(taking.takers())
    return configuration


def test_a_model_is_kept_and_known_by_its_kind_so_that_it_is_passed_on(
    following_control: Configuration,
) -> None:
    body = '{"folder": "/models/shop/2", "sha256": "ab"}'
    message = control(body=body, kind="model")
    applied = following_control.apply_control(message)
    assert applied.entry is not None
    assert applied.kind == "model"
    kept = dict(
        [applied.entry, ("item/model/", b"an item of that name"), ("control/models/x", b"another kind")]
    )
    assert kept_of_kind(kept, "model") == [message]


def test_a_model_without_a_bundle_is_refused_and_not_passed_on(following_control: Configuration) -> None:
    applied = following_control.apply_control(control(body='{"folder": "here"}', kind="model"))
    assert applied.entry is None
    assert applied.kind is None
    assert "headrace model put" in str(told(applied)["reason"])
