"""`headrace train --on-drift`, with a real Kafka: a request comes in, a bundle of the lake's events goes out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kafka import KafkaConsumer
from typer.testing import CliRunner, Result

from infra.java import QUICK_START
from infra.kafka import KafkaBroker, kept
from jobs.cli import build
from jobs.control_topic import publish
from jobs.retrain_requests import RetrainRequests
from jobs.settings import KafkaSection
from jobs.train_on_drift import put
from operators.bundle import load_bundle
from operators.bundle_manifest import MANIFEST, sha256_of
from operators.retrain_policy import RetrainPolicy, RetrainSettings
from schemas.codec import CONTROLS
from schemas.lake import LAKE_VERSION
from schemas.records import STREAM, Control, DriftAlert

MINUTE = 60_000
BEGIN = 1_772_323_200_000  # 2026-03-01
EVENTS = 4_000
END = BEGIN + EVENTS * MINUTE
SIZES = ("--lists", "300", "--validation", "600")


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(build(arguments), arguments)


def request(at: int, name: str = "ranker") -> Control:
    alert = DriftAlert(
        uid="", detector="ADWIN", at=at, labelled=9, error_before=0.2, error_after=0.5, scope=STREAM,
        signal="prediction_error", reason="the mean error rose",
    )  # fmt: skip
    control = RetrainPolicy(RetrainSettings(model=name)).take(alert)
    assert control is not None
    return control


def write_lake(folder: Path, events: int, tastes: int) -> Path:
    """A lake of one day folder: new users keep coming, each takes items of one of `tastes`."""
    drawn = np.random.default_rng(5)
    columns: dict[str, list[Any]] = {name: [] for name in ("user", "n", "at", "event_id", "time", "item_id")}
    for k in range(events):
        user, at = int(drawn.integers(k // 40, k // 40 + 20)), BEGIN + k * MINUTE
        item = user % tastes + tastes * int(drawn.integers(160 // tastes))
        for name, value in zip(columns, (f"u{user}", k, at, f"e{k}", at, f"item-{item}"), strict=True):
            columns[name].append(value)
    table = pa.table(columns).append_column("type", pa.array(["view"] * events))
    table = table.append_column("v", pa.array([LAKE_VERSION] * events, pa.int32()))
    (folder / "day=2026-03-01").mkdir(parents=True)
    pq.write_table(table, folder / "day=2026-03-01" / "part-0")
    return folder


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("now") / "lake", EVENTS, tastes=4)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle from when users had other tastes, of which nothing is true any more."""
    folder = tmp_path_factory.mktemp("past")
    source = write_lake(folder / "lake", EVENTS // 2, tastes=16)
    bundle = folder / "shop" / "1"
    result = headrace("train", str(source), "--out", str(bundle), "--no-report", *SIZES)
    assert result.exit_code == 0, result.output
    return bundle


@pytest.fixture
def models(past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the bundle in force lies, and so its next version will."""
    shutil.copytree(past, tmp_path / "models" / "shop" / "1")
    monkeypatch.setenv("HEADRACE_MODEL__BUNDLE", str(tmp_path / "models" / "shop" / "1"))
    return tmp_path / "models" / "shop"


@pytest.fixture
def topics(
    kafka_broker: KafkaBroker,
    new_topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    headrace_home: Path,
) -> KafkaSection:
    topic = new_topic("control")
    monkeypatch.setenv("HEADRACE_KAFKA__CONTROL", topic)
    monkeypatch.setenv("HEADRACE_KAFKA__BROKERS", kafka_broker.brokers)
    return KafkaSection(brokers=kafka_broker.brokers, control=topic)


def offers(topics: KafkaSection) -> Iterator[Control]:
    """The model bundles on the control topic, as they come."""
    consumer: Any = KafkaConsumer(
        topics.control,
        bootstrap_servers=topics.brokers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
    )
    with closing(consumer):
        for record in consumer:
            control = CONTROLS.decode(record.value)
            if control.kind == "model":
                assert record.key == f"model/{control.name}".encode()
                yield control


def test_a_request_that_waits_already_is_answered_from_the_lake_and_the_bundle_offered(
    topics: KafkaSection, lake: Path, models: Path
) -> None:
    publish(request(END), topics)
    result = headrace("train", "--on-drift", str(lake), "--once", "--json", *SIZES)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["hr"] >= said["hr_in_force"]
    assert said["request"]["reason"] == "the mean error rose"
    assert load_bundle(models / "2").name == "shop/2"
    control = next(offers(topics))
    assert control.name == "shop"
    assert json.loads(control.body) == {
        "folder": str(models / "2"),
        "sha256": sha256_of(models / "2" / MANIFEST),
    }


def test_it_waits_trains_once_for_two_requests_survives_a_missing_lake_and_ends_on_ctrl_c(
    topics: KafkaSection, lake: Path, models: Path, tmp_path: Path
) -> None:
    source = tmp_path / "lake"
    arguments = ["train", "--on-drift", str(source), *SIZES]
    waiting = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    lines = Lines(waiting)
    try:
        lines.until("is not there yet")
        lines.until("Waiting for a request to retrain ranker")
        publish(request(END), topics)
        lines.until("no bundle came of this request")
        source.symlink_to(lake)
        publish(request(END + 1), topics)
        publish(request(END + 2), topics)
        lines.until("HR@20 over")
        lines.until("Left alone: one of")
        publish(request(END + 1), topics)  # the job comes to the same drift again, after a crash
        lines.until("was handled before")
        assert sorted(path.name for path in models.glob("[0-9]*")) == ["1", "2"]
        assert next(offers(topics)).name == "shop"
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(timeout=120) == 130
    finally:
        waiting.kill()
        waiting.communicate()


class Lines:
    """What a process prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._seen: list[str] = []

    def until(self, words: str, seconds: float = 120) -> None:
        """Read on until a line holds these words."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        for line in self._process.stdout:
            self._seen.append(line)
            if words in line:
                return
            assert time.monotonic() < deadline, "".join(self._seen)
        raise AssertionError(f"it ended without {words!r}:\n{''.join(self._seen)}")


def test_of_what_the_topic_holds_only_the_newest_request_counts_then_each_that_comes(
    topics: KafkaSection,
) -> None:
    for control in (request(1), request(9, name="personas"), request(2)):
        publish(control, topics)
    publish(Control(kind="retrain", name="ranker", version=3, body="[]"), topics)
    with closing(RetrainRequests(topics, "ranker")) as requests:
        coming = iter(requests)
        assert next(coming).at == 2
        publish(request(5), topics)
        assert next(coming).at == 5


def test_a_request_that_was_taken_back_does_not_count(topics: KafkaSection) -> None:
    publish(request(1), topics)
    publish(Control(kind="retrain", name="ranker", version=2, deleted=True), topics)
    with closing(RetrainRequests(topics, "ranker")) as requests:
        publish(request(7), topics)
        assert next(iter(requests)).at == 7


def test_a_broker_that_goes_away_is_waited_for_by_requests_and_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("jobs.train_on_drift.RETRY_S", 1.0)
    made = Control(kind="model", name="shop", version=1)
    with KafkaBroker(run=tmp_path, java_options=QUICK_START) as broker:
        broker.create_topics({"control": kept()}, partitions=1)
        topics = KafkaSection(brokers=broker.brokers, control="control")
        with closing(RetrainRequests(topics, "ranker")) as requests, ThreadPoolExecutor(2) as threads:
            coming = threads.submit(next, iter(requests))
            broker.stop()
            offering = threads.submit(put, made, topics)
            time.sleep(2)
            assert not coming.done()
            assert not offering.done()
            broker.start()
            publish(request(5), topics)
            assert coming.result(timeout=60).at == 5
            offering.result(timeout=60)
        assert next(offers(topics)) == made


def test_without_kafka_or_its_topic_one_line_says_so(
    topics: KafkaSection, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a process of its own: kafka-python leaves sockets open where it finds no broker.
    away = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "train", "--on-drift", str(lake), "--brokers", "127.0.0.1:1"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (away.returncode, away.stderr.count("\n")) == (2, 1)
    assert "Kafka at 127.0.0.1:1 does not answer" in away.stderr
    monkeypatch.setenv("HEADRACE_KAFKA__CONTROL", "nowhere")
    missing = headrace("train", "--on-drift", str(lake))
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert "has no topic nowhere" in missing.stderr


def test_without_a_lake_in_the_settings_one_must_be_named(headrace_home: Path) -> None:
    result = headrace("train", "--on-drift")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "give the lake's folder or a file, or set lake.folder" in result.stderr
