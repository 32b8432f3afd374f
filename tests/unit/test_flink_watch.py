"""The glue of the detectors beside the user step: what it tells is counted, and a crash asks under the same id."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from operators.flink_rows import STREAM
from operators.flink_watch import Message, WatchFunction
from operators.pool_batches import EACH, PoolBatches
from operators.pooled_drift import PooledDriftSettings, PooledError
from operators.retrain_policy import RetrainSettings, request_of
from operators.stream_drift import StreamDriftSettings
from operators.stream_summary import StreamSummary, encode_summary
from schemas.codec import CONTROLS, DRIFT_ALERTS
from schemas.records import POOL

DRIFT, CONTROL, TOYS = "drift", "control", "category/Toys"


class Task:
    """What Flink gives a step: state of each key, and counters. `key` is the current key."""

    def __init__(self, kept: dict[tuple[str, str], Any] | None = None) -> None:
        self.key = ""
        self.kept = dict(kept or {})
        self.counted = Counter[str]()

    def get_state(self, descriptor: Any) -> Any:
        return _Value(self, descriptor.name)

    def get_metrics_group(self) -> Any:
        return _Group(self.counted, "")


class _Value:
    def __init__(self, task: Task, name: str) -> None:
        self._task, self._name = task, name

    def value(self) -> Any:
        return self._task.kept.get((self._task.key, self._name))

    def update(self, value: Any) -> None:
        self._task.kept[self._task.key, self._name] = value


class _Group:
    def __init__(self, counted: Counter[str], path: str) -> None:
        self._counted, self._path = counted, path

    def add_group(self, name: str) -> _Group:
        return _Group(self._counted, f"{self._path}{name}.")

    def counter(self, name: str) -> Any:
        self._counted[f"{self._path}{name}"] = 0
        return _Counter(self._counted, f"{self._path}{name}")


class _Counter:
    def __init__(self, counted: Counter[str], name: str) -> None:
        self._counted, self._name = counted, name

    def inc(self, by: int = 1) -> None:
        self._counted[self._name] += by


def watching(task: Task) -> WatchFunction:
    watch = WatchFunction(StreamDriftSettings(), PooledDriftSettings(), RetrainSettings(), DRIFT, CONTROL)
    watch.open(task)  # type: ignore[arg-type]
    return watch


def heard(watch: WatchFunction, task: Task, key: str, batch: bytes) -> list[Message]:
    task.key = key
    return list(watch.take(key, batch))


def of_a_pool_that_changes(errors: int = 3_000) -> Iterator[bytes]:
    rng, batches = random.Random(1), PoolBatches()
    for at in range(errors):
        labelled = rng.randint(16, 63)
        error = min(1.0, max(0.0, rng.gauss(0.35 + 0.25 * (at >= errors // 2), 0.2)))
        full = batches.add(PooledError(TOYS, error, labelled, 1_000 + at))
        if full is not None:
            yield full[1]


def of_a_stream_that_changes(batches: int = 120) -> Iterator[bytes]:
    rng = random.Random(2)
    for number in range(batches):
        unknown = 0.3 if number >= batches // 2 else 0.02
        shown = sum(rng.random() < unknown for _ in range(500))
        yield encode_summary(
            StreamSummary(500, number * 1_000, number * 1_000 + 999, {"unknown_items": 500}, {"unknown_items": shown})
        )  # fmt: skip


def test_alerts_of_pools_and_of_the_stream_and_requests_are_counted_apart() -> None:
    task = Task()
    watch = watching(task)
    assert task.counted == {
        "headrace.drifts_of_pools": 0, "headrace.drifts_of_stream": 0, "headrace.retrain_requests": 0,
    }, "a monitor finds all names from the start"  # fmt: skip
    told = [m for batch in of_a_pool_that_changes() for m in heard(watch, task, TOYS, batch)]
    told += [m for batch in of_a_stream_that_changes() for m in heard(watch, task, STREAM, batch)]
    scopes = Counter(DRIFT_ALERTS.decode(payload).scope for topic, _, payload in told if topic == DRIFT)
    requests = sum(topic == CONTROL for topic, _, _ in told)
    assert min(scopes[POOL], scopes[STREAM], requests) > 0
    assert task.counted == {
        "headrace.drifts_of_pools": scopes[POOL],
        "headrace.drifts_of_stream": scopes[STREAM],
        "headrace.retrain_requests": requests,
    }


def test_a_job_that_comes_to_the_same_drift_after_a_crash_asks_under_the_same_id() -> None:
    def ids(watch: WatchFunction, task: Task, batches: list[bytes]) -> list[str]:
        told = [message for batch in batches for message in heard(watch, task, TOYS, batch)]
        return [request_of(CONTROLS.decode(payload)).id for topic, _, payload in told if topic == CONTROL]

    batches = list(of_a_pool_that_changes())
    task, checkpoint = Task(), len(batches) // 2 - EACH // 8
    watch = watching(task)
    assert ids(watch, task, batches[:checkpoint]) == []
    restored = Task(task.kept)
    asked = ids(watch, task, batches[checkpoint:])
    assert len(asked) == 1
    assert ids(watching(restored), restored, batches[checkpoint:]) == asked
