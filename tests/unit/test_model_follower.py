"""The models of a worker on a real Redis: swapped, refused, compared, and found again after a restart."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operators.bundle_reference import BundleReference, reference_to
from operators.model_reference import ModelRecord, Slot
from operators.refresh_request import LEADING, RefreshRequest, encode_request
from operators.shelf_records import Items, Popularity
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from schemas.state import RecentItem, UserState, encode_state
from schemas.worker_models import FIELD, decode_models
from tests.job_feed import until
from tests.small_bundles import spoil_golden, write_network
from udfs.rank_worker import RankWorker
from udfs.reference_side import stored_references, write_reference
from udfs.worker_settings import WorkerSettings

NAMES = RedisKeys()
BORN = 1_700_000_000_000
USERS = 30
SOON = 60.0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles shop/1 and shop/2, shop/3 that misses its golden scores, and shop/4 without ranker."""
    folder = tmp_path_factory.mktemp("models") / "shop"
    for version in (1, 2, 3):
        write_network(folder / str(version), seed=version)
    spoil_golden(folder / "3")
    write_network(folder / "4", seed=4, ranker=False)
    return folder


@pytest.fixture
def start(redis_server: Any) -> Iterator[Callable[..., RankWorker]]:
    """Starts a worker whose shelf holds forty items; each is stopped at the end."""
    started: list[RankWorker] = []

    def begin(bundle: Path | None = None) -> RankWorker:
        worker = RankWorker(WorkerSettings(redis_server.url, bundle=None if bundle is None else str(bundle)))
        items = [f"item-{number}" for number in range(40)]
        worker.write_items([
            Items([Item(item_id=item, title=item, category="Home", price=2.0) for item in items]),
            Popularity(["all"] * 40, items, [float(number) for number in range(40)]),
        ])  # fmt: skip
        worker.start()
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        worker.stop()


def record(
    folder: Path | None, version: int, slot: Slot = "serve", share: float = 1.0, sha256: str | None = None
) -> ModelRecord:
    bundle = None if folder is None else reference_to(folder)
    if bundle is not None and sha256 is not None:
        bundle = BundleReference(folder=bundle.folder, sha256=sha256)
    return ModelRecord(slot=slot, version=version, name="shop", bundle=bundle, share=share)


def put(client: Any, told: ModelRecord) -> ModelRecord:
    return write_reference(client, NAMES, told, most_changes=100)


def rank(worker: RankWorker, client: Any, turn: int = 1) -> dict[str, Any]:
    """Have everybody's list made, and read it: by user the model and the items."""
    requests = []
    for number in range(USERS):
        user = UserState(f"user-{number}", born=BORN, n=turn, last=BORN + turn * 1_000 + number)
        user.recent.append(RecentItem.of(f"item-{number}", BORN, "view", "Home"))
        requests.append(encode_request(RefreshRequest(encode_state(user), asked=BORN, edge=LEADING)))
    worker.rank(requests)
    values = client.mget([NAMES.rec(f"user-{number}") for number in range(USERS)])
    return {f"user-{number}": json.loads(value) for number, value in enumerate(values)}


def models_of(made: dict[str, Any]) -> set[str]:
    return {value["model"] for value in made.values()}


def handled(worker: RankWorker, version: int, slot: str = "serve") -> Any:
    """What the worker told in Redis of a slot, once it has dealt with a version."""

    def reading() -> Any:
        told = decode_models(worker._redis.hget(worker.figures._key, FIELD))
        slot_told = None if told is None else getattr(told, slot)
        return slot_told if slot_told is not None and slot_told.version >= version else None

    return until(reading, f"version {version} of {slot}", SOON)


