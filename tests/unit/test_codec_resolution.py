"""Older and customers' schemas resolve to ours as Avro says, and what does not is refused by name."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import EVENTS, ITEMS
from schemas.reason import Reason, SchemaRefused, UndecodableRecord
from schemas.records import Context, Event
from schemas.schema_book import SchemaBook

Schema = dict[str, Any]


def customers(*fields: Schema, name: str = "com.shop.Event") -> Schema:
    """A customer's event with the four fields that ours needs, and these."""
    namespace, _, short = name.rpartition(".")
    needed = [{"name": field, "type": "string"} for field in ("event_id", "user_id", "type")]
    return {
        "type": "record",
        "name": short,
        "namespace": namespace,
        "fields": [*needed, {"name": "time", "type": "long"}, *fields],
    }


NEEDED = {"event_id": "e1", "user_id": "ann", "type": "view", "time": 5}


def written(schema: Schema, values: dict[str, Any]) -> bytes:
    """What a customer's producer puts on the topic, written by fastavro."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(copy.deepcopy(schema)), values)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    mark = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return b"\xc3\x01" + mark + body.getvalue()


def read(schema: Schema, values: dict[str, Any]) -> Event:
    book = SchemaBook()
    book.add(json.dumps(schema))
    return book.decode_event(written(schema, values))


def test_their_other_fields_are_passed_over_and_missing_ones_take_our_defaults() -> None:
    loyalty = {
        "type": "record",
        "name": "Loyalty",
        "fields": [
            {"name": "tier", "type": {"type": "enum", "name": "Tier", "symbols": ["SILVER", "GOLD"]}},
            {"name": "card", "type": {"type": "fixed", "name": "Card", "size": 4}},
            {"name": "history", "type": {"type": "array", "items": {"type": "map", "values": "double"}}},
            {"name": "nothing", "type": "null"},
        ],
    }
    schema = customers(
        {"name": "loyalty", "type": ["null", loyalty, "float"]},
        {"name": "item_id", "type": "string"},
        {"name": "note", "type": "bytes"},
    )
    given_loyalty = {"tier": "GOLD", "card": b"1234", "history": [{"a": 1.0, "b": 2.0}, {}], "nothing": None}
    for value in (given_loyalty, None, 2.5):
        event = read(schema, {**NEEDED, "loyalty": value, "item_id": "mug", "note": b"\xff"})
        assert event == Event(**NEEDED, item_id="mug")


def test_numbers_are_promoted_and_unions_may_be_wider_or_narrower() -> None:
    schema = customers(
        {"name": "value", "type": ["null", "int", "double", "string"]},
        {"name": "quantity", "type": "float"},
        {"name": "query", "type": ["bytes", "null"]},
        {"name": "attributes", "type": {"type": "map", "values": ["null", "string"]}},
    )
    values = {**NEEDED, "value": 3, "quantity": 1.5, "query": b"mug", "attributes": {"a": "b"}}
    event = read(schema, values)
    assert (event.value, event.quantity, event.query, event.attributes) == (3.0, 1.5, "mug", {"a": "b"})
    assert isinstance(event.value, float)
    with pytest.raises(UndecodableRecord, match="field value: string does not resolve"):
        read(schema, {**values, "value": "three"})
    with pytest.raises(UndecodableRecord, match=r"field attributes\{\}: null does not resolve"):
        read(schema, {**values, "attributes": {"a": None}})


def test_null_where_we_have_no_null_takes_our_default() -> None:
    context = {"type": "record", "name": "Context", "fields": [{"name": "country", "type": "string"}]}
    schema = customers(
        {"name": "context", "type": ["null", context]},
        {"name": "items", "type": ["null", {"type": "array", "items": "string"}]},
    )
    assert read(schema, {**NEEDED, "context": None, "items": None}) == Event(**NEEDED)
    full = read(schema, {**NEEDED, "context": {"country": "AT"}, "items": ["a", "b"]})
    assert (full.context, full.items) == (Context(country="AT"), ("a", "b"))


@pytest.mark.parametrize(
    ("schema", "field", "why"),
    [
        (customers({"name": "value", "type": "string"}), "value", "string does not resolve to our double"),
        (customers({"name": "value", "type": ["null", "string"]}), "value", "string does not resolve"),
        (customers({"name": "sent", "type": {"type": "long", "logicalType": "timestamp-micros"}}), "sent",
         "timestamp-micros does not resolve to our timestamp-millis"),
        (customers({"name": "query", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9}}),
         "query", "decimal does not resolve to our string"),
        (customers({"name": "items", "type": {"type": "array", "items": "int"}}), "items[]", "int does not"),
        (customers({"name": "blank", "type": {"type": "array", "items": "null"}}), "blank", "take no bytes"),
        ({"type": "record", "name": "Event", "fields": [{"name": "user_id", "type": "string"}]}, "event_id",
         "no default"),
        (customers({"name": "context", "type": {"type": "record", "name": "Context", "fields": [
            {"name": "country", "type": {"type": "enum", "name": "C", "symbols": ["AT"]}}]}}),
         "context.country", "enum does not resolve to our string"),
        (customers({"name": "context", "type": {"type": "record", "name": "Where", "fields": []}}), "context",
         "record Where does not resolve to our Context"),
    ],
)  # fmt: skip
def test_a_schema_that_does_not_resolve_is_refused_by_its_field(schema: Schema, field: str, why: str) -> None:
    with pytest.raises(SchemaRefused, match=why) as refusal:
        SchemaBook().add(json.dumps(schema))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[]", "name it Event or Item"),
        ('"string"', "name it Event or Item"),
        ('{"type": "record"}', "not an Avro schema"),
        ('{"type": "record", "name": "Event", "fields": [{"name": "x", "type": "strin"}]}', "not an Avro"),
        (json.dumps(customers(name="com.shop.Click")), "its record is named Click"),
        (
            '{"type": "record", "name": "Event", "fields": [{"name": "x", "type": "Event"}]}',
            "contains itself",
        ),
    ],
)
def test_what_is_no_schema_of_events_or_items_is_refused(text: str, why: str) -> None:
    with pytest.raises(SchemaRefused, match=why):
        SchemaBook().add(text)


def test_endless_nesting_is_refused() -> None:
    for levels in (30, 3000):
        nested = '{"type": "array", "items": ' * levels + '"string"' + "}" * levels
        schema = json.dumps(customers()).replace(
            '"fields": [', f'"fields": [{{"name": "x", "type": {nested}}}, '
        )
        with pytest.raises(SchemaRefused, match=r"nested too deeply|RecursionError"):
            SchemaBook().add(schema)


def test_a_schema_is_unknown_until_it_is_added() -> None:
    schema = customers()
    message = written(schema, NEEDED)
    book = SchemaBook()
    with pytest.raises(UndecodableRecord) as refusal:
        book.decode_event(message)
    assert refusal.value.reason is Reason.UNKNOWN_SCHEMA
    mark = book.add(json.dumps(schema))
    assert message[2:10] == mark.to_bytes(8, "little")
    assert book.decode_event(message).user_id == "ann"


def test_an_item_schema_is_for_items_alone() -> None:
    schema: Schema = {"type": "record", "name": "Item", "fields": [{"name": "item_id", "type": "string"}]}
    book = SchemaBook()
    book.add(json.dumps(schema))
    message = written(schema, {"item_id": "mug"})
    assert book.decode_item(message) == ITEMS.decode(ITEMS.encode(ITEMS.record(item_id="mug")))
    with pytest.raises(UndecodableRecord):
        book.decode_event(message)


PLAIN = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
FOREIGN = st.recursive(
    PLAIN,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "map", "values": values}, inner)
        | st.builds(
            lambda types: {
                "type": "record",
                "name": "R",
                "fields": [{"name": f"f{n}", "type": kind} for n, kind in enumerate(types)],
            },
            st.lists(PLAIN, max_size=3),
        )
    ),
    max_leaves=4,
)
OUR_NAMES = [field["name"] for field in json.loads(EVENTS.schema_json)["fields"]]


def example(data: st.DataObject, schema: Any) -> Any:
    match schema["type"] if isinstance(schema, dict) else schema:
        case "null":
            return None
        case "boolean":
            return data.draw(st.booleans())
        case "int":
            return data.draw(st.integers(-(2**31), 2**31 - 1))
        case "long":
            return data.draw(st.integers(-(2**63), 2**63 - 1))
        case "float" | "double":
            return data.draw(st.floats(width=32, allow_nan=False))
        case "bytes":
            return data.draw(st.text(st.characters(codec="ascii"))).encode()
        case "string":
            return data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=70))
        case "array":
            return [example(data, schema["items"]) for _ in range(data.draw(st.integers(0, 3)))]
        case "map":
            return {f"k{n}": example(data, schema["values"]) for n in range(data.draw(st.integers(0, 3)))}
    return {field["name"]: example(data, field["type"]) for field in schema["fields"]}


@settings(deadline=None, max_examples=150)
@given(names=st.lists(st.sampled_from([*OUR_NAMES, "x", "y"]), unique=True, max_size=6), data=st.data())
def test_any_writer_schema_reads_as_the_reference_reads_it_or_is_refused(
    names: list[str], data: st.DataObject
) -> None:
    # One record type at most: the names of Avro's types are unique within a schema.
    fields, has_record = [], False
    for name in names:
        kind = data.draw(FOREIGN)
        if has_record and "record" in json.dumps(kind):
            kind = "string"
        has_record = has_record or "record" in json.dumps(kind)
        fields.append({"name": name, "type": kind})
    needed = [field for field in customers()["fields"] if field["name"] not in names]
    schema = {"type": "record", "name": "Event", "fields": [*fields, *needed]}
    book = SchemaBook()
    try:
        book.add(json.dumps(schema))
    except SchemaRefused:
        return
    message = written(schema, example(data, schema))
    ours = _without_logical_types(json.loads(EVENTS.schema_json))
    ours["namespace"] = ""
    expected = fastavro.schemaless_reader(io.BytesIO(message[10:]), schema, ours)
    event = book.decode_event(message)
    for name in OUR_NAMES:
        value = expected[name]
        if value is None and name in ("context", "items", "attributes"):
            value = getattr(Event(**NEEDED), name)
        assert getattr(event, name) == (tuple(value) if name == "items" else value)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(v) for key, v in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(branch) for branch in schema]
    return schema
