"""What is on the wire: bytes of every release stay readable, and the reference implementation agrees."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import msgspec
import pytest

from schemas import codec as codecs
from schemas.avro_schema import fingerprint
from schemas.codec import AVRO_FOLDER, HEADER_SIZE, RECORDS, Codec
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

GOLDEN = Path(__file__).parent / "golden" / "wire"
NOW = 1_700_000_000_000

FULL: dict[str, tuple[Codec[Any], Any]] = {
    "event": (
        codecs.EVENTS,
        Event(
            event_id="e-1", user_id="jos\u00e9", type="purchase", time=NOW, item_id="85123A",
            session_id="s-1", value=2.55, quantity=6.0, query="mug", order_id="536365", currency="GBP",
            anonymous_id="a-1", site="shop.example", slot="home",
            context=Context(device="mobile", country="GB", region="Kent", locale="en-GB", page="/cart",
                            referrer="https://search.example/", user_agent="Mozilla/5.0"),
            rec_id="r-1", position=3, items=("85123A", "71053"), attributes={"gift": "yes"}, sent=NOW + 12,
        ),
    ),
    "item": (
        codecs.ITEMS,
        Item(
            item_id="85123A", title="White hanging heart T-light holder", category="home/lights",
            group_id="85123", price=2.55, currency="GBP", tags=("heart", "white"),
            description="Holds a light.",
            image_url="https://shop.example/85123A.jpg", language="en", length=12.5, media="product",
            in_stock=True, markets={"GB": Market(price=2.55, currency="GBP", in_stock=False)},
            published_at=NOW, expires_at=NOW + 86_400_000, attributes={"colour": "white"}, deleted=True,
        ),
    ),
    "control": (
        codecs.CONTROLS,
        Control(kind="segment", name="vip", version=3, body='{"rule": "sum(value) > 1000"}', deleted=True),
    ),
    "recommendation": (
        codecs.RECOMMENDATIONS,
        Recommendation(
            rec_id="r-1", uid="0123456789abcdef01234567", seq="1700000000000.0000000007", at=NOW,
            written_at=NOW + 40, model="ranker-7", slot="cart", experiment={"price-test": "B"}, inputs=b"\x01\x02",
            items=(
                ScoredItem(item_id="71053", score=0.75, why="because_viewed:85123A",
                           sources={"session_knn": 1.5, "covisit": -0.25}),
                ScoredItem(item_id="22720", score=0.5, why="for_you"),
            ),
        ),
    ),
    "segment_change": (
        codecs.SEGMENT_CHANGES,
        SegmentChange(uid="0123456789abcdef01234567", segment="vip", change="entered", at=NOW, version=3,
                      evidence={'count("purchase")': 4.0}),
    ),
    "drift_alert": (
        codecs.DRIFT_ALERTS,
        DriftAlert(uid="0123456789abcdef01234567", detector="ADWIN", at=NOW, labelled=120, error_before=0.2,
                   error_after=0.6, scope="pool", pool="persona/3", signal="missing/country",
                   reason="3 in 10"),
    ),
    "dead_letter": (
        codecs.DEAD_LETTERS,
        DeadLetter(reason="truncated", detail="cut", topic="events", partition=2, offset=17, time=NOW,
                   payload=b"\xc3\x01\x00"),
    ),
}  # fmt: skip
"""One record of each type, with every field set."""

FORMER: dict[str, Any] = {
    "drift_alert.v1": DriftAlert(
        uid="0123456789abcdef01234567",
        detector="ADWIN",
        at=NOW,
        labelled=120,
        error_before=0.2,
        error_after=0.6,
    ),
    "recommendation.v1": msgspec.structs.replace(FULL["recommendation"][1], inputs=None),
}
"""What the golden bytes of a former release hold, where it had fewer fields."""

NAMES = pytest.mark.parametrize("name", FULL)


def golden_files() -> list[Path]:
    return sorted(GOLDEN.glob("*.v*.hex"))


@NAMES
def test_every_released_schema_has_golden_bytes(name: str) -> None:
    released = {path.name.removesuffix(".avsc") for path in AVRO_FOLDER.glob(f"{name}.v*.avsc")}
    assert {
        path.name.removesuffix(".hex") for path in golden_files() if path.name.startswith(f"{name}.v")
    } == released


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_golden_bytes_of_every_release_are_read(path: Path) -> None:
    codec, record = FULL[path.name.partition(".")[0]]
    assert codec.decode(bytes.fromhex(path.read_text())) == FORMER.get(path.stem, record)


@NAMES
def test_todays_code_writes_the_newest_golden_bytes(name: str) -> None:
    codec, record = FULL[name]
    newest = max(
        GOLDEN.glob(f"{name}.v*.hex"), key=lambda path: int(path.name.split(".v")[1].removesuffix(".hex"))
    )
    assert codec.encode(record).hex() == newest.read_text().replace("\n", "")


@NAMES
def test_the_golden_record_sets_every_field_apart_from_its_default(name: str) -> None:
    _, record = FULL[name]
    for field in msgspec.structs.fields(record):
        if name == "item" and field.name == "in_stock":
            continue
        assert getattr(record, field.name) != field.default, field.name


def reference_schema(codec: Codec[Any]) -> Any:
    return avro.schema.parse(codec.schema_json)


@NAMES
def test_the_reference_reads_what_we_write(name: str) -> None:
    codec, record = FULL[name]
    body = codec.encode(record)[HEADER_SIZE:]
    stream = io.BytesIO(body)
    read = avro.io.DatumReader(reference_schema(codec)).read(avro.io.BinaryDecoder(stream))
    assert stream.tell() == len(body)
    assert comparable(read) == comparable(record)


@NAMES
def test_we_read_what_the_reference_writes(name: str) -> None:
    codec, record = FULL[name]
    schema = reference_schema(codec)
    own = avro.io.DatumReader(schema).read(
        avro.io.BinaryDecoder(io.BytesIO(codec.encode(record)[HEADER_SIZE:]))
    )
    stream = io.BytesIO()
    avro.io.DatumWriter(schema).write(own, avro.io.BinaryEncoder(stream))
    assert codec.decode(codec.header + stream.getvalue()) == record


def comparable(value: Any) -> Any:
    """Records as dicts, tuples as lists, and the reference's datetimes as milliseconds."""
    if isinstance(value, msgspec.Struct):
        return comparable(msgspec.structs.asdict(value))
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dict):
        # An empty map is written as null: to a reader they are one.
        return {key: comparable(part) for key, part in value.items()} or None
    if isinstance(value, list | tuple):
        return [comparable(part) for part in value]
    return value


