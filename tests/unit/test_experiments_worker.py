"""Experiments in a rank worker on a real Redis: hot-swapped, named in what is published and logged, kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from operators.assignment import variant_for
from operators.experiment_record import ExperimentRecord
from operators.refresh_request import LEADING, RefreshRequest, encode_request
from operators.shelf_records import CoVisits, Items, Popularity
from operators.slot_settings import SlotSettings
from schemas.codec import RECOMMENDATIONS
from schemas.records import Item, Recommendation
from schemas.redis_keys import RedisKeys
from schemas.state import RecentItem, UserState, encode_state
from udfs.experiment_side import stored_experiments, write_experiment
from udfs.rank_worker import RankWorker
from udfs.worker_settings import PublishSettings, WorkerSettings

NAMES = RedisKeys()
BORN = 1_700_000_000_000
UIDS = [f"{k:024x}" for k in range(8)]
QUIET = {"variants": {"as_is": {}, "without": {"off": ["trending", "category_trending"]}}}
WEIGHTS = {"as_is": 1.0, "without": 1.0}


@pytest.fixture
def worker(redis_server: Any, client: Any) -> Iterator[RankWorker]:
    """A worker with a slot beside home that logs all lists with their inputs."""
    client.set(NAMES.alive, "1")
    settings = WorkerSettings(
        redis_server.url, slots={"cheap": SlotSettings(length=2)}, publish=PublishSettings(inputs_share=1.0)
    )
    worker = RankWorker(settings)
    items = ["mug", "plate", "bowl", "spoon", "fork"]
    worker.write_items([
        Items([Item(item_id=item, title=item) for item in items]),
        Popularity(["all"] * 5, items, [5.0, 4.0, 3.0, 2.0, 1.0]),
        CoVisits(["plate"], ["fork"], [2.0]),
    ])  # fmt: skip
    worker._follower.fill()
    yield worker
    worker._redis.close()


def put(worker: RankWorker, version: int, body: dict[str, Any] | None, name: str = "quiet") -> None:
    record = ExperimentRecord(name=name, version=version, experiment=body)
    write_experiment(worker._redis, NAMES, record, most_changes=100)
    worker._follower._take_in(block=None)


def lists(worker: RankWorker, n: int) -> dict[str, Recommendation]:
    """The logged lists of all users, made now."""
    requests = []
    for uid in UIDS:
        user = UserState(uid, born=BORN, n=n, last=BORN + n)
        user.recent.append(RecentItem.of("plate", BORN + n, "view", "?"))
        requests.append(encode_request(RefreshRequest(encode_state(user), asked=BORN + n, edge=LEADING)))
    made = [RECOMMENDATIONS.decode(message) for message in worker.rank(requests) if message is not None]
    return {each.uid: each for each in made}


def sources(made: Recommendation) -> set[str]:
    return {source for item in made.items for source in item.sources}


def test_lists_of_all_slots_and_their_log_name_the_variant_from_the_moment_it_is_put_to_its_end(
    worker: RankWorker, client: Any
) -> None:
    assert all(made.experiment == {} for made in lists(worker, 1).values())
    put(worker, 1, QUIET)
    drawn = {uid: variant_for("quiet", WEIGHTS, uid) for uid in UIDS}
    assert set(drawn.values()) == set(WEIGHTS)
    for uid, made in lists(worker, 2).items():
        assert made.experiment == {"quiet": drawn[uid]}
        assert ("trending" in sources(made)) == (drawn[uid] == "as_is")
        for slot in ("home", "cheap"):
            assert json.loads(client.get(NAMES.rec(uid, slot)))["experiment"] == {"quiet": drawn[uid]}
    put(worker, 2, None)
    assert all(made.experiment == {} and "trending" in sources(made) for made in lists(worker, 3).values())


def test_an_older_message_and_one_that_cannot_be_used_change_nothing(worker: RankWorker) -> None:
    put(worker, 5, QUIET)
    put(worker, 4, {"variants": {"a": {}, "b": {"off": ["covisit"]}}})
    put(worker, 1, {"variants": {"a": {}, "b": {"off": ["trending"]}}}, "rival")
    put(worker, 6, {"variants": {}})
    assert {name for made in lists(worker, 1).values() for name in made.experiment} == {"quiet"}
    assert {variant for made in lists(worker, 2).values() for variant in made.experiment.values()} == set(
        WEIGHTS
    )


def test_a_worker_that_starts_finds_the_experiments_in_redis(worker: RankWorker, redis_server: Any) -> None:
    put(worker, 1, QUIET)
    later = RankWorker(WorkerSettings(redis_server.url))
    try:
        later._follower.fill()
        assert [record.name for record in later._slots.tried()] == ["quiet"]
    finally:
        later._redis.close()


def test_experiments_are_written_back_where_redis_lost_them(worker: RankWorker, client: Any) -> None:
    put(worker, 3, QUIET)
    client.flushall()
    lists(worker, 1)
    [record] = stored_experiments(client, NAMES)
    assert (record.name, record.version, record.experiment) == ("quiet", 3, QUIET)
