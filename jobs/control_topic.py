"""Control messages: put on their topic, and what the job said to them."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from jobs.replay_clock import FIRST_ANSWER_MS, KafkaUnreachable
from jobs.settings import KafkaSection
from operators.control import ControlStatus, key_of
from schemas.codec import CONTROLS
from schemas.records import Control

_TIMEOUT_S = 10
_POLL_MS = 200

_decode_status = msgspec.json.Decoder(ControlStatus).decode


def publish(control: Control, topics: KafkaSection) -> None:
    """Put a control message on its topic, keyed by kind and name. Raises `KafkaUnreachable`."""
    key = key_of(control).encode()
    try:
        producer = KafkaProducer(
            **topics.access().client(), acks="all", max_block_ms=_TIMEOUT_S * 1000,
            bootstrap_timeout_ms=FIRST_ANSWER_MS,
        )  # fmt: skip
    except (KafkaError, OSError) as error:
        raise _away(topics) from error
    try:
        producer.send(topics.control, CONTROLS.encode(control), key).get(timeout=_TIMEOUT_S)
    except KafkaError as error:
        raise KafkaUnreachable(
            f"Kafka at {topics.brokers} did not take the {control.kind} on {topics.control}: {error}"
        ) from error
    finally:
        producer.close(timeout=1)


def publish_and_hear(control: Control, topics: KafkaSection, seconds: float) -> ControlStatus | None:
    """Put a control message on its topic and wait for the job's answer; None when none came in time.

    Raises `KafkaUnreachable`.
    """
    try:
        consumer = KafkaConsumer(
            topics.control_status, **topics.access().client(), auto_offset_reset="latest",
            enable_auto_commit=False, bootstrap_timeout_ms=FIRST_ANSWER_MS,
        )  # fmt: skip
    except (KafkaError, OSError) as error:
        raise _away(topics) from error
    try:
        deadline = time.monotonic() + seconds
        while not consumer.assignment() and time.monotonic() < deadline:
            consumer.poll(timeout_ms=_POLL_MS)
        for partition in consumer.assignment():
            consumer.position(partition)  # fixes where it reads from, before the question is asked
        publish(control, topics)
        while time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    status = _answer(record.value, control)
                    if status is not None:
                        return status
        return None
    finally:
        consumer.close()


def _answer(message: Any, control: Control) -> ControlStatus | None:
    try:
        status: ControlStatus = _decode_status(message)
    except msgspec.DecodeError:
        return None  # of another release
    asked = (control.kind, control.name, control.version)
    return status if (status.kind, status.name, status.version) == asked else None


def _away(topics: KafkaSection) -> KafkaUnreachable:
    return KafkaUnreachable(
        f"Kafka at {topics.brokers} does not answer; start it (headrace up), or give --brokers"
    )
