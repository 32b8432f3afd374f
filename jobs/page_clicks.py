"""Puts the visitors' events on Kafka, stamped with the replay clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from operators.kafka_access import KafkaAccess
from schemas.codec import EVENTS
from schemas.errors import HeadraceError
from schemas.records import Event

ACKNOWLEDGED_WITHIN_S = 5.0
CLOCK_FRESH_S = 0.25
CHECK_EVERY_S = 2.0
AWAY = "Kafka is away: nothing was sent."


class KafkaAway(HeadraceError):  # noqa: N818 (a state, told as one sentence)
    """Kafka did not take an event in time."""


class ClickProducer:
    """Sends events to one topic. The broker may be away at the start and at any time after it.

    `replay_clock` is called in a thread and answers with the newest event time (ms) on the topic.
    """

    def __init__(self, kafka: KafkaAccess, topic: str, replay_clock: Callable[[], int]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._replay_clock = replay_clock
        self._producer: Any = None
        self._clock = (float("-inf"), 0, 0)
        self._connecting = asyncio.Lock()
        self.reachable = False

    async def clock(self) -> int:
        """Event time now (ms): the replay clock, asked four times a second at most. Raises `KafkaAway`."""
        if not self.reachable:
            raise KafkaAway(AWAY)
        read_at, wall, clock = self._clock
        if time.monotonic() - read_at > CLOCK_FRESH_S:
            try:
                clock = await asyncio.to_thread(self._replay_clock)
            except (KafkaError, OSError, HeadraceError) as error:
                raise KafkaAway(AWAY) from error
            wall = time.time_ns() // 1_000_000
            self._clock = (time.monotonic(), wall, clock)
        return clock + (time.time_ns() // 1_000_000 - wall)

    async def send(self, event: Event) -> float:
        """Send an event; the ms until the broker acknowledged it. Raises `KafkaAway`."""
        started = time.monotonic()
        await self.put(self._topic, event.user_id, EVENTS.encode(event), event.time)
        return 1_000 * (time.monotonic() - started)

    async def put(self, topic: str, key: str, value: bytes, timestamp: int | None = None) -> None:
        """Send a message of any topic and wait for the broker to acknowledge it. Raises `KafkaAway`."""
        try:
            producer = await self._connected()
            await asyncio.to_thread(_send, producer, topic, key, value, timestamp)
        except (KafkaError, OSError) as error:
            raise KafkaAway(AWAY) from error

    async def keep(self) -> None:
        """Look for ever whether a broker can be reached, and connect ahead of the first click."""
        while True:
            self.reachable = await self._answers()
            if self.reachable and self._producer is None:
                try:
                    await self._connected()
                except (KafkaError, OSError):
                    self.reachable = False
            await asyncio.sleep(CHECK_EVERY_S)

    async def close(self) -> None:
        """End the connection."""
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close, 1.0)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._producer is None:
                self._producer = await asyncio.to_thread(self._connect)
            return self._producer

    def _connect(self) -> Any:
        producer = KafkaProducer(
            **self._kafka.client(),
            client_id="headrace-page",
            linger_ms=0,
            bootstrap_timeout_ms=2_000,
            max_block_ms=2_000,
            request_timeout_ms=4_000,
            delivery_timeout_ms=5_000,
            reconnect_backoff_max_ms=1_000,
        )
        try:
            producer.partitions_for(self._topic)  # so that the first click does not wait for metadata
        except KafkaError:
            producer.close(timeout=0)
            raise
        return producer

    async def _answers(self) -> bool:
        for broker in self._kafka.brokers.split(","):
            host, _, port = broker.strip().rpartition(":")
            try:
                async with asyncio.timeout(2.0):
                    _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                return True
            except (OSError, TimeoutError):
                continue
        return False


def _send(producer: Any, topic: str, key: str, value: bytes, timestamp: int | None) -> None:
    future = producer.send(topic, key=key.encode(), value=value, timestamp_ms=timestamp)
    future.get(timeout=ACKNOWLEDGED_WITHIN_S)
