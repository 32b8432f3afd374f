"""Every record survives its codec, and broken bytes never pass for something else."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import (
    CONTROLS,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    EVENTS,
    HEADER_SIZE,
    ITEMS,
    RECOMMENDATIONS,
    SEGMENT_CHANGES,
    Codec,
)
from schemas.reason import Reason, UndecodableRecord
from schemas.records import Context, Event, Item, Market, ScoredItem

CODECS: list[Codec[Any]] = [
    EVENTS, ITEMS, CONTROLS, RECOMMENDATIONS, SEGMENT_CHANGES, DRIFT_ALERTS, DEAD_LETTERS,
]  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
longs = st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(allow_nan=False)
NARROW = {"position": st.integers(-(2**31), 2**31 - 1), "partition": st.integers(-(2**31), 2**31 - 1)}
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: longs,
    float: doubles,
    bool: st.booleans(),
    bytes: st.binary(max_size=200),
    tuple[str, ...]: st.lists(texts, max_size=5).map(tuple),
    dict[str, str]: st.dictionaries(texts, texts, max_size=5),
    dict[str, float]: st.dictionaries(texts, doubles, max_size=5),
}


def records(record: type) -> st.SearchStrategy[Any]:
    """Any record of a class, field by field from its type hints."""
    fields = {}
    for field in msgspec.structs.fields(record):
        hint = field.type
        optional = type(None) in getattr(hint, "__args__", ()) and not str(hint).startswith("dict")
        if optional:
            (hint,) = (part for part in hint.__args__ if part is not type(None))
        value = NARROW[field.name] if field.name in NARROW else VALUES[hint]
        fields[field.name] = st.none() | value if optional else value
    return st.builds(record, **fields)


VALUES[Context] = records(Context)
VALUES[dict[str, Market]] = st.dictionaries(texts, records(Market), max_size=3)
VALUES[tuple[ScoredItem, ...]] = st.lists(records(ScoredItem), max_size=3).map(tuple)

EVENT = Event(
    event_id="e-1", user_id="ann", type="purchase", time=1_700_000_000_000, item_id="mug-7", value=4.5,
    quantity=2.0, order_id="o-9", currency="EUR", context=Context(device="mobile", country="AT"),
    items=("mug-7", "cup-1"), attributes={"colour": "blau", "größe": "XL"}, sent=1_700_000_000_250,
)  # fmt: skip


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.record.__name__)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_record_comes_back_as_it_was(codec: Codec[Any], data: st.DataObject) -> None:
    record = data.draw(records(codec.record))
    assert codec.decode(codec.encode(record)) == record


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.record.__name__)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_record_cut_anywhere_is_refused(codec: Codec[Any], data: st.DataObject) -> None:
    message = codec.encode(data.draw(records(codec.record)))
    for length in range(len(message)):
        with pytest.raises(UndecodableRecord):
            codec.decode(message[:length])


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.record.__name__)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_gives_a_well_formed_record(
    codec: Codec[Any], data: st.DataObject
) -> None:
    message = codec.encode(data.draw(records(codec.record)))
    for at in range(8 * len(message)):
        flipped = bytearray(message)
        flipped[at // 8] ^= 1 << at % 8
        try:
            record = codec.decode(bytes(flipped))
        except UndecodableRecord:
            continue
        assert at // 8 >= HEADER_SIZE, "a flipped header was believed"
        # Well formed: it has the types that its class promises, and encodes again.
        msgspec.convert(msgspec.structs.asdict(record), codec.record, from_attributes=True)
        assert codec.encode(codec.decode(codec.encode(record))) == codec.encode(record)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.record.__name__)
@settings(deadline=None, max_examples=200)
@given(garbage=st.binary(max_size=300), with_header=st.booleans())
def test_garbage_is_refused_or_well_formed(codec: Codec[Any], garbage: bytes, with_header: bool) -> None:
    try:
        record = codec.decode(codec.header + garbage if with_header else garbage)
    except UndecodableRecord:
        return
    assert isinstance(record, codec.record)


def test_nothing_but_the_record_may_follow() -> None:
    with pytest.raises(UndecodableRecord) as refusal:
        EVENTS.decode(EVENTS.encode(EVENT) + b"\0")
    assert refusal.value.reason is Reason.TRAILING_BYTES


def _message(body: bytes) -> bytes:
    """A message that claims to be an event."""
    return EVENTS.header + body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x01", Reason.MALFORMED),  # a length of -1
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", Reason.TRUNCATED),  # a length of 2^63 - 1
        (b"\xff" * 11, Reason.MALFORMED),  # a number that never ends
        (b"\x80\x00", Reason.MALFORMED),  # a padded zero
        (b"\x02\xff" + EVENTS.encode(EVENT)[HEADER_SIZE + 4 :], Reason.INVALID_UTF8),
    ],
)
def test_what_no_writer_produces_is_refused_by_name(body: bytes, reason: Reason) -> None:
    with pytest.raises(UndecodableRecord) as refusal:
        EVENTS.decode(_message(body))
    assert refusal.value.reason is reason


def test_a_negative_union_branch_is_refused() -> None:
    message = EVENTS.encode(Event(event_id="e", user_id="u", type="t", time=0))
    # e, u, t and time take 2 + 2 + 2 + 1 bytes; then comes the branch of item_id.
    broken = message[: HEADER_SIZE + 7] + b"\x01" + message[HEADER_SIZE + 8 :]
    with pytest.raises(UndecodableRecord, match="item_id: union branch"):
        EVENTS.decode(broken)


def test_an_array_that_claims_more_elements_than_bytes_is_refused_at_once() -> None:
    empty = EVENTS.encode(Event(event_id="e", user_id="u", type="t", time=0))
    claim = b"\x02" + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # items: 2^63 - 1 of them
    with pytest.raises(UndecodableRecord, match="items: count"):
        EVENTS.decode(empty[:-3] + claim + empty[-2:])


def test_an_unknown_fingerprint_is_told_apart_from_what_is_not_avro() -> None:
    message = EVENTS.encode(EVENT)
    with pytest.raises(UndecodableRecord) as unknown:
        EVENTS.decode(message[:2] + bytes(8) + message[10:])
    with pytest.raises(UndecodableRecord) as other:
        EVENTS.decode(b'{"user_id": "ann"}')
    assert unknown.value.reason is Reason.UNKNOWN_SCHEMA
    assert other.value.reason is Reason.NOT_AVRO


@pytest.mark.parametrize("odd", [{"position": 2**31}, {"time": 2**63}, {"user_id": "\ud800"}])
def test_what_does_not_fit_is_not_written(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fit|surrogates"):
        EVENTS.encode(msgspec.structs.replace(EVENT, **odd))


def test_an_item_keeps_infinities_and_empty_markets_apart_from_absent_ones() -> None:
    item = Item(item_id="a", price=math.inf, markets={"AT": Market(in_stock=False)})
    assert ITEMS.decode(ITEMS.encode(item)) == item
