"""What is due to be bought again: learned from the stream, listed at its time, barred otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from operators.candidates import CandidateSettings
from operators.due_items import due_items
from operators.item_hash import add_item_hash
from operators.item_step import Purchase, areas_of
from operators.purchase_sums import PurchaseSums
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Items, Popularity, decode_records, encode_records
from schemas.records import Item
from schemas.state import UserState

DAY = 86_400_000
TODAY = 20_000
BOUNDS = ShelfBounds(items=2_000, sessions=100)


def stocked(bought: list[tuple[str, str, int]]) -> Shelf:
    """A shelf that was told of purchases: item, category, days since the user's last."""
    shelf = Shelf(BOUNDS)
    shelf.apply(Items([Item(item_id=item, category=category) for item, category, _ in bought]))
    sums = PurchaseSums(90.0, rows=100, members=100)
    for number, (item, category, days) in enumerate(bought):
        areas = areas_of(item, f"category:{category}")
        sums.update(item, Purchase(days=days, areas=areas), weight=5.0, time=TODAY * DAY - number)
    for record in decode_records(encode_records(sums.records())):
        shelf.apply(record)
    return shelf


def soap_shop() -> Shelf:
    often = [("soap", "Bath", 0), *[("soap", "Bath", 30)] * 6, ("soap", "Bath", 28), ("soap", "Bath", 33)]
    once = [("sofa", "Living", 0)] * 9
    return stocked([*often, *once, ("cream", "Bath", 0), ("cream", "Bath", 10)])


def buyer(**ago: int) -> UserState:
    """A user who bought items so many days ago."""
    user = UserState("u", born=1, n=1, last=TODAY * DAY)
    for item, days in sorted(ago.items(), key=lambda pair: -pair[1]):
        user.bought = add_item_hash(user.bought, item, 512)
        user.bought_days += (TODAY - days).to_bytes(2, "little")
    return user


def due(shelf: Shelf, user: UserState, least: float = 0.0, most: int = 10) -> dict[str, float]:
    found = due_items([user], np.array([TODAY * DAY], np.int64), shelf, least, 5.0, most)
    return {
        shelf.item_id(item): score
        for item, score in zip(found.item.tolist(), found.score.tolist(), strict=True)
    }


def test_an_item_is_most_due_when_its_usual_time_has_passed() -> None:
    shelf = soap_shop()
    scores = [due(shelf, buyer(soap=days))["soap"] for days in (3, 15, 30, 60, 300)]
    assert scores[2] == max(scores) > 0.5
    assert scores[:3] == sorted(scores[:3])
    assert scores[2:] == sorted(scores[2:], reverse=True)


def test_what_nobody_buys_twice_is_never_due_and_what_was_bought_today_is_not() -> None:
    assert due(soap_shop(), buyer(sofa=30)) == {}
    assert due(soap_shop(), buyer(soap=0)) == {}


def test_an_item_with_few_repeats_leans_on_its_category() -> None:
    shelf = soap_shop()
    # Of its own it is bought again after 10 days; others of its category after 30.
    after = {days: due(shelf, buyer(cream=days))["cream"] for days in (10, 22, 30)}
    assert after[30] > after[10]


def test_most_and_least_bound_what_is_named_best_first() -> None:
    shelf = soap_shop()
    both = due(shelf, buyer(soap=30, cream=30))
    assert list(both) == ["soap", "cream"]
    assert list(due(shelf, buyer(soap=30, cream=30), most=1)) == ["soap"]
    assert list(due(shelf, buyer(soap=30, cream=30), least=both["cream"] + 1e-3)) == ["soap"]


def test_users_of_a_batch_do_not_touch_each_other() -> None:
    shelf, users = soap_shop(), [buyer(soap=30), UserState("v", born=1), buyer(cream=25, soap=5)]
    found = due_items(users, np.full(3, TODAY * DAY, np.int64), shelf, 0.0, 5.0, 5)
    for k, user in enumerate(users):
        alone = due(shelf, user)
        part = slice(found.start[k], found.start[k + 1])
        assert [shelf.item_id(item) for item in found.item[part].tolist()] == list(alone)
        assert found.score[part].tolist() == list(alone.values())


def ranker(shelf: Shelf, again: int) -> Ranker:
    shelf.apply(Popularity(["all"] * 3, ["soap", "sofa", "cream"], [3.0, 2.0, 1.0]))
    return Ranker(shelf, RankSettings(length=5, candidates=CandidateSettings(again=again)))


def test_a_list_holds_a_bought_item_when_it_is_due_and_no_other() -> None:
    made = ranker(soap_shop(), again=3).rank([buyer(soap=30, sofa=30)], [TODAY * DAY])[0]
    assert made.items == ["soap", "cream"]
    assert made.whys[0] == "buy_again"
    assert made.sources[0]["again"] == pytest.approx((8 + 5 * 9 / 11) / (9 + 5), abs=0.02)


def test_without_the_source_and_for_what_a_caller_excludes_bought_items_stay_out() -> None:
    user, now = buyer(soap=30), [TODAY * DAY]
    assert "soap" not in ranker(soap_shop(), again=0).rank([user], now)[0].items
    assert "soap" not in ranker(soap_shop(), again=3).rank([user], now, [["soap"]])[0].items


def test_what_is_due_and_cannot_be_had_is_not_listed() -> None:
    shelf = soap_shop()
    shelf.apply(Items([Item(item_id="soap", category="Bath", in_stock=False)]))
    assert "soap" not in ranker(shelf, again=3).rank([buyer(soap=30)], [TODAY * DAY])[0].items


def test_a_shelf_made_from_a_dump_knows_what_is_due() -> None:
    shelf, copy = soap_shop(), Shelf(BOUNDS)
    for record in shelf.dump():
        copy.apply(record)
    user = buyer(soap=30, cream=20)
    assert due(copy, user) == due(shelf, user) != {}


def test_an_item_that_left_the_shelf_is_forgotten() -> None:
    shelf = soap_shop()
    shelf.apply(Items([Item(item_id=f"new-{number}") for number in range(BOUNDS.items)]))
    assert shelf.number("soap") < 0
    assert due(shelf, buyer(soap=30)) == {}
