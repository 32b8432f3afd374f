"""What workers refuse comes to the control-status topic: once each, and no more than can be known again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pytest

from operators.flink_rows import REFERENCE
from operators.worker_refusals import MOST_KNOWN, WorkerRefusals
from schemas.codec import CONTROLS
from schemas.records import Control
from schemas.redis_keys import RedisKeys
from schemas.stats import WORKERS
from schemas.worker_models import FIELD, RuleRefusal, ShadowReading, SlotReading, WorkerModels, encode_models
from udfs.figures import Figures
from udfs.models_told import models_told
from udfs.reference_side import stored_references
from udfs.worker_settings import WorkerSettings

pytestmark = pytest.mark.filterwarnings("ignore:.* deprecated since version:DeprecationWarning:pyflink")
NAMES = RedisKeys()


def refused(version: int, why: str = "golden row 7", at: int = 0) -> WorkerModels:
    """A worker that serves on with shop/1."""
    serve = SlotReading(model="shop/1", version=version, refused=why, refused_at=50)
    return WorkerModels(at=at or now(), serve=serve, shadow=ShadowReading())


def rules(*names: str) -> WorkerModels:
    told = [RuleRefusal(name=name, version=1, why="a seventeenth rule", at=1) for name in names]
    return WorkerModels(at=1, serve=SlotReading(), shadow=ShadowReading(), rules=told)


def now() -> int:
    return time.time_ns() // 1_000_000


def words(
    refusals: WorkerRefusals, living: Mapping[str, WorkerModels], most: int = 100
) -> list[tuple[Any, ...]]:
    return [(each.kind, each.name, each.version, each.reason) for each in refusals.news(living, most)]


def test_slots_and_rules_are_told_once_however_many_workers_refuse_them() -> None:
    refusals = WorkerRefusals()
    both = WorkerModels(
        at=1,
        serve=SlotReading(version=7, refused="golden row 7"),
        shadow=ShadowReading(version=8, refused="no manifest.json"),
        rules=[RuleRefusal(name="calm", version=3, why="a seventeenth rule", at=1)],
    )
    assert words(refusals, {"rank-a": both, "rank-b": both}) == [
        ("model", "serve", 7, "golden row 7"),
        ("model", "shadow", 8, "no manifest.json"),
        ("rule", "calm", 3, "a seventeenth rule"),
    ]
    assert words(refusals, {"rank-a": both, "rank-b": both, "rank-c": both}) == []


def test_a_further_version_and_another_reason_are_told_again() -> None:
    refusals = WorkerRefusals()
    assert words(refusals, {"rank-a": refused(7)}) == [("model", "serve", 7, "golden row 7")]
    assert words(refusals, {"rank-a": refused(8)}) == [("model", "serve", 8, "golden row 7")]
    [status] = refusals.news({"rank-a": refused(8), "rank-b": refused(8, "no such folder")}, most=100)
    assert (status.reason, status.host, status.applied) == ("no such folder", "rank-b", False)


def test_what_is_more_than_may_be_told_at_once_is_told_the_next_time() -> None:
    refusals, living = WorkerRefusals(), {"rank-a": rules("a", "b", "c")}
    told = [[name for _, name, _, _ in words(refusals, living, most=2)] for _ in range(3)]
    assert told == [["a", "b"], ["c"], []]
    assert words(refusals, living, most=0) == []


def test_few_are_known_again_and_what_is_told_still_is_never_news() -> None:
    refusals, lasting = WorkerRefusals(), {"rank-a": refused(7)}
    assert len(words(refusals, lasting)) == 1
    for number in range(3 * MOST_KNOWN):
        assert len(words(refusals, {**lasting, "rank-b": rules(f"r{number}")})) == 1
        assert len(refusals._known) <= MOST_KNOWN
    many = {f"rank-{k}": rules(*(f"m{k}-{n}" for n in range(100))) for k in range(9)}
    assert len(words(refusals, many, most=900)) == MOST_KNOWN
    assert words(refusals, many, most=900) == [], "those beyond are not told in turns for ever"


@pytest.fixture
def publish(redis_server: Any) -> Iterator[Any]:
    """`PublishModels`, opened as Flink opens it."""
    from udfs.publish_models import PublishModels

    function = PublishModels(WorkerSettings(redis_server.url))
    function.open(None)
    yield function
    function._redis.close()


def eval_of(publish: Any, *rows: tuple[str, bytes]) -> list[Any]:
    """What a batch gives: the statuses, decoded."""
    models, figures = [name for name, _ in rows], [value for _, value in rows]
    told = publish.eval(pd.Series(models), pd.Series([None] * len(rows)), pd.Series(figures))
    assert len(told) == len(rows)
    return [status and json.loads(status) for status in told]


def test_a_refusal_that_a_worker_wrote_comes_out_with_the_next_rows(
    publish: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = ("engages", b"{}")
    assert eval_of(publish, figures, figures) == [None, None]
    Figures(client, NAMES, "rank-a").tell_models(refused(7))
    assert eval_of(publish, figures) == [None], "it has looked just now"
    monkeypatch.setattr("udfs.publish_models.LOOK_EVERY_S", 0.0)
    assert eval_of(publish, figures, figures) == [
        {
            "v": 1, "kind": "model", "name": "serve", "version": 7, "applied": False,
            "reason": "golden row 7", "host": "rank-a",
        },
        None,
    ]  # fmt: skip
    assert eval_of(publish, figures, figures) == [None, None]


def test_a_control_message_has_it_look_at_once_and_is_written_beside(publish: Any, client: Any) -> None:
    assert eval_of(publish, ("engages", b"{}")) == [None]
    Figures(client, NAMES, "rank-a").tell_models(refused(7))
    control = Control(kind="model", name="shop", version=9, body='{"folder":"/models/2","sha256":"ab"}')
    [status] = eval_of(publish, (REFERENCE, CONTROLS.encode(control)))
    assert (status["name"], status["version"]) == ("serve", 7)
    [record] = stored_references(client, NAMES)
    assert record.version == 9


def test_what_cannot_be_read_and_workers_that_have_stopped_are_left_out(publish: Any, client: Any) -> None:
    at = now()
    for worker, told in {
        "rank-1": b"no reading",
        "rank-2": encode_models(refused(5, at=at - 60_000)),
        "rank-3": encode_models(refused(6, at=at)),
        "rank-4": encode_models(refused(7, at=at)),
    }.items():
        client.hset(NAMES.stats(worker), FIELD, told)
        client.hset(NAMES.stats(WORKERS), worker, at)
    client.hset(NAMES.stats(WORKERS), "rank-3", at - 60_000)
    client.hset(NAMES.stats(WORKERS), "rank-5", "no time")
    client.hset(NAMES.stats(WORKERS), "rank-6", at)
    client.set(NAMES.stats("rank-6"), "no hash")
    assert list(models_told(client, NAMES, at)) == ["rank-4"]
    statuses = eval_of(publish, *[("engages", b"{}")] * 3)
    assert [status and status["version"] for status in statuses] == [7, None, None]
