"""What the stream's models say of categories is on the shelf, for candidates and as features, and never grows."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import redis

from jobs.bench_events import Traffic, events_of, items_of
from jobs.plain_stream import PlainStream
from operators.barred_items import BarredItems
from operators.candidates import SOURCES, CandidateFinder, Candidates, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.favourites import favourites
from operators.model_records import BUYS, ENGAGES, CategoryAffinities
from operators.shelf import Shelf
from operators.shelf_records import Items, Popularity, decode_records, encode_records
from operators.stream_affinities import MOST_ROWS, StreamAffinities
from operators.stream_columns import fill_stream
from operators.stream_models import ModelsSettings
from operators.user_batch import UserBatch
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.state import RecentItem, UserState
from udfs.model_rows import decode_row
from udfs.model_side import write_models
from udfs.shelf_follower import ShelfFollower

TEA = CategoryAffinities(ENGAGES, "Tea", ["Tea", "Art", "Tea/Pots", "?"], [1.0, 2.0, 0.0, 3.0], 40,
                         shares=[0.5, 0.1, 0.2, 0.2])  # fmt: skip
BOUGHT = CategoryAffinities(BUYS, "Tea", ["Art"], [-1.5], 40, shares=[1.0])
EVENTS = Traffic(events=1_000, users=30, items=100, per_second=0.02)
MODELS = ModelsSettings(rate=0.5, members=("linear",), row_every=5)
ITEMS = [Item(item_id=name, category=category) for name, category in
         (("cup", "Tea"), ("pot", "Tea/Pots"), ("print", "Art"), ("seed", "Garden"))]  # fmt: skip


def newcomer(events: int = 1) -> UserState:
    """A user who was last at tea, and there alone."""
    return UserState(
        "u", born=0, n=events, categories={"Tea": float(events)}, recent=[RecentItem("cup", 0, "view", "Tea")]
    )


def told(*rows: CategoryAffinities) -> Shelf:
    shelf = Shelf()
    shelf.apply(Items(ITEMS))
    for row in rows:
        shelf.apply(row)
    return shelf


def columns(shelf: Shelf, user: UserState) -> list[list[float]]:
    """By feature, the values of the four items."""
    found = Candidates(
        user=np.zeros(4, np.int32),
        item=np.array([shelf.number(item.item_id) for item in ITEMS], np.int32),
        scores=np.zeros((4, len(SOURCES)), np.float32),
        start=np.array([0, 4], np.int32),
        anchor=np.full(4, -1, np.int8),
        scope=np.full(4, -1, np.int32),
    )
    out = np.empty((4, 3), np.float32)[:, :2]
    fill_stream(found, UserBatch.of([user], shelf, [0]), shelf, out)
    read: list[list[float]] = out.T.tolist()
    return read


def test_rows_are_bounded_and_what_is_told_last_of_a_category_holds() -> None:
    held = StreamAffinities()
    for k in range(MOST_ROWS + 50):
        held.take(CategoryAffinities(ENGAGES, f"c{k}", ["a"], [1.0], k, shares=[1.0]))
    assert len(held) == MOST_ROWS
    assert held.log_odds(ENGAGES, "c0") == held.expected("c0") == {}
    last = f"c{MOST_ROWS}"
    size = held.nbytes()
    # A model that began anew has learned fewer examples, and is the one that learns.
    held.take(CategoryAffinities(ENGAGES, last, ["a"], [-1.0], 3, shares=[1.0]))
    assert held.log_odds(ENGAGES, last) == {"a": -1.0}
    assert (len(held), held.nbytes()) == (MOST_ROWS, size)


def test_what_is_expected_is_popularity_times_odds_by_top_level_category() -> None:
    expected = told(TEA).stream.expected("Tea")
    weights = {"Tea": 0.5 * np.exp(1.0) + 0.2, "Art": 0.1 * np.exp(2.0)}
    assert dict(expected) == pytest.approx({name: w / sum(weights.values()) for name, w in weights.items()})


def test_rows_of_the_first_release_expect_nothing_and_are_features_all_the_same() -> None:
    stored = {"type": "affinities", "model": ENGAGES, "last": "Tea", "categories": ["Art"],
              "log_odds": [2.0], "examples": 40}  # fmt: skip
    [former] = decode_records(msgspec.msgpack.encode([stored]))
    assert former == CategoryAffinities(ENGAGES, "Tea", ["Art"], [2.0], 40)
    assert decode_row(msgspec.msgpack.encode(stored)) == former
    [again] = decode_records(encode_records([TEA]))
    assert again == TEA
    shelf = told(former)
    assert dict(shelf.stream.expected("Tea")) == {}
    assert columns(shelf, newcomer())[0] == [0.0, 0.0, 2.0, 0.0]


def test_a_feature_is_the_models_word_on_the_candidates_category_after_the_users_last() -> None:
    shelf = told(TEA, BOUGHT)
    assert columns(shelf, newcomer()) == [[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, -1.5, 0.0]]
    assert columns(shelf, UserState("v", born=0)) == [[0.0] * 4, [0.0] * 4]
    assert columns(told(), newcomer()) == [[0.0] * 4, [0.0] * 4]


def test_a_newcomer_is_looked_for_where_the_stream_expects_them_and_who_is_known_where_they_are() -> None:
    shelf = told(TEA)
    users = UserBatch.of([newcomer(), newcomer(100)], shelf, [0, 0])
    assert favourites(users, shelf, 0.0)[0] is users.favourite
    scopes, shares = favourites(users, shelf, 3.0)
    art = shelf.scopes.code("category:Art")
    expected = shelf.stream.expected("Tea")["Art"]
    assert art == scopes[0, 1] == scopes[1, 1]
    assert shares[0, 1] == pytest.approx(3 * expected / 4)
    assert shares[1, 1] == pytest.approx(3 * expected / 103)
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert favourites(users, told(), 3.0)[1] is users.favourite_share


def test_candidates_come_from_categories_that_are_expected() -> None:
    shelf = told(TEA)
    shelf.apply(Popularity(["category:Art", "category:Tea"], ["print", "pot"], [1.0, 1.0]))
    named = {}
    for prior in (0.0, 3.0):
        settings = CandidateSettings(expected_categories=prior)
        finder = CandidateFinder(shelf, settings, FactorNeighbours.none())
        users = UserBatch.of([newcomer()], shelf, [0])
        found = finder.find(users, BarredItems.of(None, [b""], shelf))
        named[prior] = {shelf.item_id(item) for item in found.item.tolist()}
    assert "print" not in named[0.0]
    assert "print" in named[3.0]


def test_a_replay_tells_the_rows_that_the_stream_would_and_none_of_what_is_to_come() -> None:
    events = list(events_of(EVENTS))
    whole, half = (PlainStream(items_of(EVENTS), models=MODELS) for _ in range(2))
    for event in events[:500]:
        half.learn(event)
        whole.learn(event)
    half.catch_up()
    whole.catch_up()
    then = whole.shelf.stream.rows()
    assert then == half.shelf.stream.rows()
    assert {row.model for row in then} == {ENGAGES, BUYS}
    assert all(row.examples <= 2 * 500 for row in then)
    for event in events[500:]:
        whole.learn(event)
    whole.catch_up()
    assert whole.shelf.stream.rows() != then
    assert len(PlainStream(items_of(EVENTS)).shelf.stream) == 0


def test_a_worker_hears_of_the_rows_and_finds_them_after_a_start(redis_server: Any) -> None:
    names = RedisKeys()
    with redis.Redis.from_url(redis_server.url) as client:
        write_models(client, names, [TEA], [], ttl=60, most_changes=100)
        shelf = told()
        follower = ShelfFollower(client, names, shelf, neighbours=8)
        follower.fill()
        assert shelf.stream.rows() == [TEA]
        write_models(client, names, [BOUGHT], [], ttl=60, most_changes=100)
        follower.fill()
        assert shelf.stream.rows() == [TEA, BOUGHT]
        assert columns(shelf, newcomer()) == columns(told(TEA, BOUGHT), newcomer())


def test_a_dump_holds_the_rows() -> None:
    copy = Shelf()
    for record in told(TEA, BOUGHT).dump():
        copy.apply(record)
    assert copy.stream.rows() == [TEA, BOUGHT]
