"""The item side in a real Redis: absolute values, written twice without harm, and followed by shelves."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items, Popularity, PurchaseScores, SessionSteps, ShelfRecord
from schemas.item_scores import stored_score
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from udfs.item_side import ItemSide
from udfs.shelf_follower import ShelfFollower
from udfs.worker_settings import PublishSettings

NAMES = RedisKeys()
RECORDS: list[ShelfRecord] = [
    Items([Item(item_id="mug", title="Mug", category="Home")]),
    CoVisits(["mug", "mug", "bowl"], ["plate", "bowl", "mug"], [2.0, 1.0, 1.5]),
    PurchaseScores("together", ["mug", "bowl"], ["bowl", "mug"], [2.5, 2.5]),
    PurchaseScores("then_bought", ["plate"], ["bowl"], [3.5]),
    PurchaseScores("again", ["item:mug", "item:mug", "all"], ["bought", "again", "bought"], [2.0, 1.0, 4.0]),
    Popularity(["all", "country:GB"], ["mug", "bowl"], [5.0, 4.0]),
    SessionSteps([7, 7], ["mug", "bowl"], [1_000, 2_000]),
]


@pytest.fixture
def client(redis_server: Any) -> Any:
    with redis.Redis.from_url(redis_server.url) as connected:
        yield connected


def dump(client: Any) -> dict[bytes, Any]:
    return {
        key: client.zrange(key, 0, -1, withscores=True) if client.type(key) == b"zset" else client.get(key)
        for key in client.keys("*")
        if client.type(key) in (b"zset", b"string")
    }


def followed(client: Any) -> ShelfFollower:
    bounds = ShelfBounds()
    follower = ShelfFollower(client, NAMES, Shelf(bounds), bounds.neighbours)
    follower.fill()
    return follower


def neighbours(shelf: Shelf, item: str) -> dict[str, float]:
    return {shelf.item_id(b): s for b, s in shelf.neighbours.of(shelf.number(item))}


def test_writing_twice_changes_nothing(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings())
    side.write(RECORDS)
    once = dump(client)
    side.write(RECORDS)
    assert dump(client) == once
    assert set(once) >= {b"hr:item:mug", b"hr:co:mug", b"hr:co:bowl", b"hr:pop:all", b"hr:pop:country:GB"}


def test_a_replay_of_older_sums_takes_nothing_back(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings())
    side.write([CoVisits(["mug"], ["plate"], [2.0])])
    side.write([CoVisits(["mug"], ["plate"], [1.0])])
    assert client.zscore(NAMES.co("mug"), "plate") == stored_score(2.0)


def test_sorted_sets_keep_the_greatest_and_stay_within_their_bound(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings(most_neighbours=128))
    scores = [float(n) for n in range(500)]
    random.Random(1).shuffle(scores)
    for at in range(0, 500, 50):
        some = scores[at : at + 50]
        side.write([CoVisits(["mug"] * 50, [f"i{s:.0f}" for s in some], some)])
    kept = client.zrange(NAMES.co("mug"), 0, -1)
    assert {member.decode() for member in kept} == {f"i{n}" for n in range(372, 500)}


def test_streams_of_changes_are_capped(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings(most_changes=10, most_session_batches=5))
    for number in range(400):
        side.write([Popularity(["all"], ["mug"], [float(number)]), SessionSteps([number], ["mug"], [number])])
    assert client.xlen(NAMES.shelf) < 250  # Redis trims whole nodes of 100 entries
    assert client.xlen(NAMES.sessions) < 250


def test_a_shelf_is_filled_with_all_that_redis_holds(client: Any) -> None:
    ItemSide(client, NAMES, PublishSettings()).write(RECORDS)
    shelf = followed(client)._shelf
    entry = shelf.entry("mug")
    assert entry is not None
    assert entry.title == "Mug"
    assert neighbours(shelf, "mug") == {"plate": 2.0, "bowl": 1.0}
    assert len(shelf.sessions) == 1


def test_a_shelf_follows_what_is_written_after_it_was_filled(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings())
    side.write(RECORDS)
    follower = followed(client)
    side.write([CoVisits(["mug"], ["spoon"], [9.0])])
    while follower._take_in(block=None):
        pass
    assert neighbours(follower._shelf, "mug") == {"spoon": 9.0, "plate": 2.0, "bowl": 1.0}


def test_a_shelf_written_to_an_emptied_redis_fills_another_alike(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings())
    side.write(RECORDS)
    shelf = followed(client)._shelf
    client.flushall()
    side.write(list(shelf.dump()))
    again = followed(client)._shelf
    for item in ("mug", "bowl"):
        assert neighbours(again, item) == neighbours(shelf, item)
    assert again.entry("mug") == shelf.entry("mug")
    assert len(again.sessions) == len(shelf.sessions)


def test_a_shelf_that_fell_behind_its_stream_knows_it(client: Any) -> None:
    side = ItemSide(client, NAMES, PublishSettings(most_changes=10))
    side.write(RECORDS)
    follower = followed(client)
    assert not follower._fell_behind()
    for number in range(400):
        side.write([Popularity(["all"], ["mug"], [10.0 + number])])
    assert follower._fell_behind()
    client.flushall()
    assert not follower._fell_behind()  # nothing to be behind of: it begins anew
    side.write([CoVisits(["cup"], ["saucer"], [1.0])])
    while follower._take_in(block=None):
        pass
    assert neighbours(follower._shelf, "cup") == {"saucer": 1.0}


def test_what_purchases_say_is_followed_and_filled_alike(client: Any) -> None:
    live = ShelfFollower(client, NAMES, Shelf(), ShelfBounds().neighbours)
    live.fill()
    ItemSide(client, NAMES, PublishSettings()).write(RECORDS)
    while live._take_in(block=None):
        pass
    for shelf in (live._shelf, followed(client)._shelf):
        assert [shelf.item_id(k) for k, _ in shelf.together.of(shelf.number("mug"))] == ["bowl"]
        assert [shelf.item_id(k) for k, _ in shelf.then_bought.of(shelf.number("plate"))] == ["bowl"]
        items, scopes = shelf.repeats.sums()
        assert items[shelf.number("mug"), :2].tolist() == [2.0, 1.0]
        assert scopes[shelf.everywhere, 0] == 4.0
    assert not client.exists(NAMES.dirty("buy:again"))
