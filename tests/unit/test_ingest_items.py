"""What is done with each catalogue entry before it counts."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.dead_letters import Rejected
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.item_ingest import ItemIngest
from schemas.codec import ITEMS
from schemas.reason import Reason
from schemas.records import Event, Item, Market
from schemas.schema_book import SchemaBook

MUG = Item(item_id="mug", title="Mug", category="home/kitchen", price=4.5, markets={"GB": Market(price=5.0)})
PLAIN = ItemIngest(IngestSettings(), SchemaBook())


def reason(item: Item, settings: IngestSettings | None = None) -> Reason:
    result = ItemIngest(settings or IngestSettings(), SchemaBook()).accept(ITEMS.encode(item))
    assert isinstance(result, Rejected), result
    return result.reason


def test_a_clean_item_comes_through_as_it_is() -> None:
    assert PLAIN.check(MUG) is MUG
    assert PLAIN.accept(ITEMS.encode(MUG)) == MUG


def test_an_item_and_its_events_are_spelt_alike() -> None:
    settings = IngestSettings(item_case="upper")
    item = ItemIngest(settings, SchemaBook()).check(Item(item_id=" cafe\u0301 "))
    event = Event(event_id="e", user_id="u", type="view", time=1_700_000_000_000, item_id="CAF\u00c9")
    seen = Ingest(settings, SchemaBook()).check(event, event.time)
    assert isinstance(item, Item)
    assert isinstance(seen, Event)
    assert item.item_id == seen.item_id


@pytest.mark.parametrize("price", [-1.0, math.nan, math.inf])
def test_a_price_is_a_number_of_at_least_nothing(price: float) -> None:
    assert reason(msgspec.structs.replace(MUG, price=price)) is Reason.OUT_OF_RANGE
    assert reason(msgspec.structs.replace(MUG, markets={"AT": Market(price=price)})) is Reason.OUT_OF_RANGE


def test_an_item_needs_an_id_that_a_product_may_have() -> None:
    assert reason(Item(item_id=" ")) is Reason.MISSING_FIELD
    assert reason(Item(item_id="x" * 300)) is Reason.OUT_OF_RANGE
    assert reason(Item(item_id="POST"), IngestSettings(item_pattern=r"\d{5}")) is Reason.NOT_A_PRODUCT


def test_categories_and_markets_have_one_spelling() -> None:
    markets = {"United Kingdom": Market(), "shop.example": Market()}
    sent = Item(item_id="mug", category=" home / kitchen//", markets=markets)
    cleaned = PLAIN.check(sent)
    assert isinstance(cleaned, Item)
    assert (cleaned.category, set(cleaned.markets)) == ("home/kitchen", {"GB", "shop.example"})
    assert PLAIN.check(Item(item_id="mug", category=" / ")) == Item(item_id="mug", category="?")


@given(garbage=st.binary(max_size=200), with_header=st.booleans())
def test_no_message_makes_it_fail(garbage: bytes, with_header: bool) -> None:
    assert isinstance(PLAIN.accept(ITEMS.header + garbage if with_header else garbage), Item | Rejected)