def test_a_bundle_that_comes_while_the_worker_runs_ranks_the_next_lists(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start()
    first = rank(worker, client, 1)
    assert models_of(first) == {"blend"}
    put(client, record(models / "1", 5))
    told = handled(worker, 5)
    assert (told.model, told.refused) == ("shop/1", None)
    second = rank(worker, client, 2)
    assert models_of(second) == {"shop/1"}
    assert [v["items"] for v in first.values()] != [v["items"] for v in second.values()]
    put(client, record(models / "2", 6))
    assert handled(worker, 6).model == "shop/2"
    assert models_of(rank(worker, client, 3)) == {"shop/2"}
    put(client, record(None, 7))
    assert handled(worker, 7).model is None
    again = rank(worker, client, 4)
    assert models_of(again) == {"blend"}


@pytest.mark.parametrize(
    ("version", "why"),
    [("3", "golden row 7"), ("gone", "no manifest.json can be read"), ("other", "it is another bundle")],
)
def test_a_bad_bundle_is_refused_with_its_reason_and_the_good_one_serves_on(
    start: Callable[..., RankWorker], client: Any, models: Path, version: str, why: str
) -> None:
    worker = start()
    put(client, record(models / "1", 5))
    since = handled(worker, 5).since
    bad = record(
        models / ("3" if version == "3" else "2"), 6, sha256="0" * 64 if version == "other" else None
    )
    if version == "gone":
        bad = ModelRecord(
            slot="serve", version=6, name="shop", bundle=BundleReference(folder="/nowhere", sha256="ab")
        )
    put(client, bad)
    told = handled(worker, 6)
    assert why in told.refused
    assert (told.model, told.since) == ("shop/1", since)
    assert models_of(rank(worker, client)) == {"shop/1"}


def test_an_older_reference_never_takes_the_place_of_a_newer_one(client: Any, models: Path) -> None:
    put(client, record(models / "2", 9))
    assert put(client, record(models / "1", 8)).version == 9
    assert put(client, record(models / "1", 9)) == next(stored_references(client, NAMES))
    [held] = stored_references(client, NAMES)
    assert (held.version, held.bundle) == (9, reference_to(models / "2"))


def test_what_was_there_before_is_kept_with_the_reference(client: Any, models: Path) -> None:
    put(client, record(models / "1", 1))
    newest = put(client, record(models / "2", 2))
    assert newest.former == reference_to(models / "1")
    assert put(client, record(models / "2", 3)).former == newest.former  # the same bundle once more
    assert put(client, record(None, 4)).former == reference_to(models / "2")


def test_a_worker_that_starts_again_loads_what_is_in_force(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    put(client, record(models / "2", 5))
    assert models_of(rank(start(bundle=models / "1"), client)) == {"shop/2"}


def test_a_worker_that_starts_where_the_folder_is_gone_takes_the_one_before_it_and_says_so(
    start: Callable[..., RankWorker], client: Any, models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models / "2", tmp_path / "shop" / "2"))
    put(client, record(models / "1", 5))
    put(client, record(folder, 6))
    shutil.rmtree(folder)
    worker = start()
    assert models_of(rank(worker, client)) == {"shop/1"}
    assert "no manifest.json can be read" in handled(worker, 6).refused


def test_a_worker_whose_only_bundle_is_gone_serves_without_one_and_says_so(
    start: Callable[..., RankWorker], client: Any, models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models / "2", tmp_path / "shop" / "2"))
    put(client, record(folder, 6))
    shutil.rmtree(folder)
    worker = start()
    assert models_of(rank(worker, client)) == {"blend"}
    told = handled(worker, 6)
    assert told.model is None
    assert "no manifest.json can be read" in told.refused


