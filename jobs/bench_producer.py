"""An open-loop producer: every event bears as `sent` the time at which it is meant to be sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing import Queue

import msgspec

from jobs.bench_events import Traffic, events_of
from jobs.bench_preload import producer
from jobs.settings import KafkaSection
from schemas.codec import EVENTS
from schemas.records import Event

TICK_S = 0.002
"""How long the producer sleeps at least: an event is sent so much late at most, which counts."""

LINGER_MS = 5
"""How long Kafka's client gathers messages, as Kafka's own (4.0) does unless it is told otherwise."""


def timed_events(traffic: Traffic) -> Iterator[Event]:
    """The events of `traffic`, each with its intended time of sending as `sent` and as its time.

    >>> [event.sent for event in timed_events(Traffic(events=2, users=1, start=5_000, per_second=10))]
    [5000, 5100]
    """
    for event in events_of(traffic):
        yield msgspec.structs.replace(event, sent=event.time)


def send(topics: KafkaSection, traffic: Traffic, behind: Queue[list[float]]) -> None:
    """Send the events at their intended times, `traffic.start` being wall clock; a late one is sent at once.

    All messages are made before the first is due, so that making them takes nothing from what is measured; what is
    due is looked for every `TICK_S`. Puts the quantiles 0.5, 0.99 and 1 of how late events were handed to Kafka's
    client (ms) on `behind`.
    """
    to = producer(topics.brokers, linger_ms=LINGER_MS)
    made = [(event.time, event.user_id.encode(), EVENTS.encode(event)) for event in timed_events(traffic)]
    late: list[float] = []
    for at, key, message in made:
        due = at / 1_000
        while (now := time.time()) < due:
            time.sleep(max(due - now, TICK_S))
        to.send(topics.events, message, key, timestamp_ms=at)
        late.append((now - due) * 1_000)
    to.flush(timeout=120)
    to.close(timeout=5)
    late.sort()
    behind.put([late[len(late) // 2], late[int(0.99 * (len(late) - 1))], late[-1]])
