"""What a message that nobody can read costs a running job, by kind: processor time of the TaskManager and its worker.

Unlike `headrace bench garbage`, which asks how many good events a second are left, this says something on a busy
machine too. For docs/performance.md:

python tests/bench/garbage.py [--messages 6000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import islice

from kafka import KafkaConsumer, TopicPartition

from jobs.bench_events import Traffic, events_of, items_of
from jobs.bench_garbage import garbage_of
from jobs.bench_preload import preload_items, producer
from jobs.bench_stack import BenchStack
from jobs.settings import Settings
from schemas.codec import EVENTS
from schemas.records import Event

KINDS = ("cut short", "unknown schema", "random bytes", "JSON text", "a flipped bit", "empty")
"""In the order of `garbage_of`."""

IDLE_S = 8.0
SETTLED_S = 2.0


class Meter:
    """Sends messages to the job of `stack`, waits for what came of them, and says what that took."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._topics = stack.settings.kafka
        self._to = producer(self._topics.brokers)
        self._look = KafkaConsumer(bootstrap_servers=self._topics.brokers)
        topic = self._topics.dead_letters
        self._letters = [TopicPartition(topic, at) for at in self._look.partitions_for_topic(topic)]

    def good(self, events: list[Event]) -> float:
        """µs of processor time a good event."""
        due = self._stack.events_accepted() + len(events)
        messages = [(EVENTS.encode(event), event) for event in events]
        return self._spent(messages, lambda: self._stack.events_accepted() >= due)

    def garbage(self, events: list[Event], kind: int) -> float:
        """µs of processor time a message of that kind, made of the events."""
        due = self._dead_letters() + len(events)
        messages = [
            (garbage_of(EVENTS.encode(event), len(KINDS) * at + kind), event)
            for at, event in enumerate(events)
        ]
        return self._spent(messages, lambda: self._dead_letters() >= due)

    def _dead_letters(self) -> int:
        return sum(self._look.end_offsets(self._letters).values())

    def _spent(self, messages: list[tuple[bytes, Event]], done: Callable[[], bool]) -> float:
        """What the job takes while idle is left out."""
        seconds = self._stack.task_seconds
        before, began = seconds(), time.monotonic()
        time.sleep(IDLE_S)
        idle = (seconds() - before) / (time.monotonic() - began)
        before, began = seconds(), time.monotonic()
        for message, event in messages:
            self._to.send(self._topics.events, message, event.user_id.encode(), timestamp_ms=event.time)
        self._to.flush(timeout=600)
        while not done():
            time.sleep(0.5)
        time.sleep(SETTLED_S)
        spent = seconds() - before - idle * (time.monotonic() - began)
        return spent / len(messages) * 1e6


def measure(messages: int) -> Iterator[tuple[str, float]]:
    """Good events before and after, and each kind twice."""
    traffic = Traffic(events=2 * messages * (3 + len(KINDS)), users=20_000, items=2_000)
    events = events_of(traffic)
    with BenchStack(Settings(), 1, {}) as stack:
        preload_items(stack.settings.kafka, items_of(traffic))
        stack.start_job()
        meter = Meter(stack)
        for _ in range(2):
            yield "a good event", meter.good(list(islice(events, 2 * messages)))
        for _ in range(2):
            for kind, name in enumerate(KINDS):
                yield name, meter.garbage(list(islice(events, messages)), kind)
        yield "a good event", meter.good(list(islice(events, 2 * messages)))


if __name__ == "__main__":
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--messages", type=int, default=6_000, help="of a kind at a time")
    for what, spent in measure(told.parse_args().messages):
        print(f"{what:16s} {spent:7.0f} µs", flush=True)
