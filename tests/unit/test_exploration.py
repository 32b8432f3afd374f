"""New items get a small share of later places: repeatably, only while new, and only where they may be shown."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from infra.redis import RedisServer
from operators.exploration import ExploreSettings
from operators.item_hash import add_item_hash
from operators.rank_settings import RankSettings
from operators.ranked_list import RankedList
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Arrivals, Items, Popularity, SessionSteps
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.state import UserState
from udfs.item_side import ItemSide
from udfs.shelf_follower import ShelfFollower
from udfs.worker_settings import PublishSettings

NOON = 1_700_000_000_000
DAY = 86_400_000
NAMES = RedisKeys()
NEW = [f"new-{n}" for n in range(10)]
EAGER = ExploreSettings(share=0.1, first_places=8)


def shelf_of(arrived: int = NOON - DAY) -> Shelf:
    shelf = Shelf(ShelfBounds(items=2_000))
    old = [f"old-{n:03d}" for n in range(200)]
    shelf.apply(Items([Item(item_id=item) for item in (*old, *NEW)]))
    shelf.apply(Popularity(["all"] * 200, old, [float(n) for n in range(200)]))
    shelf.apply(Arrivals(NEW, [arrived] * len(NEW)))
    return shelf


def lists(shelf: Shelf, explore: ExploreSettings, count: int = 300, **state: Any) -> list[RankedList]:
    users = [UserState(f"user-{n % 30}", born=0, n=n, last=NOON, **state) for n in range(count)]
    return Ranker(shelf, RankSettings(explore=explore)).rank(users, [NOON] * count)


def new_places(made: list[RankedList]) -> list[int]:
    return [place for each in made for place, item in enumerate(each.items) if item in NEW]


def test_new_items_get_their_share_of_later_places() -> None:
    made = lists(shelf_of(), EAGER)
    places = new_places(made)
    assert len(places) / (300 * 20) == pytest.approx(0.1, abs=0.02)
    assert min(places) >= 8
    for each in made:
        assert len(set(each.items)) == 20
        assert [item in NEW for item in each.items] == [why == "new" for why in each.whys]
        assert all(not said for said, why in zip(each.sources, each.whys, strict=True) if why == "new")
        assert each.scores == sorted(each.scores, reverse=True)


def test_a_list_number_of_a_user_gives_the_same_list_again_and_another_another() -> None:
    made = lists(shelf_of(), EAGER)
    assert made == lists(shelf_of(), EAGER)
    assert len({tuple(each.items) for each in made}) > 100


def test_switched_off_nothing_changes() -> None:
    assert new_places(lists(shelf_of(), ExploreSettings(share=0.0))) == []


@pytest.mark.parametrize("arrived", [NOON - 15 * DAY, NOON + 2 * DAY])
def test_what_came_long_ago_or_by_another_clock_is_not_new(arrived: int) -> None:
    assert new_places(lists(shelf_of(arrived), EAGER)) == []


def test_what_sessions_know_or_may_not_be_shown_is_left_out() -> None:
    shelf = shelf_of()
    steps = [f"new-{n}" for n in range(5)] * 11
    shelf.apply(SessionSteps(list(range(len(steps))), steps, [NOON] * len(steps)))
    shelf.apply(Items([Item(item_id="new-5", deleted=True), Item(item_id="new-6", in_stock=False)]))
    shown = {
        item for each in lists(shelf, EAGER, touched=add_item_hash(b"", "new-7", 8)) for item in each.items
    }
    by_text_or_trend = shown & set(NEW)
    assert by_text_or_trend == {"new-8", "new-9"}


def test_a_share_beyond_a_quarter_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        ExploreSettings(share=0.5)


def test_only_the_first_entry_of_an_item_is_an_arrival_and_a_refilled_shelf_knows_it(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        side = ItemSide(client, NAMES, PublishSettings(most_arrivals=3))
        for at, item_id in ((1, "a"), (2, "b"), (9, "a"), (3, "c"), (4, "d")):
            side.write([Arrivals([item_id], [at]), Items([Item(item_id=item_id)])])
        shelf = Shelf(ShelfBounds(items=2_000))
        ShelfFollower(client, NAMES, shelf, neighbours=8).fill()
        times = {shelf.item_id(number): time for number, time in shelf.new_items.items()}
        client.flushall()
    assert times == {"b": 2, "c": 3, "d": 4}
