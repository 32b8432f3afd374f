"""The rank worker on a real Redis: which requests lead to a list, and what is written besides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import Timer
from typing import Any

import pandas as pd
import pytest

from operators.ingest_settings import IngestSettings
from operators.item_ingest import ItemIngest
from operators.list_replay import differences
from operators.refresh_request import ENDED, FORGET, LEADING, QUIET, RefreshRequest, encode_request
from operators.shelf_records import Items, Popularity
from schemas.codec import ITEMS, RECOMMENDATIONS
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.schema_book import SchemaBook
from schemas.state import RecentItem, Session, UserState, encode_state
from schemas.stats import SEGMENTS
from udfs.catalogue_entries import bring_back
from udfs.rank_worker import RankWorker
from udfs.worker_settings import PublishSettings, WorkerSettings

NAMES = RedisKeys()
BORN = 1_700_000_000_000


@pytest.fixture
def client(client: Any) -> Any:
    client.set(NAMES.alive, "1")
    return client


@pytest.fixture
def worker(redis_server: Any, client: Any) -> Iterator[RankWorker]:
    """A worker whose shelf holds three items; it follows nothing and renders nothing."""
    worker = RankWorker(WorkerSettings(redis_server.url))
    items = ["mug", "plate", "bowl"]
    worker.write_items([
        Items([Item(item_id=item, title=item, category="Home") for item in items]),
        Popularity(["all"] * 3, items, [3.0, 2.0, 1.0]),
    ])  # fmt: skip
    worker._follower.fill()
    yield worker
    worker._redis.close()


def request(
    n: int, edge: int, uid: str = "ann", segments: tuple[str, ...] = (), item: str = "mug", born: int = BORN
) -> bytes:
    """A request for a user of `n` events who looked at one item."""
    user = UserState(uid, born=born, n=n, last=born + n, segments=[*segments])
    user.recent.append(RecentItem.of(item, born + n, "view", "Home"))
    return encode_request(RefreshRequest(encode_state(user), asked=born + n, edge=edge))


def stored(client: Any, key: str) -> Any:
    value = client.get(key)
    return None if value is None else json.loads(value)


def test_a_quiet_request_publishes_profile_and_segments_and_leaves_the_list(
    worker: RankWorker, client: Any
) -> None:
    [message] = worker.rank([request(1, LEADING)])
    assert message is not None
    first = stored(client, NAMES.rec("ann"))
    assert first["items"]
    assert worker.rank([request(2, QUIET, segments=("vip",), item="bowl")]) == [None]
    assert stored(client, NAMES.rec("ann")) == first
    profile = stored(client, NAMES.profile("ann"))
    assert (profile["events"], profile["segments"], profile["recent"][0][0]) == (2, ["vip"], "bowl")
    assert client.smembers(NAMES.seg("ann")) == {b"vip"}


def test_a_user_without_a_list_gets_none_from_a_quiet_request(worker: RankWorker, client: Any) -> None:
    assert worker.rank([request(1, QUIET)]) == [None]
    assert stored(client, NAMES.rec("ann")) is None
    assert stored(client, NAMES.profile("ann"))["events"] == 1


@pytest.mark.parametrize("edges", [(LEADING, QUIET), (QUIET, LEADING), (LEADING, QUIET, LEADING, QUIET)])
def test_of_quiet_and_other_requests_of_a_user_comes_one_list_of_the_latest_record(
    worker: RankWorker, client: Any, edges: tuple[int, ...]
) -> None:
    batch = [request(n, edge) for n, edge in enumerate(edges, 1)]
    messages = worker.rank([*batch, request(1, QUIET, uid="bob")])
    assert [message is not None for message in messages] == [*[False] * (len(edges) - 1), True, False]
    rec, profile = stored(client, NAMES.rec("ann")), stored(client, NAMES.profile("ann"))
    assert rec["seq"] == profile["seq"] == f"{BORN}.{len(edges):010d}"
    assert stored(client, NAMES.rec("bob")) is None


def test_a_user_who_is_forgotten_last_has_no_keys(worker: RankWorker, client: Any) -> None:
    worker.rank([request(1, LEADING, segments=("vip",))])
    assert worker.rank([request(2, QUIET), request(3, FORGET)]) == [None, None]
    assert not client.exists(*NAMES.of_user("ann"))


def ended(n: int, edge: int, uid: str = "ann") -> bytes:
    """A request for a user whose session ended with their n-th event."""
    last = BORN + n
    user = UserState(uid, born=BORN, n=n, last=last, session=Session(number=1, start=BORN, last=last))
    user.recent.append(RecentItem.of("mug", last, "view", "Home"))
    return encode_request(RefreshRequest(encode_state(user), asked=last, edge=edge))


def test_a_list_for_the_next_visit_takes_the_place_of_that_of_the_session_until_there_is_news(
    worker: RankWorker, client: Any
) -> None:
    gap = WorkerSettings("").step.session_gap
    [during] = worker.rank([ended(1, LEADING)])
    first = stored(client, NAMES.rec("ann"))
    [after] = worker.rank([ended(1, ENDED)])
    second = stored(client, NAMES.rec("ann"))
    assert (first["at"], second["at"]) == (BORN + 1, BORN + 1 + gap + 1)
    assert (first["seq"], second["id"]) == (second["seq"], first["id"] + "-end")
    assert during is not None
    assert after is not None
    assert RECOMMENDATIONS.decode(after).rec_id == second["id"]
    worker.rank([ended(1, ENDED), ended(2, QUIET)])  # nothing of a new visit is known to the list
    assert stored(client, NAMES.rec("ann"))["at"] == BORN + 2
    worker.rank([ended(2, ENDED), ended(2, QUIET)])  # a segment was left at the same time
    assert stored(client, NAMES.rec("ann"))["at"] == BORN + 2 + gap + 1
    worker.rank([ended(3, LEADING)])
    assert stored(client, NAMES.rec("ann"))["at"] == BORN + 3


def test_a_list_for_the_next_visit_is_made_again_from_its_inputs(worker: RankWorker, client: Any) -> None:
    client.zadd(NAMES.asked, {"ann": 9e15})
    worker._inputs.look()
    [message] = worker.rank([ended(1, ENDED)])
    assert message is not None
    assert inputs_in(message) is not None
    assert differences(RECOMMENDATIONS.decode(message), lambda sha256: None) == []


def inputs_in(message: bytes | None) -> bytes | None:
    """The inputs in a message of the log."""
    assert message is not None
    return RECOMMENDATIONS.decode(message).inputs


def test_lists_of_who_is_asked_for_are_logged_with_their_inputs_and_are_made_again_from_them(
    worker: RankWorker, client: Any
) -> None:
    worker._inputs._below = 0
    client.zadd(NAMES.asked, {"ann": 9e15, "bob": 1.0})
    worker._inputs.look()
    ann, bob = worker.rank([request(1, LEADING), request(1, LEADING, uid="bob")])
    assert inputs_in(bob) is None
    assert ann is not None
    assert differences(RECOMMENDATIONS.decode(ann), lambda sha256: None) == []
    worker.rank([request(2, FORGET)])
    worker._inputs.look()
    [again] = worker.rank([request(1, LEADING, born=BORN + 9)])
    assert inputs_in(again) is None


def test_a_share_of_the_lists_is_logged_with_inputs_and_a_list_made_twice_twice_or_never(
    redis_server: Any, worker: RankWorker
) -> None:
    half = RankWorker(WorkerSettings(redis_server.url, publish=PublishSettings(inputs_share=0.5)))
    batch = [request(1, LEADING, uid=f"user-{k}") for k in range(200)]
    first = [inputs_in(message) is not None for message in half.rank(batch)]
    assert 60 < sum(first) < 140
    assert [inputs_in(message) is not None for message in half.rank(batch)] == first
    half._redis.close()


def test_the_first_list_of_a_new_shop_waits_for_the_first_item(redis_server: Any, client: Any) -> None:
    worker = RankWorker(WorkerSettings(redis_server.url))
    coming = Timer(0.3, worker.shelf.apply, [Popularity(["all"], ["mug"], [1.0])])
    coming.start()
    worker.wait_for_items()
    worker.rank([request(1, LEADING, item="plate")])
    coming.join()
    worker._redis.close()
    assert [item for item, _, _ in stored(client, NAMES.rec("ann"))["items"]] == ["mug"]


def test_a_shop_without_items_is_waited_for_once(
    redis_server: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    worker = RankWorker(WorkerSettings(redis_server.url))
    monkeypatch.setattr("udfs.rank_worker.FIRST_ITEM_S", 0.2)
    monkeypatch.setattr(
        "udfs.rank_worker.time.sleep", lambda s, sleep=time.sleep: (slept.append(s), sleep(s))
    )
    worker.wait_for_items()
    waited = len(slept)
    worker.wait_for_items()
    worker._redis.close()
    assert 1 <= waited <= 4
    assert len(slept) == waited


@pytest.mark.filterwarnings("ignore:.* deprecated since version:DeprecationWarning:pyflink")
def test_counts_of_segments_are_written_as_they_are_and_twice_without_harm(
    worker: RankWorker, client: Any
) -> None:
    from udfs.functions import PublishSegments

    publish = PublishSegments(WorkerSettings("redis://unused"))
    publish._worker = worker
    for _ in range(2):
        told = publish.eval(pd.Series(["vip", "new", "vip"]), pd.Series([5, 2, 7]))
        assert told.tolist() == [1, 1, 1]
    assert client.hgetall(NAMES.stats(SEGMENTS)) == {b"vip": b"7", b"new": b"2"}
    assert publish.eval(pd.Series([], dtype=object), pd.Series([], dtype=int)).empty
    publish.eval(pd.Series(["new"]), pd.Series([0]))
    assert client.hgetall(NAMES.stats(SEGMENTS)) == {b"vip": b"7", b"new": b"0"}


def test_only_a_worker_that_found_an_empty_redis_alone_says_so(redis_server: Any, client: Any) -> None:
    client.delete(NAMES.alive)
    first, second = RankWorker(WorkerSettings(redis_server.url)), RankWorker(WorkerSettings(redis_server.url))
    for worker in (first, second):
        worker.start()
    try:
        assert (first.began_empty, second.began_empty) == (True, False)
    finally:
        for worker in (first, second):
            worker.stop()


def test_the_catalogue_is_brought_back_with_when_its_entries_came(client: Any, worker: RankWorker) -> None:
    client.flushall()
    kept = [(ITEMS.encode(Item(item_id=f"item-{n}", deleted=n == 7)), BORN + n) for n in range(1_500)]
    unread = (b"what nobody can read", BORN)
    bring_back([*kept, unread], ItemIngest(IngestSettings(), SchemaBook()).accept, worker.write_items)
    assert client.scard(NAMES.known("item")) == 1_500
    assert stored(client, NAMES.item("item-1499"))["item_id"] == "item-1499"
    assert client.zscore(NAMES.arrivals, "item-1499") == BORN + 1_499
    assert client.zscore(NAMES.arrivals, "item-7") is None
