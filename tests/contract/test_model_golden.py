"""Which model serves, as it is stored: what was released stays readable, and is still written byte by byte."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from operators.bundle_manifest import BundleRefused
from operators.bundle_reference import BundleReference
from operators.model_reference import ModelRecord, decode_record, encode_record, record_of
from operators.shelf_records import decode_records, encode_records
from schemas.records import Control
from schemas.worker_models import (
    RuleRefusal,
    ShadowReading,
    SlotReading,
    WorkerModels,
    decode_models,
    encode_models,
)

GOLDEN = Path(__file__).parent / "golden" / "state"
SECOND = BundleReference(folder="/models/shop/2", sha256="0b" * 32)
RECORD = ModelRecord(
    slot="serve", version=1_700_000_000_000, name="shop", bundle=SECOND,
    former=BundleReference(folder="/models/shop/1", sha256="0a" * 32),
)  # fmt: skip
READING = WorkerModels(
    at=1_700_000_123_456,
    serve=SlotReading(
        model="shop/2", since=1_700_000_100_000, version=1_700_000_000_001, refused="golden row 7",
        refused_at=1_700_000_110_000,
    ),
    shadow=ShadowReading(
        model="shop/3", since=1_700_000_090_000, version=1_700_000_000_000, against="shop/2", lists=40,
        overlap=31.5, same_first=22, micros=4_200,
    ),
)  # fmt: skip


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().rstrip(b"\n")


def test_references_in_redis_are_read_and_written_as_released() -> None:
    assert encode_record(RECORD) == golden("model_record.v1.json")
    assert decode_record(golden("model_record.v1.json")) == RECORD


def test_references_on_the_shelfs_stream_are_read_and_written_as_released() -> None:
    stored = bytes.fromhex(golden("model_stream.v1.hex").decode())
    assert encode_records([RECORD]) == stored
    assert decode_records(stored) == [RECORD]


def test_readings_of_workers_are_read_and_written_as_released() -> None:
    assert encode_models(READING) == golden("worker_models.v1.json")
    assert decode_models(golden("worker_models.v1.json")) == READING


def test_readings_with_refused_rules_are_read_and_written_as_released() -> None:
    rule = RuleRefusal(name="calm", version=3, why="201 rules are in force", at=1_700_000_120_000)
    reading = msgspec.structs.replace(READING, rules=[rule])
    assert encode_models(reading) == golden("worker_models.rules.v1.json")
    assert decode_models(golden("worker_models.rules.v1.json")) == reading


@pytest.mark.parametrize("stored", [None, b"", b"{}", encode_models(READING).replace(b'"v":1', b'"v":2')])
def test_readings_of_another_release_count_as_none(stored: bytes | None) -> None:
    assert decode_models(stored) is None


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"", "is unreadable"),
        (b'{"type":"model","v":1}', "is unreadable"),
        (encode_record(RECORD).replace(b'"v":1', b'"v":2'), "has version 2; this release reads 1"),
    ],
)
def test_a_reference_that_cannot_be_read_says_why(stored: bytes, why: str) -> None:
    with pytest.raises(BundleRefused, match=why):
        decode_record(stored)


def test_an_offer_of_a_training_is_to_serve() -> None:
    body = '{"folder":"/models/shop/2","sha256":"' + "0b" * 32 + '"}'
    record = record_of(Control(kind="model", name="shop", version=5, body=body))
    assert record == ModelRecord(slot="serve", version=5, name="shop", bundle=SECOND)


def test_a_deleted_shadow_empties_its_slot() -> None:
    control = Control(kind="model", name="shop.shadow", version=5, body='{"mode":"shadow"}', deleted=True)
    assert record_of(control) == ModelRecord(slot="shadow", version=5, name="shop.shadow")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "model message has the body"),
        ('{"folder":3}', "Expected `str`, got `int`"),
        ('{"folder":"/models/shop/2"}', "missing required field `sha256`"),
        ('{"folder":"models/shop/2","sha256":"ab"}', "no absolute path"),
        ('{"folder":"/models/shop/2","sha256":"ab","mode":"show"}', "Invalid enum value 'show'"),
        ('{"folder":"/models/shop/2","sha256":"ab","share":0}', "not above 0"),
        ('{"folder":"/models/shop/2","sha256":"ab","colour":1}', "unknown field `colour`"),
    ],
)
def test_a_body_that_says_no_bundle_is_refused(body: str, why: str) -> None:
    with pytest.raises(BundleRefused, match=why):
        record_of(Control(kind="model", name="shop", version=5, body=body))


def test_a_version_below_1_is_refused() -> None:
    with pytest.raises(BundleRefused, match="version 0"):
        record_of(Control(kind="model", name="shop", version=0, deleted=True))
