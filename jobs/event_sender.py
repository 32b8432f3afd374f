"""Puts events, items and dead letters on Kafka, in bounded memory, and loses none."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from jobs.bad_row import BadRow
from jobs.replay_clock import FIRST_ANSWER_MS, KafkaUnreachable
from jobs.settings import KafkaSection
from operators.dead_letters import LARGEST_PAYLOAD
from schemas.codec import DEAD_LETTERS, EVENTS, ITEMS, Codec
from schemas.reason import Reason
from schemas.records import DeadLetter, Event, Item

_BATCH_BYTES: Final = 256 * 1024
_LINGER_MS: Final = 5
_MARK_EVERY: Final = 2_000
_MARK_EVERY_BYTES: Final = 4 * 1024 * 1024
_MARKS: Final = 5
_DELIVERY_S: Final = 60
_NS_PER_MS: Final = 1_000_000

# Refusals come back as dead letters and in the summary; the client's own lines would tear the progress bar.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class _Message:
    topic: str
    key: bytes | None
    value: bytes
    time: int | None = None


class EventSender:
    """A producer for one replay. `events`, `items` and `dead_letters` count what was handed in; see `flush`.

    Events of one user keep their order: one request is under way at a time, each batch is acknowledged by all
    replicas. A retry may write a batch twice; the job knows duplicates by their event ids. What Kafka refuses
    becomes a dead letter, and `undelivered` counts what it never acknowledged, be it event, item or dead
    letter.

    Raises `KafkaUnreachable` when no broker answers or a topic is missing.
    """

    def __init__(self, topics: KafkaSection, wall_ms: Callable[[], int] | None = None) -> None:
        self.undelivered = 0
        self.dead_letters: Counter[str] = Counter()
        self._topics = topics
        self._wall_ms = wall_ms or (lambda: time.time_ns() // _NS_PER_MS)
        self._handed_in: Counter[str] = Counter()
        self._unmarked = self._unmarked_bytes = 0
        self._marks: deque[Any] = deque()
        self._refused: deque[_Message] = deque()
        self._producer = self._connect()

    @property
    def events(self) -> int:
        """Events handed in, without those that Kafka has refused."""
        return self._handed_in[self._topics.events]

    @property
    def items(self) -> int:
        """Items handed in, without those that Kafka has refused."""
        return self._handed_in[self._topics.catalog]

    def send_event(self, event: Event, *, live: bool = True) -> None:
        """Hands in one event, stamped as sent now when it is `live`. Blocks while too much is under way."""
        event = msgspec.structs.replace(event, sent=self._wall_ms() if live else None)
        self._hand_in(self._topics.events, event.user_id, event, EVENTS, event.time)

    def send_item(self, item: Item) -> None:
        """Hands in one catalogue entry, keyed by its id. Blocks while too much is under way."""
        self._hand_in(self._topics.catalog, item.item_id, item, ITEMS, None)

    def send_again(self, topic: str, key: str, message: bytes, time: int) -> None:
        """Hands in a message as it came before, with its record time in ms. Blocks as `send_event` does."""
        self._send(_Message(topic, key.encode(), message, time))
        self._try_refused()

    def put_aside(self, row: BadRow) -> None:
        """Hands in a row that made no event or item, as a dead letter with its reason."""
        self._put_aside(row.reason, row.detail, row.file, row.row, row.time, row.raw)
        self._try_refused()

    def flush(self) -> None:
        """Returns when all that was handed in is acknowledged, or its time is up (`undelivered`)."""
        self._marks.clear()
        while True:
            try:
                self._producer.flush(timeout=2 * _DELIVERY_S)
            except KafkaTimeoutError:
                return
            if not self._refused:
                return
            self._try_refused()

    def close(self) -> None:
        """Ends the connection without waiting for what is under way."""
        self._producer.close(timeout=1)

    def _connect(self) -> Any:
        try:
            producer = KafkaProducer(
                **self._topics.access().client(), acks="all", enable_idempotence=False,
                max_in_flight_requests_per_connection=1, batch_size=_BATCH_BYTES, linger_ms=_LINGER_MS,
                delivery_timeout_ms=_DELIVERY_S * 1000, max_block_ms=10_000, metrics_enabled=False,
                bootstrap_timeout_ms=FIRST_ANSWER_MS,
            )  # fmt: skip
        except (KafkaError, OSError) as error:
            raise KafkaUnreachable(
                f"Kafka at {self._topics.brokers} does not answer; start it (headrace up), or give --brokers"
            ) from error
        for topic in (self._topics.events, self._topics.catalog, self._topics.dead_letters):
            try:
                producer.partitions_for(topic)
            except KafkaError as error:
                producer.close(timeout=1)
                raise KafkaUnreachable(
                    f"Kafka at {self._topics.brokers} has no topic {topic}; headrace up makes it"
                ) from error
        return producer

    def _hand_in(self, topic: str, key: str, record: Any, codec: Codec[Any], time: int | None) -> None:
        try:
            message = _Message(topic, key.encode(), codec.encode(record), time)
        except ValueError as error:  # a number that fits no Avro type, or a text that is not Unicode
            raw = repr(record).encode("utf-8", "replace")
            self._put_aside(Reason.MALFORMED, str(error), topic, -1, time, raw)
        else:
            self._send(message)
        self._try_refused()

    def _send(self, message: _Message) -> None:
        self._handed_in[message.topic] += 1
        try:
            future = self._produce(message)
        except MessageSizeTooLargeError as error:
            self._refuse(message, error)
            return
        except KafkaTimeoutError:  # no metadata of the topic any more
            self.undelivered += 1
            return
        future.add_errback(partial(self._failed, message))
        self._unmarked += 1
        self._unmarked_bytes += len(message.value)
        if self._unmarked >= _MARK_EVERY or self._unmarked_bytes >= _MARK_EVERY_BYTES:
            self._wait_for_earlier(future)

    def _produce(self, message: _Message) -> Any:
        return self._producer.send(message.topic, message.value, message.key, timestamp_ms=message.time)

    def _wait_for_earlier(self, future: Any) -> None:
        # The producer buffers without bound: so one waits for the acknowledgement of a message further back.
        self._unmarked = self._unmarked_bytes = 0
        self._marks.append(future)
        if len(self._marks) > _MARKS:
            mark = self._marks.popleft()
            try:
                mark.get(timeout=2 * _DELIVERY_S)
            except KafkaError:
                return  # counted by its own errback

    def _failed(self, message: _Message, error: BaseException) -> None:
        # The producer's thread calls it. A refused record fails its whole batch, so each is tried alone.
        if isinstance(error, KafkaTimeoutError):
            self.undelivered += 1
        else:
            self._refused.append(message)

    def _try_refused(self) -> None:
        while self._refused:
            message = self._refused.popleft()
            try:
                self._produce(message).get(timeout=_DELIVERY_S)
            except KafkaTimeoutError:
                self.undelivered += 1
            except KafkaError as error:
                self._refuse(message, error)

    def _refuse(self, message: _Message, error: KafkaError) -> None:
        if message.topic == self._topics.dead_letters:  # another one of it would fare no better
            self.undelivered += 1
            return
        self._handed_in[message.topic] -= 1
        detail = str(error)
        self._put_aside(Reason.REFUSED_BY_KAFKA, detail, message.topic, -1, message.time, message.value)

    def _put_aside(
        self, reason: str, detail: str, topic: str, offset: int, time: int | None, payload: bytes
    ) -> None:
        if len(payload) > LARGEST_PAYLOAD:
            detail = f"{detail} (payload of {len(payload)} bytes, cut at {LARGEST_PAYLOAD})"
        letter = DeadLetter(
            reason=reason, detail=detail, topic=topic, partition=-1, offset=offset,
            time=self._wall_ms() if time is None else time, payload=payload[:LARGEST_PAYLOAD],
        )  # fmt: skip
        self.dead_letters[reason] += 1
        self._send(_Message(self._topics.dead_letters, None, DEAD_LETTERS.encode(letter)))
