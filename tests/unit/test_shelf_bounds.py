"""The shelf: what goes in comes out, nothing grows for ever, and a copy made from its dump is as good."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from infra.redis import RedisServer
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import (
    CoVisits,
    Items,
    Popularity,
    PurchaseScores,
    SessionSteps,
    decode_records,
    encode_records,
)
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.state import RecentItem, UserState
from udfs.shelf_follower import ShelfFollower

SMALL = ShelfBounds(items=2_000, sessions=500, session_items=5, sessions_per_item=20, scopes=20, trending=32)


def feed(shelf: Shelf, rounds: int, seed: int = 3) -> None:
    rng = random.Random(seed)
    for k in range(rounds):
        ids = [f"item-{rng.randrange(k * 20, k * 20 + 500)}" for _ in range(50)]
        shelf.apply(Items([Item(item_id=i, category=f"c{len(i)}/{i[-1]}", price=1.0 + k) for i in ids[:5]]))
        shelf.apply(CoVisits(ids[:25], ids[25:], [rng.random() * 10 + k for _ in range(25)]))
        for kind in ("together", "then_bought"):
            shelf.apply(PurchaseScores(kind, ids[25:], ids[:25], [rng.random() * 10 + k for _ in range(25)]))
        sums = [rng.choice(("bought", "again", "gap")) for _ in ids]
        shelf.apply(
            PurchaseScores("again", [f"item:{i}" for i in ids], sums, [rng.random() + k for _ in ids])
        )
        scopes = [rng.choice(["all", "country:GB", f"category:{rng.randrange(50)}"]) for _ in ids]
        shelf.apply(Popularity(scopes, ids, [rng.random() * 10 + k for _ in ids]))
        shelf.apply(SessionSteps([rng.randrange(k * 3, k * 3 + 20) for _ in ids], ids, [k] * 50))


def someone(shelf: Shelf, seed: int) -> UserState:
    rng = random.Random(seed)
    known = [item for item, _ in shelf.index.items()]
    recent = [RecentItem(item, k, "view", "?") for k, item in enumerate(rng.sample(known, 8))]
    return UserState(f"user-{seed}", born=0, n=8, recent=recent, country="GB")


def test_memory_does_not_grow_with_endless_new_items_and_sessions() -> None:
    shelf = Shelf(SMALL)
    feed(shelf, 150)
    size = shelf.nbytes()
    feed(shelf, 450)
    assert len(shelf) <= 2_000
    assert shelf.nbytes() == pytest.approx(size, rel=0.02)
    assert len(shelf.scopes) <= 20


def test_names_beyond_a_bound_are_counted_told_of_and_served_as_unknown(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(replace(SMALL, scopes=2, categories=3))
    with redis.Redis.from_url(redis_server.url) as client:
        follower = ShelfFollower(client, RedisKeys(), shelf, neighbours=8)
        follower.fill()
        assert caplog.messages == []
        shelf.apply(Popularity(["all", "country:GB", "country:FR"], ["a", "b", "c"], [1.0, 2.0, 3.0]))
        shelf.apply(Items([Item(item_id=f"i{n}", category=f"c{n}", price=1.0) for n in range(4)]))
        assert shelf.refused == {"scopes": 5, "categories": 2, "markets": 0}
        for _ in range(3):
            follower.fill()
        assert ["full of scopes" in line for line in caplog.messages] == [True, False]
        shelf.apply(Popularity(["country:FR"] * 5, list("abcde"), [1.0] * 5))
        follower.fill()
        assert caplog.messages[2:] == [
            "the shelf is full of scopes: new names found no room 10 times, and are served as unknown ones"
        ]
    assert [shelf.item_id(item) for item, _ in shelf.trending.of(shelf.scopes.code("country:GB"))] == ["b"]
    assert int(shelf.catalogue.arrays.category[shelf.number("i3")]) == 0


def test_items_that_gave_way_are_named_nowhere() -> None:
    shelf = Shelf(SMALL)
    feed(shelf, 400)
    for _, number in shelf.index.items():
        for rows in (shelf.neighbours, shelf.together, shelf.then_bought):
            assert all(shelf.item_id(other) for other, _ in rows.of(number))
    assert all(shelf.item_id(item) for item, _ in shelf.trending.of(shelf.everywhere))
    for made in Ranker(shelf).rank([someone(shelf, k) for k in range(20)], [1_000] * 20):
        assert len(made.items) == 20
        assert all(shelf.number(item) >= 0 for item in made.items)


def test_a_shelf_built_from_a_dump_gives_the_same_lists(tmp_path: Path) -> None:
    shelf, copy = Shelf(SMALL), Shelf(SMALL)
    feed(shelf, 20)
    stored = tmp_path / "shelf"
    stored.write_bytes(encode_records(shelf.dump()))
    for record in decode_records(stored.read_bytes()):
        copy.apply(record)
    shelf.settle()
    copy.settle()
    for a, b in ((shelf.together, copy.together), (shelf.then_bought, copy.then_bought)):
        for item, number in shelf.index.items():
            named = {shelf.item_id(other): score for other, score in a.of(number)}
            assert {copy.item_id(other): score for other, score in b.of(copy.number(item))} == named
    users = [someone(shelf, k) for k in range(30)]
    assert Ranker(copy).rank(users, [1_000] * 30) == Ranker(shelf).rank(users, [1_000] * 30)


def test_records_may_come_twice_and_late() -> None:
    once, twice = Shelf(SMALL), Shelf(SMALL)
    old = CoVisits(["a", "a"], ["b", "c"], [1.0, 3.0])
    new = CoVisits(["a"], ["b"], [4.0])
    for record in (old, new):
        once.apply(record)
    for record in (old, new, new, old):
        twice.apply(record)
    assert twice.neighbours.of(0) == once.neighbours.of(0) == [(1, 4.0), (2, 3.0)]


def test_scores_that_are_no_numbers_are_left_out() -> None:
    shelf = Shelf(SMALL)
    shelf.apply(CoVisits(["a", "a"], ["b", "c"], [float("nan"), float("inf")]))
    shelf.apply(Popularity(["all", "all"], ["b", "c"], [float("nan"), float("inf")]))
    assert shelf.neighbours.of(0) == []
    assert shelf.trending.of(0) == []


def test_a_catalogue_entry_comes_back_whole() -> None:
    shelf = Shelf(SMALL)
    item = Item(item_id="mug", title="Mug", category="Kitchen/Mugs", tags=("blue",), price=3.5)
    shelf.apply(Items([item]))
    assert shelf.entry("mug") == item
    assert shelf.entry("bowl") is None


def test_a_shelf_too_small_for_a_slice_of_records_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2000"):
        ShelfBounds(items=10)


def test_a_full_shelf_frees_deleted_items_first() -> None:
    shelf = Shelf(SMALL)
    shelf.apply(Items([Item(item_id=f"item-{k}") for k in range(2_000)]))
    shelf.apply(Items([Item(item_id="item-1999", deleted=True)]))
    shelf.apply(Items([Item(item_id="newcomer")]))
    assert shelf.number("item-1999") == -1
    assert shelf.number("newcomer") >= 0


def test_ranking_settings_name_an_unknown_source() -> None:
    with pytest.raises(ValueError, match="unknown source 'sesion_knn'"):
        RankSettings(blend={"sesion_knn": 1.0})
