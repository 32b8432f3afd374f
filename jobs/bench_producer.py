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


def timed_events(traffic: Traffic) -> Iterator[Event]:
    """The events of `traffic`, each with its intended time of sending as `sent` and as its time.

    >>> [event.sent for event in timed_events(Traffic(events=2, users=1, start=5_000, per_second=10))]
    [5000, 5100]
    """
    for event in events_of(traffic):
        yield msgspec.structs.replace(event, sent=event.time)


def send(topics: KafkaSection, traffic: Traffic, behind: Queue[list[float]]) -> None:
    """Send the events at their intended times, `traffic.start` being wall clock; a late one is sent at once.

    Puts the quantiles 0.5, 0.99 and 1 of how late events were handed to Kafka's client (ms) on `behind`.
    """
    to = producer(topics.brokers, linger_ms=2)
    late: list[float] = []
    for event in timed_events(traffic):
        message = EVENTS.encode(event)
        due = event.time / 1_000
        wait = due - time.time()
        if wait > 0:
            time.sleep(wait)
        to.send(topics.events, message, event.user_id.encode(), timestamp_ms=event.time)
        late.append(max((time.time() - due) * 1_000, 0.0))
    to.flush(timeout=120)
    to.close(timeout=5)
    late.sort()
    behind.put([late[len(late) // 2], late[int(0.99 * (len(late) - 1))], late[-1]])
