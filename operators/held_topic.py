"""A Kafka topic read from its oldest record to what it holds when the reading begins, and on from there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from operators.kafka_access import KafkaAccess
from schemas.errors import HeadraceError

_POLL_MS: Final = 500


class TopicSilent(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A topic gave none of the records that it should hold."""


class HeldTopic:
    """A reader of all partitions of a topic, which commits nothing.

    `begins` and `ends` are the offsets by partition when this was made, empty where there is no such topic.
    `patience` is how many seconds may pass without a record before `held` raises `TopicSilent`, `first_answer_ms`
    how long brokers are looked for. Raises what kafka-python does.
    """

    def __init__(
        self, kafka: KafkaAccess, topic: str, patience: float, first_answer_ms: int = 30_000
    ) -> None:
        self._topic = topic
        self._brokers = kafka.brokers
        self._patience = patience
        self._consumer: Any = KafkaConsumer(
            **kafka.client(),
            enable_auto_commit=False,
            metrics_enabled=False,
            bootstrap_timeout_ms=first_answer_ms,
        )
        try:
            numbers = self._consumer.partitions_for_topic(topic) or ()
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            self.begins: dict[Any, int] = self._consumer.beginning_offsets(partitions) if partitions else {}
            self.ends: dict[Any, int] = self._consumer.end_offsets(partitions) if partitions else {}
        except BaseException:
            self.close()
            raise

    def held(self) -> Iterator[Any]:
        """The records that the topic held, oldest first in each partition, one partition after the other."""
        consumer = self._consumer
        for partition, end in self.ends.items():
            if self.begins[partition] == end:
                continue
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            heard = time.monotonic()
            while consumer.position(partition) < end:
                records = consumer.poll(timeout_ms=_POLL_MS).get(partition, ())
                if records:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._patience:
                    where = f"Kafka at {self._brokers} gave nothing of {self._topic}"
                    raise TopicSilent(f"{where} for {self._patience:.0f} s; try again")
                yield from (record for record in records if record.offset < end)

    def later(self) -> Iterator[Any]:
        """The records that come after those of `held`, for ever. A broker that goes away meanwhile is waited for."""
        consumer = self._consumer
        consumer.assign(list(self.ends))
        for partition, end in self.ends.items():
            consumer.seek(partition, end)
        while True:
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                yield from records

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()
