"""What every test of a running job needs: topics of its own, settings that lead there, and a producer."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kafka import KafkaProducer

from infra.home import home
from jobs.local_topics import create_local_topics
from jobs.settings import KafkaSection
from schemas.codec import EVENTS, ITEMS
from schemas.records import Context, Event, Item

T = TypeVar("T")

PATIENCE_S = 240.0
PROBE = Context(user_agent="probe-bot/1.0")
TOPICS = (
    "events", "catalog", "control", "control_status", "recommendations", "segment_changes", "drift",
    "dead_letters",
)  # fmt: skip


def until(ready: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """The first true answer of `ready`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return answer


def new_topics(brokers: str, partitions: int = 2) -> KafkaSection:
    """All topics of a job, under names that no other test has. With one partition events have one order."""
    mark = uuid.uuid4().hex[:8]
    names = {name: f"{mark}.{name.replace('_', '-')}" for name in TOPICS}
    topics = KafkaSection(brokers=brokers, partitions=partitions, **names)
    create_local_topics(brokers, topics)
    return topics


def own_home(folder: Path) -> Path:
    """A new HEADRACE_HOME with nothing in it but what takes long: fetched jars, and compiled machine code."""
    folder.mkdir(exist_ok=True)
    for name in ("jars", "machine-code"):
        shared = home() / name
        shared.mkdir(exist_ok=True)
        (folder / name).symlink_to(shared)
    return folder


def job_environment(topics: KafkaSection, redis_url: str, secret: str, run: Path) -> dict[str, str]:
    """The environment of `headrace` commands on these topics; HEADRACE_HOME is below `run`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return environment | {
        "HEADRACE_HOME": str(own_home(run / "home")),
        "HEADRACE_KAFKA__BROKERS": topics.brokers,
        "HEADRACE_REDIS__URL": redis_url,
        "HEADRACE_PRIVACY__SECRET": secret,
        **{f"HEADRACE_KAFKA__{name.upper()}": getattr(topics, name) for name in TOPICS},
    }


def until_known(
    send: Callable[[Event], Any], profile: Callable[[str], bytes | None], item: Item, at: int
) -> int:
    """Wait until the user step knows a catalogue entry: who does not like it has its category then.

    Each time somebody new is asked, at `at` (ms): a bot, of whom no statistic, model or detector hears.
    Returns how many were asked.
    """
    asked = 0

    def known() -> bool:
        nonlocal asked
        asked += 1
        user = f"probe-{item.item_id}-{asked}"
        send(Event(event_id=user, user_id=user, type="dislike", time=at, item_id=item.item_id, context=PROBE))
        stored = until(lambda: profile(user), "the profile of a newcomer")
        return item.category in json.loads(stored)["categories"]

    until(known, f"the user step knows {item.item_id}")
    return asked


class JobFeed:
    """Puts messages on the topics of a job, keyed and stamped as producers should."""

    def __init__(self, topics: KafkaSection) -> None:
        self._topics = topics
        self.producer = KafkaProducer(
            bootstrap_servers=topics.brokers, enable_idempotence=False, linger_ms=2, acks=1
        )

    def send_raw(self, message: bytes, key: str | None, at: int) -> Any:
        """Put bytes on the events topic; the future of their place."""
        key_bytes = key.encode() if key else None
        return self.producer.send(self._topics.events, message, key_bytes, timestamp_ms=at)

    def send(self, event: Event) -> Any:
        """Put an event on its topic."""
        return self.send_raw(EVENTS.encode(event), event.user_id, event.time)

    def send_item(self, item: Item) -> None:
        """Put a catalogue entry on its topic."""
        self.producer.send(self._topics.catalog, ITEMS.encode(item), item.item_id.encode())

    def close(self) -> None:
        """End the connection."""
        self.producer.close(timeout=1)
