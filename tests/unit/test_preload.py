"""Configuration that is read before the first event: whole topics, and files of messages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka import KafkaProducer

from operators.kafka_access import KafkaAccess
from operators.preload import Preload, read_messages, read_topic, write_messages


@given(st.lists(st.binary(max_size=50), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_messages_are_read_as_they_were_written(tmp_path: Path, messages: list[bytes]) -> None:
    assert write_messages(tmp_path / "messages", messages) == len(messages)
    assert list(read_messages(tmp_path / "messages")) == messages


def test_without_a_source_there_is_nothing_to_preload() -> None:
    assert Preload().control() == []
    assert list(Preload().items()) == []
    assert list(Preload().catalogue("catalog")) == []


def test_a_topic_is_read_whole_and_deletions_are_left_out(kafka_broker: Any, new_topic: Any) -> None:
    topic = new_topic("control", partitions=2)
    assert list(read_topic(KafkaAccess(kafka_broker.brokers), topic)) == []
    producer = KafkaProducer(bootstrap_servers=kafka_broker.brokers)
    for number in range(50):
        producer.send(topic, b"message %d" % number, b"key %d" % number)
    producer.send(topic, None, b"key 1")
    producer.close()
    timed = list(Preload(KafkaAccess(kafka_broker.brokers)).catalogue(topic))
    assert {message for message, _ in timed} == {b"message %d" % n for n in range(50)}
    assert all(abs(at - time.time() * 1_000) < 300_000 for _, at in timed)
    assert sorted(read_topic(KafkaAccess(kafka_broker.brokers), topic)) == sorted(
        b"message %d" % n for n in range(50)
    )
