"""A real Flink cluster with the job on it, real Kafka and Redis: what the recovery tests kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import redis
from kafka import KafkaProducer

from infra.flink import FlinkCluster, wait_for_tasks
from infra.home import home
from infra.kafka import KafkaBroker
from infra.redis import RedisServer
from infra.service import Service
from jobs.local_topics import create_local_topics
from jobs.plain_stream import PlainStream
from jobs.settings import KafkaSection
from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.profile import learning_classes, profile_of
from schemas.codec import EVENTS, ITEMS
from schemas.item_scores import log_score
from schemas.pseudonym import Pseudonym
from schemas.records import Event, Item
from schemas.redis_keys import RedisKeys
from schemas.redis_values import profile_value

T = TypeVar("T")

SECRET = "the secret of the recovery tests"
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
class Stack:
    """The cluster, the job on it, and the plain classes that follow the same events."""

    cluster: FlinkCluster
    server: RedisServer
    topics: KafkaSection
    environment: dict[str, str]
    items: list[Item]
    job: str = ""
    names: RedisKeys = RedisKeys()
    until: Callable[..., Any] = staticmethod(until)
    pseudonym: Pseudonym = field(default_factory=lambda: Pseudonym(SECRET.encode()))

    def __post_init__(self) -> None:
        self.plain = PlainStream(self.items)
        self.redis = redis.Redis.from_url(self.server.url)
        self.producer = KafkaProducer(
            bootstrap_servers=self.topics.brokers, enable_idempotence=False, linger_ms=2, acks=1
        )
        model = AffinityModel(AffinitySettings())
        self._model = model
        self._learning = learning_classes(model, DriftDetector(DriftSettings()))

    def submit(self, restore: str = "none") -> None:
        """Submit the job as a person would, and wait until all its tasks run."""
        words = ["run", "--cluster", self.cluster.address, "--restore", restore]
        said = subprocess.run(
            [sys.executable, "-m", "jobs.cli", *words],
            env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        found = re.search(r"job ([0-9a-f]{32}) runs", said.stderr)
        assert found, said.stderr
        self.job = found[1]
        wait_for_tasks(self.cluster, self.job, seconds=PATIENCE_S)

    def send_item(self, item: Item) -> None:
        """Put a catalogue entry on its topic."""
        self.producer.send(self.topics.catalog, ITEMS.encode(item), item.item_id.encode())

    def send(self, event: Event) -> None:
        """Send an event to the job, and to the plain classes."""
        self.plain.learn(event)
        self.producer.send(
            self.topics.events, EVENTS.encode(event), event.user_id.encode(), timestamp_ms=event.time
        )

    def ask_everyone(self, mark: str) -> None:
        """One more event of each user, of a type that asks for a list and is no step of an item."""
        for user, state in list(self.plain.states.items()):
            event_id = f"{mark}-{user}"
            self.send(Event(event_id=event_id, user_id=user, type="profile_update", time=state.last))
        self.producer.flush()

    def wrong_profiles(self) -> list[str]:
        """Users whose stored profile is not, byte for byte, what the plain classes know of them."""
        return [
            user
            for user, state in self.plain.states.items()
            if self.redis.get(self.names.profile(self.pseudonym.of(user)))
            != profile_value(profile_of(state, self._model, self._learning))
        ]

    def wrong_sums(self, tolerance: float) -> list[str]:
        """Items whose neighbours in Redis are not the plain ones, or their sums further off (relative)."""
        wrong = []
        for item in self.items:
            found = self.redis.zrange(self.names.co(item.item_id), 0, -1, withscores=True)
            held = {member.decode(): log_score(score) for member, score in found}
            sums = dict(self.plain._statistics.neighbours(item.item_id))
            if held.keys() != sums.keys() or any(abs(held[b] - s) > tolerance for b, s in sums.items()):
                wrong.append(item.item_id)
        return wrong

    def worker(self) -> Service:
        """The TaskManager that runs the job."""
        vertex = self.cluster.rest(f"/jobs/{self.job}")["vertices"][0]["id"]
        task = self.cluster.rest(f"/jobs/{self.job}/vertices/{vertex}")["subtasks"][0]
        port = int(task["taskmanager-id"].split("-")[0].rsplit(":", 1)[1])
        for service in self.cluster.task_managers:
            for connection in psutil.Process(service.pid).net_connections():
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return service
        raise AssertionError(f"no TaskManager listens on {port}")

    def restarts(self) -> int:
        """How often the job was restored since it was submitted."""
        counts = self.cluster.rest(f"/jobs/{self.job}/checkpoints")["counts"]
        return int(counts["restored"])

    def log(self) -> str:
        """Everything the TaskManagers and their Python workers said."""
        return "".join(log.read_text(errors="replace") for log in self.cluster._run.glob("taskmanager-*.log"))


@pytest.fixture(scope="session")
def stack(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The job on a cluster of two TaskManagers, one of them to spare."""
    run = tmp_path_factory.mktemp("cluster")
    own = run / "home"
    own.mkdir()
    (own / "jars").symlink_to(home() / "jars")
    mark = uuid.uuid4().hex[:8]
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
    items = [Item(item_id=f"item-{n:02d}", category=f"Department {n % 4}", price=1.0 + n) for n in range(40)]
    with (
        RedisServer(append_only=True, run=run / "redis") as server,
        FlinkCluster(task_managers=2, run=run / "flink") as cluster,
    ):
        environment |= {
            "HEADRACE_HOME": str(own),
            "HEADRACE_KAFKA__BROKERS": kafka_broker.brokers,
            "HEADRACE_REDIS__URL": server.url,
            "HEADRACE_PRIVACY__SECRET": SECRET,
            "HEADRACE_FLINK__CHECKPOINT_SECONDS": "1",
            "HEADRACE_FLINK__CHECKPOINT_DIR": str(run / "checkpoints"),
        }
        made = Stack(cluster, server, topics, environment, items)
        made.submit()
        for item in items:
            made.send_item(item)
        made.producer.flush()
        until(lambda: made.redis.exists(made.names.item("item-39")), "the catalogue in Redis")
        know_catalogue(made)
        yield made
        made.producer.close(timeout=1)
        made.redis.close()


def know_catalogue(stack: Stack) -> None:
    """Wait until the user step knows the last item: a user who does not like it has its category then."""
    key = stack.names.profile(stack.pseudonym.of("probe"))
    last = stack.items[-1]
    tries = iter(range(1_000_000))

    def known() -> bool:
        event = Event(
            event_id=f"probe-{next(tries)}", user_id="probe", type="dislike", time=1_700_000_000_000,
            item_id=last.item_id,
        )  # fmt: skip
        stack.producer.send(stack.topics.events, EVENTS.encode(event), b"probe", timestamp_ms=event.time)
        stack.producer.flush()
        stored = stack.redis.get(key)
        return stored is not None and last.category in json.loads(stored)["categories"]

    until(known, "the user step knows the catalogue")


@pytest.fixture
def empty_redis(stack: Stack) -> Callable[[], None]:
    """Stops Redis, takes its data away, and starts it again."""

    def lose() -> None:
        stack.server.stop()
        shutil.rmtree(stack.server._data)
        stack.server.start()

    return lose


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever comes first waits for the cluster and the job to start."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))
