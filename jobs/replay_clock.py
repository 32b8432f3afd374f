"""The clock that a replayed history and a live visitor share: the newest event time on the events topic."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from kafka.protocol.consumer.offsets import OffsetSpec

from operators.kafka_access import KafkaAccess
from schemas.errors import HeadraceError

EVENTS_TOPIC: Final = "headrace.events"
FIRST_ANSWER_MS: Final = 10_000
"""How long a command that a person waits for looks for brokers."""
_TIMEOUT_MS: Final = 3_000
_NS_PER_MS: Final = 1_000_000


class KafkaUnreachable(HeadraceError):  # noqa: N818 (a state, told as one line)
    """No broker answered in time."""


def replay_clock(kafka: KafkaAccess, topic: str = EVENTS_TOPIC) -> int:
    """The greatest record timestamp (ms) on a topic; the wall clock while the topic is empty or not there.

    One small request on a connection that is kept: it may be asked a few times a second, from any thread.
    Raises `KafkaUnreachable`.
    """
    return _clock(kafka, topic).now()


def close_clock(kafka: KafkaAccess, topic: str = EVENTS_TOPIC) -> None:
    """Close the kept connection; the next question opens another."""
    _clock(kafka, topic).close()


@cache
def _clock(kafka: KafkaAccess, topic: str) -> _ReplayClock:
    return _ReplayClock(kafka, topic)


class _ReplayClock:
    def __init__(self, kafka: KafkaAccess, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._admin: Any = None
        self._partitions: tuple[TopicPartition, ...] = ()
        self._lock = threading.Lock()

    def now(self) -> int:
        with self._lock:
            try:
                newest = self._newest()
            except (KafkaError, OSError) as error:
                self._forget()
                raise KafkaUnreachable(
                    f"Kafka at {self._kafka.brokers} does not answer ({error}); start it, or set kafka.brokers"
                ) from error
        return newest if newest >= 0 else time.time_ns() // _NS_PER_MS

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _newest(self) -> int:
        if self._admin is None:
            self._admin = KafkaAdminClient(**self._kafka.client(), request_timeout_ms=_TIMEOUT_MS)
        if not self._partitions:
            described = self._admin.describe_topics([self._topic])
            self._partitions = tuple(
                TopicPartition(self._topic, partition["partition_index"])
                for topic in described
                for partition in topic["partitions"]
            )
        if not self._partitions:
            return -1
        wanted = dict.fromkeys(self._partitions, OffsetSpec.MAX_TIMESTAMP)
        found = self._admin.list_partition_offsets(wanted, timeout_ms=_TIMEOUT_MS)
        return max(int(each.timestamp) for each in found.values())

    def _forget(self) -> None:
        admin, self._admin, self._partitions = self._admin, None, ()
        if admin is not None:
            admin.close()
