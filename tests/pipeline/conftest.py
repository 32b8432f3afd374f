"""One live job between a real Kafka and a real Redis, started as `headrace run` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer

from infra.home import home
from infra.kafka import KafkaBroker
from infra.ports import free_port
from infra.redis import RedisServer
from infra.service import Service
from jobs.local_topics import create_local_topics
from jobs.settings import KafkaSection
from schemas.codec import EVENTS, ITEMS
from schemas.pseudonym import Pseudonym
from schemas.records import Event, Item
from schemas.redis_keys import RedisKeys

T = TypeVar("T")

SECRET = "the secret of the pipeline tests"
PATIENCE_S = 240.0


def until(ready: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """The first true answer of `ready`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return answer


@dataclass
class LiveJob:
    """A running job, and what one needs to feed it and to read what it wrote."""

    brokers: str
    topics: KafkaSection
    redis: redis.Redis
    environment: dict[str, str]
    web: str
    service: Service
    names: RedisKeys = RedisKeys()
    pseudonym: Pseudonym = field(default_factory=lambda: Pseudonym(SECRET.encode()))
    until: Callable[..., Any] = staticmethod(until)

    def __post_init__(self) -> None:
        self.producer = KafkaProducer(
            bootstrap_servers=self.brokers, enable_idempotence=False, linger_ms=2, acks=1
        )

    def send_raw(self, message: bytes, key: str | None, at: int) -> Any:
        """Put bytes on the events topic; the future of their place."""
        return self.producer.send(self.topics.events, message, key.encode() if key else None, timestamp_ms=at)

    def send(self, event: Event) -> Any:
        """Put an event on its topic, keyed and stamped as producers should."""
        return self.send_raw(EVENTS.encode(event), event.user_id, event.time)

    def send_item(self, item: Item) -> None:
        """Put a catalogue entry on its topic."""
        self.producer.send(self.topics.catalog, ITEMS.encode(item), item.item_id.encode())

    def rest(self, path: str) -> Any:
        """What Flink's REST interface answers to a GET."""
        with urllib.request.urlopen(self.web + path, timeout=30) as answer:
            return json.load(answer)

    def job(self) -> str:
        """The id of the running job."""
        [job] = [each["jid"] for each in self.rest("/jobs/overview")["jobs"] if each["state"] == "RUNNING"]
        return str(job)

    def counters(self) -> dict[str, int]:
        """Headrace's own counters of the user step, by name without what Flink puts before it.

        Flink gathers them when they are first asked for, so that the first answer may be empty.
        """
        return until(self._counters, "Flink tells the counters of the user step")

    def _counters(self) -> dict[str, int]:
        job = self.job()
        for vertex in self.rest(f"/jobs/{job}")["vertices"]:
            place = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            names = [each["id"] for each in self.rest(place) if ".headrace." in each["id"]]
            if any(name.endswith(".headrace.accepted") for name in names):
                asked = ",".join(name.replace(" ", "%20") for name in names)
                return {
                    each["id"].split(".headrace.", 1)[1]: int(each["sum"])
                    for each in self.rest(f"{place}?get={asked}&agg=sum")
                }
        return {}

    def handled(self) -> int:
        """How many messages of the events topic came to an end."""
        counted = self.counters()
        return sum(
            count
            for name, count in counted.items()
            if name in ("accepted", "duplicates") or name.startswith("rejected.")
        )

    def read(self, topic: str) -> list[bytes]:
        """Everything on a topic now."""
        from operators.preload import read_topic

        return list(read_topic(self.brokers, topic))

    def profile(self, user: str) -> bytes | None:
        """The stored profile of a user."""
        return self.redis.get(self.names.profile(self.pseudonym.of(user)))

    def rec(self, user: str) -> dict[str, Any] | None:
        """The stored list of a user."""
        stored = self.redis.get(self.names.rec(self.pseudonym.of(user)))
        return None if stored is None else json.loads(stored)

    def headrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `headrace` command against this stack."""
        return subprocess.run(
            [sys.executable, "-m", "jobs.cli", *words],
            env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def live_job(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveJob]:
    """The personalize job, running."""
    run = tmp_path_factory.mktemp("live")
    own = run / "home"
    own.mkdir()
    (own / "jars").symlink_to(home() / "jars")
    mark = uuid.uuid4().hex[:8]
    web_port = free_port()
    with RedisServer(append_only=True, run=run) as server:
        names = {
            name: f"{mark}.{name.replace('_', '-')}"
            for name in (
                "events", "catalog", "control", "control_status", "recommendations",
                "segment_changes", "drift", "dead_letters",
            )
        }  # fmt: skip
        topics = KafkaSection(brokers=kafka_broker.brokers, **names)
        create_local_topics(kafka_broker.brokers, topics)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        environment |= {f"HEADRACE_KAFKA__{name.upper()}": topic for name, topic in names.items()}
        environment |= {
            "HEADRACE_HOME": str(own),
            "HEADRACE_KAFKA__BROKERS": kafka_broker.brokers,
            "HEADRACE_REDIS__URL": server.url,
            "HEADRACE_PRIVACY__SECRET": SECRET,
            "HEADRACE_FLINK__WEB_PORT": str(web_port),
            "HEADRACE_FLINK__CHECKPOINT_SECONDS": "5",
        }
        service = Service("the job", run / "job.log")
        service.start([sys.executable, "-m", "jobs.cli", "run", "--restore", "none"], env=environment)
        with redis.Redis.from_url(server.url) as client:
            job = LiveJob(
                kafka_broker.brokers, topics, client, environment, f"http://127.0.0.1:{web_port}", service
            )
            try:
                service.wait_until(lambda: is_running(job), seconds=PATIENCE_S)
                yield job
            finally:
                job.producer.close(timeout=1)
                service.stop()


def is_running(job: LiveJob) -> bool:
    """Whether every task of the job runs."""
    try:
        vertices = job.rest(f"/jobs/{job.job()}")["vertices"]
    except (OSError, ValueError):
        return False
    return bool(vertices) and all(vertex["status"] == "RUNNING" for vertex in vertices)


@pytest.fixture
def topic_reader(kafka_broker: KafkaBroker) -> Callable[[str], KafkaConsumer]:
    """Opens a consumer from a topic's beginning."""
    return lambda topic: KafkaConsumer(
        topic, bootstrap_servers=kafka_broker.brokers, auto_offset_reset="earliest"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever comes first waits for the job to start and for a whole stream to be followed."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))
