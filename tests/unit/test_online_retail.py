"""The Online Retail file as it is in `data/`, and small files that show each cleaning rule."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from jobs.bad_row import BadRow
from jobs.files import carries_items, open_events, read_events, read_items
from jobs.online_retail import RetailRule
from schemas.records import Context, Event, Item

FILE = Path(__file__).parents[2] / "data" / "online_retail_2010_2011.parquet"
NOON = datetime(2011, 5, 2, 12, 0)
NOON_MS = 1_304_337_600_000
DAY_MS = 86_400_000

LINE: dict[str, Any] = {
    "InvoiceNo": "536365", "StockCode": "85123a", "Description": "CREAM HANGING HEART T-LIGHT HOLDER",
    "Quantity": 6, "InvoiceDate": NOON, "UnitPrice": 2.55, "CustomerID": 17850.0, "Country": "United Kingdom",
}  # fmt: skip


@pytest.fixture(scope="module")
def records() -> list[Event | BadRow]:
    """Every record of the whole file."""
    return list(read_events(FILE))


def purchases(records: list[Event | BadRow]) -> list[Event]:
    return [record for record in records if isinstance(record, Event) and record.type == "purchase"]


def retail(folder: Path, *changes: dict[str, Any], name: str = "retail.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.Table.from_pylist([{**LINE, **change} for change in changes]), path)
    return path


def test_the_clean_purchase_lines_are_396_337(records: list[Event | BadRow]) -> None:
    assert open_events(FILE).format == "online-retail"
    assert len(records) == open_events(FILE).rows == 541_909
    types = Counter(record.type for record in records if isinstance(record, Event))
    assert types == {"purchase": 396_337, "refund": 8_539}
    rejected = Counter(record.reason for record in records if isinstance(record, BadRow))
    assert rejected == {"no_customer": 135_080, "not_a_product": 1_920, "no_price": 33}


def test_99_customers_order_more_than_three_times_in_the_last_30_days(records: list[Event | BadRow]) -> None:
    bought = purchases(records)
    last = max(event.time for event in bought)
    orders, lines = defaultdict(set), Counter[str]()
    for event in bought:
        if event.time > last - 30 * DAY_MS:
            orders[event.user_id].add(event.order_id)
            lines[event.user_id] += 1
    assert sum(len(of_user) > 3 for of_user in orders.values()) == 99
    assert sum(count > 3 for count in lines.values()) > 1_500


def test_events_come_in_order_of_time_with_ids_of_their_own(records: list[Event | BadRow]) -> None:
    events = [record for record in records if isinstance(record, Event)]
    assert all(a.time <= b.time for a, b in pairwise(events))
    assert len({event.event_id for event in events}) == len(events)


def test_lines_of_one_customer_and_time_are_shuffled_alike_every_time(records: list[Event | BadRow]) -> None:
    again = [record.event_id for record in read_events(FILE) if isinstance(record, Event)]
    assert again == [record.event_id for record in records if isinstance(record, Event)]
    baskets = defaultdict(list)
    for event in purchases(records):
        baskets[event.user_id, event.time].append(int(event.event_id.rpartition("-")[2]))
    pairs = [(a, b) for lines in baskets.values() for a, b in pairwise(lines)]
    ascending = sum(a < b for a, b in pairs) / len(pairs)
    neighbours = sum(b == a + 1 for a, b in pairs) / len(pairs)
    assert ascending == pytest.approx(0.5, abs=0.01)
    assert neighbours < 0.05


def test_every_item_of_an_event_is_in_the_catalogue(records: list[Event | BadRow]) -> None:
    items = [item for item in read_items(FILE) if isinstance(item, Item)]
    known = {item.item_id: item for item in items}
    assert len(known) == len(items) == 3_676
    assert {event.item_id for event in records if isinstance(event, Event)} == set(known)
    holder = known["85123A"]
    assert (holder.title, holder.category) == ("WHITE HANGING HEART T-LIGHT HOLDER", "HOLDER")
    assert (holder.price, holder.currency) == (2.95, "GBP")
    categories = Counter(item.category for item in items)
    assert categories["?"] < 0.15 * len(items)
    assert {"BAG", "MUG", "HOLDER", "BOX", "SIGN", "CANDLE"} <= set(dict(categories.most_common(15)))


def test_a_line_becomes_a_purchase_and_a_cancellation_a_refund(tmp_path: Path) -> None:
    bought, given_back = read_events(
        retail(
            tmp_path, {}, {"InvoiceNo": "C536379", "Quantity": -2, "InvoiceDate": datetime(2011, 5, 3, 12, 0)}
        )
    )
    assert bought == Event(
        event_id="536365-1", user_id="17850", type="purchase", time=NOON_MS, item_id="85123A", value=2.55,
        quantity=6.0, order_id="536365", currency="GBP", context=Context(country="GB"),
    )  # fmt: skip
    assert isinstance(given_back, Event)
    assert (given_back.type, given_back.quantity, given_back.value) == ("refund", 2.0, 2.55)


RULES: list[tuple[RetailRule, dict[str, Any]]] = [
    (RetailRule.NO_CUSTOMER, {"CustomerID": None}),
    (RetailRule.NOT_AN_INVOICE, {"InvoiceNo": "A563185"}),
    (RetailRule.NOT_A_PRODUCT, {"StockCode": "POST"}),
    (RetailRule.NOT_A_PRODUCT, {"StockCode": "8512"}),
    (RetailRule.NO_PRICE, {"UnitPrice": 0.0}),
    (RetailRule.NO_PRICE, {"UnitPrice": -11062.06}),
    (RetailRule.NO_PRICE, {"UnitPrice": None}),
    (RetailRule.RETURN_WITHOUT_CANCELLATION, {"Quantity": -3}),
    (RetailRule.RETURN_WITHOUT_CANCELLATION, {"Quantity": 0}),
    (RetailRule.CANCELLATION_OF_NOTHING, {"InvoiceNo": "C536379"}),
    (RetailRule.NO_TIME, {"InvoiceDate": None}),
]


@pytest.mark.parametrize(("rule", "change"), RULES, ids=[f"{rule}-{change}" for rule, change in RULES])
def test_a_rule_puts_a_line_aside_whole(tmp_path: Path, rule: RetailRule, change: dict[str, Any]) -> None:
    records = list(read_events(retail(tmp_path, {}, change)))
    (bad,) = (record for record in records if isinstance(record, BadRow))
    assert (bad.reason, bad.row) == (rule, 2)
    assert json.loads(bad.raw)["Description"] == LINE["Description"]
    assert len(records) == 2


def test_a_name_that_is_no_country_gives_none(tmp_path: Path) -> None:
    (event,) = read_events(retail(tmp_path, {"Country": "Unspecified"}))
    assert isinstance(event, Event)
    assert event.context.country is None


def test_the_usual_title_and_the_median_price_describe_an_item(tmp_path: Path) -> None:
    path = retail(
        tmp_path,
        {"Description": "wrongly coded", "UnitPrice": 9.0},
        {"Description": " RED  MUG ", "UnitPrice": 1.0},
        {"Description": "RED MUG", "UnitPrice": 2.0},
    )
    assert list(read_items(path)) == [Item(item_id="85123A", title="RED MUG", price=2.0, currency="GBP")]


def test_the_same_lines_as_csv_give_the_same_events(tmp_path: Path) -> None:
    path = retail(tmp_path, {}, {"StockCode": "22423"}, {"CustomerID": None})
    as_csv = tmp_path / "retail.csv"
    pa_csv.write_csv(pq.read_table(path), as_csv)
    events = [
        [record for record in read_events(file) if isinstance(record, Event)] for file in (path, as_csv)
    ]
    assert events[0] == events[1]
    assert len(events[0]) == 2
    assert carries_items(as_csv)