def test_a_shadow_counts_and_changes_no_list(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start()
    put(client, record(models / "1", 5))
    handled(worker, 5)
    without = rank(worker, client, 1)
    put(client, record(models / "2", 6, slot="shadow"))
    assert handled(worker, 6, "shadow").model == "shop/2"
    client.delete(*(NAMES.rec(user) for user in without))
    with_shadow = rank(worker, client, 1)
    assert models_of(with_shadow) == {"shop/1"}
    assert [v["items"] for v in with_shadow.values()] == [v["items"] for v in without.values()]
    told = worker.models.reading().shadow
    assert (told.lists, told.against) == (USERS, "shop/1")
    assert 0 < told.overlap < USERS
    assert 0 <= told.same_first < USERS
    assert told.micros > 0


def test_a_share_of_the_lists_is_drawn(start: Callable[..., RankWorker], client: Any, models: Path) -> None:
    worker = start()
    put(client, record(models / "2", 6, slot="shadow", share=0.2))
    handled(worker, 6, "shadow")
    for turn in range(1, 21):
        rank(worker, client, turn)
    assert 0.1 < worker.models.reading().shadow.lists / (20 * USERS) < 0.3


def test_a_model_agrees_with_its_own_copy(
    start: Callable[..., RankWorker], client: Any, models: Path, tmp_path: Path
) -> None:
    copy = write_network(tmp_path / "copy" / "1", seed=1)
    worker = start(bundle=models / "1")
    put(client, record(copy, 6, slot="shadow"))
    handled(worker, 6, "shadow")
    rank(worker, client)
    told = worker.models.reading().shadow
    assert told.overlap == told.same_first == told.lists == USERS


def test_a_shadow_that_fails_ends_no_list_and_says_why(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start(bundle=models / "1")
    put(client, record(models / "2", 6, slot="shadow"))
    handled(worker, 6, "shadow")
    shadow = worker.models.shadow
    assert shadow is not None
    shadow.bundle = replace(shadow.bundle, scorer=None)
    assert models_of(rank(worker, client)) == {"shop/1"}
    told = worker.models.reading().shadow
    assert told.refused is not None
    assert "carries no ranker" in told.refused
    assert told.lists == 0


def test_the_bundle_that_serves_is_not_compared_with_itself(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start(bundle=models / "1")
    put(client, record(models / "1", 6, slot="shadow"))
    handled(worker, 6, "shadow")
    rank(worker, client)
    assert worker.models.reading().shadow.lists == 0


def test_a_shadow_begins_anew_when_another_model_serves(
    start: Callable[..., RankWorker], client: Any, models: Path, tmp_path: Path
) -> None:
    worker = start(bundle=models / "1")
    put(client, record(write_network(tmp_path / "new" / "1", seed=8), 6, slot="shadow"))
    handled(worker, 6, "shadow")
    rank(worker, client)
    put(client, record(models / "2", 7))
    handled(worker, 7)
    told = worker.models.reading().shadow
    assert (told.lists, told.against) == (0, "shop/2")


def test_a_bundle_without_ranker_is_refused_as_a_shadow_and_serves_with_its_factors(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start()
    put(client, record(models / "4", 6, slot="shadow"))
    assert "carries no ranker" in handled(worker, 6, "shadow").refused
    put(client, record(models / "4", 7))
    assert handled(worker, 7).model == "shop/4"


def test_an_emptied_redis_gets_the_reference_back_from_a_worker(
    start: Callable[..., RankWorker], client: Any, models: Path
) -> None:
    worker = start()
    put(client, record(models / "1", 5))
    handled(worker, 5)
    rank(worker, client, 1)
    client.flushall()
    rank(worker, client, 2)
    [held] = until(lambda: list(stored_references(client, NAMES)), "the reference", SOON)
    assert (held.version, held.bundle) == (5, reference_to(models / "1"))


def test_a_swap_stalls_no_batch(start: Callable[..., RankWorker], client: Any, models: Path) -> None:
    worker = start()
    put(client, record(models / "1", 5))
    handled(worker, 5)
    rank(worker, client, 1)
    put(client, record(models / "2", 6))
    turn, longest, deadline = 2, 0.0, time.monotonic() + SOON
    while "shop/2" not in (found := models_of(rank(worker, client, turn))):
        assert found == {"shop/1"}  # no batch is of two models
        assert time.monotonic() < deadline
        began = time.perf_counter()
        turn += 1
        rank(worker, client, turn)
        longest = max(longest, time.perf_counter() - began)
        turn += 1
    assert longest < 5.0
