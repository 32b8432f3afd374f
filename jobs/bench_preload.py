"""Filling the topics before a measurement: the catalogue, and events without `sent`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer

from jobs.bench_events import QUIET
from jobs.bench_garbage import garbage_of
from jobs.settings import KafkaSection
from schemas.codec import EVENTS, ITEMS
from schemas.records import Event, Item

_MARK_EVERY = 20_000


@dataclass(frozen=True)
class Preloaded:
    """What lies on the topics now: `events` are good ones, `garbage` other messages among them."""

    events: int
    garbage: int
    users: int
    list_changing: int
    seconds: float
    bytes: int


def producer(brokers: str, linger_ms: int = 20) -> Any:
    """A producer that keeps the order of each user's events."""
    return KafkaProducer(
        bootstrap_servers=brokers, acks=1, enable_idempotence=False,
        max_in_flight_requests_per_connection=1, batch_size=512 * 1024, linger_ms=linger_ms,
        metrics_enabled=False,
    )  # fmt: skip


def preload_items(topics: KafkaSection, items: Iterable[Item]) -> None:
    """Put the catalogue on its topic."""
    to = producer(topics.brokers)
    try:
        for item in items:
            to.send(topics.catalog, ITEMS.encode(item), item.item_id.encode())
        to.flush(timeout=120)
    finally:
        to.close(timeout=5)


def preload_events(
    topics: KafkaSection,
    events: Iterable[Event],
    shown: Callable[[int], None] = lambda done: None,
    *,
    half_garbage: bool = False,
) -> Preloaded:
    """Put the events on their topic, keyed by user and stamped with their own time.

    With `half_garbage` each is followed by a message that nobody can read, made of it.
    """
    began = time.monotonic()
    users: set[str] = set()
    kinds: Counter[str] = Counter()
    size = 0
    to = producer(topics.brokers)
    try:
        for event in events:
            message = EVENTS.encode(event)
            to.send(topics.events, message, event.user_id.encode(), timestamp_ms=event.time)
            if half_garbage:
                spoiled = garbage_of(message, kinds.total())
                to.send(topics.events, spoiled, event.user_id.encode(), timestamp_ms=event.time)
            users.add(event.user_id)
            kinds[event.type] += 1
            size += len(message)
            if kinds.total() % _MARK_EVERY == 0:
                to.flush(timeout=120)  # the producer buffers without bound
                shown(kinds.total())
        to.flush(timeout=120)
    finally:
        to.close(timeout=5)
    return Preloaded(
        events=kinds.total(),
        garbage=kinds.total() if half_garbage else 0,
        users=len(users),
        list_changing=sum(count for kind, count in kinds.items() if kind not in QUIET),
        seconds=time.monotonic() - began,
        bytes=size,
    )
