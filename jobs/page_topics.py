"""Follows the topics that the page tells of, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from operators.kafka_access import KafkaAccess

log = logging.getLogger(__name__)

AGAIN_S = 2.0
POLL_MS = 300
AT_ONCE = 1_000
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Followed:
    """A topic: `take(key, value, time)` gets its messages from the `newest` of each partition on; None: the first.

    `time` is the timestamp of the Kafka record in ms.

    Where more than `newest` wait, the older ones are passed over.
    """

    topic: str
    take: Callable[[bytes | None, bytes, int], None]
    newest: int | None


class TopicReader:
    """Reads while `wanted` says so. Kafka may be away, or come, at any time."""

    def __init__(self, kafka: KafkaAccess, topics: Sequence[Followed], wanted: Callable[[], bool]) -> None:
        self._kafka = kafka
        self._topics = {each.topic: each for each in topics}
        self._wanted = wanted
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="page-topics", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def end(self) -> None:
        """End the connection and the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                consumer = KafkaConsumer(
                    **self._kafka.client(),
                    client_id="headrace-page",
                    group_id=None,
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    request_timeout_ms=6_000,
                    bootstrap_timeout_ms=2_000,
                )
            except (KafkaError, OSError):
                self._ending.wait(AGAIN_S)
                continue
            try:
                self._read(consumer)
            except (KafkaError, OSError) as error:
                log.info("the page reads Kafka again: %s", error)
                self._ending.wait(AGAIN_S)
            finally:
                consumer.close()

    def _read(self, consumer: Any) -> None:
        look_again = 0.0
        while not self._ending.is_set():
            if not self._wanted():
                self._ending.wait(0.2)
                continue
            if time.monotonic() >= look_again:
                self._look_for_partitions(consumer)
                look_again = time.monotonic() + LOOK_EVERY_S
            if not consumer.assignment():
                self._ending.wait(AGAIN_S)
                continue
            self._pass_over(consumer)
            for partition, records in consumer.poll(POLL_MS, max_records=AT_ONCE).items():
                take = self._topics[partition.topic].take
                for record in records:
                    if record.value is not None:
                        take(record.key, record.value, record.timestamp)

    def _look_for_partitions(self, consumer: Any) -> None:
        """Begin with partitions that were not there before."""
        partitions = {
            TopicPartition(topic, number)
            for topic in self._topics
            for number in consumer.partitions_for_topic(topic) or ()
        }
        new = partitions - set(consumer.assignment())
        if new:
            consumer.assign(sorted(partitions))
            consumer.seek_to_beginning(*new)

    def _pass_over(self, consumer: Any) -> None:
        """Go to the newest messages of topics of which more wait than are wanted."""
        bounded = [
            partition
            for partition in consumer.assignment()
            if self._topics[partition.topic].newest is not None
        ]
        if not bounded:
            return
        ends = consumer.end_offsets(bounded)
        for partition, end in ends.items():
            newest = self._topics[partition.topic].newest
            if newest is not None and consumer.position(partition) < end - newest:
                consumer.seek(partition, end - newest)