@NAMES
def test_the_published_schema_says_what_every_field_is(name: str) -> None:
    codec, _ = FULL[name]

    def fields(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, list):
            return [field for branch in schema for field in fields(branch)]
        if not isinstance(schema, dict):
            return []
        own = schema.get("fields", [])
        inner = [field["type"] for field in own] + [schema.get("items"), schema.get("values"), schema["type"]]
        return own + [field for part in inner if not isinstance(part, str) for field in fields(part)]

    described = fields(json.loads(codec.schema_json))
    assert described
    assert [field["name"] for field in described if len(field.get("doc", "")) < 10] == []


@NAMES
def test_schema_and_record_have_the_same_fields_and_defaults(name: str) -> None:
    codec, _ = FULL[name]
    schema = avro.schema.parse(codec.schema_json)
    for record_schema in records_in(schema):
        record = RECORDS[record_schema.fullname]
        fields = {field.name: field for field in msgspec.structs.fields(record)}
        assert {field.name for field in record_schema.fields} == fields.keys()
        for field in record_schema.fields:
            ours = fields[field.name]
            assert field.has_default != ours.required, f"{record_schema.fullname}.{field.name}"
            if field.has_default and field.default is not None:
                assert field.default == ours.default


def records_in(schema: Any) -> list[Any]:
    if isinstance(schema, avro.schema.UnionSchema):
        return [record for branch in schema.schemas for record in records_in(branch)]
    if isinstance(schema, avro.schema.ArraySchema):
        return records_in(schema.items)
    if isinstance(schema, avro.schema.MapSchema):
        return records_in(schema.values)
    if isinstance(schema, avro.schema.RecordSchema):
        return [schema, *(record for field in schema.fields for record in records_in(field.type))]
    return []


def test_the_fingerprint_of_a_primitive_is_the_specifications() -> None:
    # From the Avro project's own suite, share/test/data/schema-tests.txt.
    assert fingerprint('"null"') == 7195948357588979594


@NAMES
def test_the_fingerprint_is_the_references(name: str) -> None:
    codec, _ = FULL[name]
    # The reference keeps {"type": "long"} of an annotated type in the canonical form, where the specification
    # says "long"; so it is asked without annotations.
    annotated = '{"type": "long", "logicalType": "timestamp-millis"}'
    theirs = avro.schema.parse(codec.schema_json.replace(annotated, '"long"')).fingerprint()
    assert codec.header[2:] == theirs


@NAMES
def test_an_absent_list_and_an_empty_one_are_the_same_bytes(name: str) -> None:
    codec, record = FULL[name]
    empty = {
        field.name: type(getattr(record, field.name))()
        for field in msgspec.structs.fields(record)
        if isinstance(getattr(record, field.name), tuple | dict)
    }
    bare = msgspec.structs.replace(record, **empty)
    assert codec.decode(codec.encode(bare)) == bare
