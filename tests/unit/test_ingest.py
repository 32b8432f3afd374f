"""What is done with each event before it counts, as tables of events."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.dead_letters import LARGEST_PAYLOAD, Rejected, dead_letter
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings, Range
from operators.outliers import OutlierLimits
from schemas.codec import EVENTS, encode_event
from schemas.reason import Reason
from schemas.records import Context, Event
from schemas.schema_book import SchemaBook

NOW = 1_700_000_000_000
VIEW = Event(
    event_id="e-1", user_id="ann", type="view", time=NOW, item_id="mug", context=Context(device="mobile")
)
PURCHASE = Event(
    event_id="e-2", user_id="ann", type="purchase", time=NOW, item_id="mug", value=4.5, quantity=2.0
)


def ingest(**changes: Any) -> Ingest:
    return Ingest(IngestSettings(**changes), SchemaBook())


def accepted(event: Event, record_time: int = NOW, **changes: Any) -> Event:
    result = ingest(**changes).accept(encode_event(event), record_time, NOW)
    assert isinstance(result, Event), result
    return result


def rejected(event: Event, record_time: int = NOW, **changes: Any) -> Rejected:
    result = ingest(**changes).accept(encode_event(event), record_time, NOW)
    assert isinstance(result, Rejected), result
    return result


def test_a_clean_event_comes_through_as_it_is() -> None:
    assert ingest().check(VIEW, NOW) is VIEW
    assert accepted(PURCHASE) == PURCHASE


@pytest.mark.parametrize("field", ["event_id", "user_id", "type"])
@pytest.mark.parametrize("nothing", ["", "  "])
def test_what_every_event_needs(field: str, nothing: str) -> None:
    result = rejected(msgspec.structs.replace(VIEW, **{field: nothing}))
    assert result.reason is Reason.MISSING_FIELD
    assert field in result.detail


@pytest.mark.parametrize(
    "kind", ["like", "dislike", "rating", "add_to_cart", "remove_from_cart", "purchase", "refund"]
)
def test_types_about_an_item_need_one(kind: str) -> None:
    for item_id in (None, " "):
        result = rejected(Event(event_id="e", user_id="u", type=kind, time=NOW, value=1.0, item_id=item_id))
        assert (result.reason, result.detail) == (
            Reason.MISSING_FIELD,
            f"item_id is missing or empty in a {kind}",
        )


def test_a_rating_needs_its_stars() -> None:
    assert rejected(msgspec.structs.replace(VIEW, type="rating")).reason is Reason.MISSING_FIELD


def test_an_unknown_type_is_kept() -> None:
    assert accepted(msgspec.structs.replace(VIEW, type="wishlist")).type == "wishlist"


@pytest.mark.parametrize(
    ("event_time", "record_time", "usable"),
    [
        (NOW, NOW, True),
        (NOW + 300_000, NOW, True),
        (NOW + 300_001, NOW, False),
        (NOW - 10 * 365 * 86_400_000, NOW, True),
        (1_300_000_000_000, 1_300_000_000_000, True),
        (1_300_000_300_001, 1_300_000_000_000, False),
        (NOW // 1000, NOW, False),
        (-1, NOW, False),
        (NOW * 1000, NOW, False),
        (NOW, -1, True),
        (NOW + 300_001, -1, False),
    ],
    ids=[
        "its record's", "a little ahead", "ahead", "old", "a replay", "ahead in a replay", "in seconds",
        "before 1970", "in microseconds", "a record without timestamp", "ahead of the clock",
    ],
)  # fmt: skip
def test_time_is_judged_against_the_record(event_time: int, record_time: int, usable: bool) -> None:
    result = ingest().accept(encode_event(msgspec.structs.replace(VIEW, time=event_time)), record_time, NOW)
    if usable:
        assert isinstance(result, Event)
    else:
        assert isinstance(result, Rejected)
        assert result.reason is Reason.IMPLAUSIBLE_TIME


def test_the_wall_clock_does_not_decide_about_a_record_with_a_timestamp() -> None:
    message = encode_event(VIEW)
    assert ingest().accept(message, NOW, 0) == ingest().accept(message, NOW, 10 * NOW)


@pytest.mark.parametrize(
    ("kind", "value", "usable"),
    [
        ("rating", 5.0, True), ("rating", 5.1, False), ("rating", -1.0, False),
        ("scroll", 0.0, True), ("scroll", 1.0, True), ("scroll", 1.01, False),
        ("dwell", 0.0, True), ("dwell", 86_401.0, False), ("dwell", -1.0, False),
        ("purchase", 0.01, True), ("purchase", 0.0, False), ("refund", -4.5, False),
        ("add_to_cart", 2e6, False), ("wishlist", math.nan, False),
        ("view", -7.0, True), ("view", math.nan, False), ("view", math.inf, False),
    ],
)  # fmt: skip
def test_a_value_is_in_the_range_of_its_type(kind: str, value: float, usable: bool) -> None:
    event = msgspec.structs.replace(VIEW, type=kind, value=value)
    if usable:
        assert accepted(event).value == value
    else:
        assert rejected(event).reason is Reason.OUT_OF_RANGE


@pytest.mark.parametrize("quantity", [0.0, -1.0, math.nan, math.inf, 1e7])
def test_a_quantity_is_more_than_nothing(quantity: float) -> None:
    assert rejected(msgspec.structs.replace(PURCHASE, quantity=quantity)).reason is Reason.OUT_OF_RANGE


def test_a_configured_range_takes_the_place_of_ours_and_leaves_the_others() -> None:
    stars = msgspec.structs.replace(VIEW, type="rating", value=9.0)
    scroll = msgspec.structs.replace(VIEW, type="scroll", value=1.5)
    ten = {"rating": Range(1, 10)}
    assert accepted(stars, values=ten).value == 9.0
    assert rejected(scroll, values=ten).reason is Reason.OUT_OF_RANGE


def test_a_range_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="rating"):
        IngestSettings(values={"rating": Range(5, 1)})
    with pytest.raises(ValueError, match="item_pattern"):
        IngestSettings(item_pattern="(")


def test_spellings_become_codes() -> None:
    sent = Event(
        event_id="e", user_id=" jose\u0301 ", type="Add-To-Cart", time=NOW, item_id=" 85123a ", value=1.0,
        context=Context(device="iPhone", country="United Kingdom", page="/x"), items=(" a ", "", "b"),
    )  # fmt: skip
    assert accepted(sent, item_case="upper") == Event(
        event_id="e", user_id="jos\u00e9", type="add_to_cart", time=NOW, item_id="85123A", value=1.0,
        context=Context(device="mobile", country="GB", page="/x"), items=("A", "B"),
    )  # fmt: skip


def test_a_country_that_is_none_is_left_out() -> None:
    assert (
        accepted(msgspec.structs.replace(VIEW, context=Context(country="Unspecified"))).context == Context()
    )


def test_cleaning_twice_changes_nothing_more() -> None:
    sent = msgspec.structs.replace(VIEW, user_id=" Ann", context=Context(device="PC", country="EIRE"))
    once = accepted(sent)
    assert ingest().check(once, NOW) is once


@pytest.mark.parametrize(
    ("item_id", "usable"), [("85123A", True), ("POST", False), ("M", False), ("22720", True)]
)
def test_item_ids_that_are_no_products_are_put_aside_by_a_rule(item_id: str, usable: bool) -> None:
    event = msgspec.structs.replace(PURCHASE, item_id=item_id)
    if usable:
        assert accepted(event, item_pattern=r"\d{5}[A-Za-z]*").item_id == item_id
    else:
        assert rejected(event, item_pattern=r"\d{5}[A-Za-z]*").reason is Reason.NOT_A_PRODUCT


def test_an_endless_id_is_refused() -> None:
    for field in ("event_id", "user_id", "item_id", "type"):
        event = msgspec.structs.replace(VIEW, **{field: "x" * 300})
        assert rejected(event).reason is Reason.OUT_OF_RANGE


def test_outliers_are_judged_by_the_limits_of_the_items_category() -> None:
    limits = OutlierLimits(price={"mugs": (1.0, 20.0), "*": (1.0, 1000.0)}, quantity={"*": (1.0, 100.0)})
    categories = {"mug": "mugs"}
    judge = Ingest(IngestSettings(limits=limits), SchemaBook(), lambda item_id: categories.get(item_id, "?"))

    def reason(**changes: Any) -> Reason | None:
        result = judge.check(msgspec.structs.replace(PURCHASE, **changes), NOW)
        return result.reason if isinstance(result, Rejected) else None

    assert reason(value=21.0) is Reason.OUTLIER
    assert reason(value=21.0, item_id="sofa") is None
    assert reason(value=1001.0, item_id="sofa") is Reason.OUTLIER
    assert reason(quantity=80_995.0) is Reason.OUTLIER
    assert reason(value=21.0, type="dwell") is None


def test_undecodable_bytes_have_their_own_reason() -> None:
    result = ingest().accept(encode_event(VIEW)[:-1], NOW, NOW)
    assert isinstance(result, Rejected)
    assert result.reason is Reason.TRUNCATED


@settings(max_examples=300)
@given(garbage=st.binary(max_size=200), with_header=st.booleans(), record_time=st.integers(-1, 2**63))
def test_no_message_makes_it_fail(garbage: bytes, with_header: bool, record_time: int) -> None:
    message = EVENTS.header + garbage if with_header else garbage
    assert isinstance(ingest().accept(message, record_time, NOW), Event | Rejected)


def test_ten_thousand_garbage_messages_take_no_longer_than_valid_ones() -> None:
    chance = random.Random(7)
    valid = encode_event(VIEW)
    kinds = (
        lambda: chance.randbytes(100),
        lambda: EVENTS.header + chance.randbytes(100),
        lambda: valid[: chance.randrange(len(valid))],
        lambda: b"",
    )
    garbage = [kinds[n % len(kinds)]() for n in range(10_000)]
    judge = ingest()

    def seconds(messages: list[bytes]) -> float:
        begin = time.process_time()
        for message in messages:
            judge.accept(message, NOW, NOW)
        return time.process_time() - begin

    valid_seconds = min(seconds([valid] * 10_000) for _ in range(3))
    assert min(seconds(garbage) for _ in range(3)) <= valid_seconds


def test_a_dead_letter_holds_the_message_whole_and_says_where_it_came_from() -> None:
    message = encode_event(VIEW)[:-1]
    result = ingest().accept(message, NOW, NOW)
    assert isinstance(result, Rejected)
    letter = dead_letter(result, message, "events", 3, 17, NOW)
    assert (letter.reason, letter.topic, letter.partition, letter.offset) == ("truncated", "events", 3, 17)
    assert (letter.payload, letter.time) == (message, NOW)


def test_a_huge_dead_letter_is_cut_and_says_so() -> None:
    message = bytes(LARGEST_PAYLOAD + 1)
    letter = dead_letter(Rejected(Reason.NOT_AVRO, "it is zeros"), message, "events", 0, 0, NOW)
    assert len(letter.payload) == LARGEST_PAYLOAD
    assert letter.detail == f"it is zeros; the payload is the first {LARGEST_PAYLOAD} of {len(message)} bytes"


def test_limits_come_from_a_file_once(tmp_path: Any) -> None:
    limits = OutlierLimits(price={"*": (1.0, 2.0)})
    limits.write(tmp_path / "limits.json")
    read = IngestSettings(limits_file=tmp_path / "limits.json").with_limits()
    assert read == replace(IngestSettings(), limits=limits)
    assert read.with_limits() is read
