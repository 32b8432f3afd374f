"""A real Flink cluster with the job on it, real Kafka and Redis: what the recovery tests kill."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from infra.flink import FlinkCluster, wait_for_tasks
from infra.kafka import KafkaBroker
from infra.redis import RedisServer
from jobs.checkpoints import newest_checkpoint
from jobs.plain_stream import PlainStream
from jobs.settings import KafkaSection, load
from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.item_facts import facts_of
from operators.preload import read_topic
from operators.profile import learning_classes, profile_of
from operators.segments.rules_file import ready_rules
from operators.stream_models import MODELS
from schemas.codec import CONTROLS, DRIFT_ALERTS
from schemas.item_scores import log_score
from schemas.pseudonym import Pseudonym
from schemas.records import USER, Control, DriftAlert, Event, Item
from schemas.redis_keys import RedisKeys
from schemas.redis_values import profile_value
from schemas.state import UserState
from tests.job_feed import PATIENCE_S, JobFeed, job_environment, new_topics, until, until_known
from tests.recovery.beside import PlainBeside
from udfs.model_side import figures_key

SECRET = "the secret of the recovery tests"
IDLE_S = 1_800
"""The job's clock goes on for so long at most while the tests wait."""
BESIDE = {
    "MODELS__RATE": "0.2",
    "MODELS__STORE_EVERY": "150",
    "MODELS__STORE_SECONDS": "1",
    "STREAM_DRIFT__BATCH_EVENTS": "20",
    "STREAM_DRIFT__LEAST_ASKED": "10",
    "STREAM_DRIFT__PERIOD": str(60 * 60_000),
    "STREAM_DRIFT__LEAST_EVENTS": "100",
    "STEP__POOLED__UNTIL_LABELLED": "255",
}
"""Models and detectors that have something to tell after a few hundred events."""


@dataclass
class Stack:
    """The cluster, the job on it, and the plain classes that follow the same events."""

    cluster: FlinkCluster
    server: RedisServer
    topics: KafkaSection
    environment: dict[str, str]
    checkpoints: Path
    items: list[Item]
    job: str = ""
    names: RedisKeys = RedisKeys()
    until: Callable[..., Any] = staticmethod(until)
    pseudonym: Pseudonym = field(default_factory=lambda: Pseudonym(SECRET.encode()))

    def __post_init__(self) -> None:
        settings = load(variables=self.environment)
        self.plain = PlainStream(self.items, settings.step, segments=ready_rules())
        self.beside = PlainBeside(settings, {item.item_id: facts_of(item) for item in self.items})
        self.redis = redis.Redis.from_url(self.server.url)
        feed = JobFeed(self.topics)
        self.producer, self.close = feed.producer, feed.close
        self.send_item, self._send = feed.send_item, feed.send
        self._learning = learning_classes(AffinityModel(AffinitySettings()), DriftDetector(DriftSettings()))

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

    def send(self, event: Event) -> None:
        """Send an event to the job, and to the plain classes."""
        user = self.plain.states.get(event.user_id) or UserState(event.user_id, born=event.time)
        example = self.beside.example(user, event)
        self.beside.take(event, self.plain.learn(event), example)
        self._send(event)

    def probe(self, event: Event) -> None:
        """Send an event of a bot, of which the plain classes need not hear."""
        self._send(event)
        self.beside.pass_over()

    def profile(self, user: str) -> bytes | None:
        """The stored profile of a user."""
        return self.redis.get(self.names.profile(self.pseudonym.of(user)))

    @property
    def sent(self) -> int:
        """How many messages the events topic has."""
        return self.beside.heard

    def ask_everyone(self, mark: str) -> None:
        """One more event of each user, of a type that asks for a list and is no step of an item."""
        for user, state in list(self.plain.states.items()):
            event_id = f"{mark}-{user}"
            self.send(Event(event_id=event_id, user_id=user, type="profile_update", time=state.last))
        self.producer.flush()

    def wrong_profiles(self) -> list[str]:
        """Users whose stored profile is not, byte for byte, what the plain classes know of them.

        Segments are those of some second of the last minutes: the job's clock goes on with the wall's while no event
        comes.
        """
        return [user for user, state in self.plain.states.items() if not self._is_right(user, state)]

    def _is_right(self, user: str, state: UserState) -> bool:
        stored = self.profile(user)
        if stored is None:
            return False
        now = copy.copy(state)
        now.segments = json.loads(stored)["segments"]
        said = stored == profile_value(profile_of(now, self._learning))
        return bool(said) and self._in_segments(user, now.segments)

    def _in_segments(self, user: str, found: list[str]) -> bool:
        """Whether the plain classes come to these segments of a user by letting time pass, which is then undone."""
        states = self.plain.states
        latest, before = max(state.last for state in states.values()), states[user]
        states[user] = copy.deepcopy(before)
        try:
            for seconds in range(IDLE_S):
                if states[user].segments == found:
                    return True
                self.plain.let_pass(latest + seconds * 1_000, user)
            return False
        finally:
            states[user] = before

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

    def wrong_models(self) -> list[str]:
        """Models of the stream whose figures in Redis are not the plain ones."""
        return self.beside.wrong_models(
            {name: self.redis.get(figures_key(self.names, name)) for name in MODELS}
        )

    def alerts(self) -> list[DriftAlert]:
        """What the detectors of pools and stream have told, in the order of their telling."""
        told = map(DRIFT_ALERTS.decode, read_topic(self.topics.access(), self.topics.drift))
        return [alert for alert in told if alert.scope != USER]

    def requests(self) -> list[Control]:
        """What the job has asked for on the control topic."""
        return [*map(CONTROLS.decode, read_topic(self.topics.access(), self.topics.control))]

    def checkpoint(self) -> tuple[int, int]:
        """The newest checkpoint: its number, and how many messages of the events topic it covers.

        The source keeps its place there as topic, partition (4 bytes) and offset (8 bytes).
        """
        folder = newest_checkpoint(self.checkpoints)
        if folder is None:
            return 0, 0
        try:
            stored = (folder / "_metadata").read_bytes()
        except FileNotFoundError:
            return 0, 0  # a newer one has taken its place
        topic = self.topics.events.encode() + bytes(4)
        ends = [found.end() for found in re.finditer(re.escape(topic), stored)]
        covered = max(int.from_bytes(stored[end : end + 8], "big", signed=True) for end in ends)
        return int(folder.name.removeprefix("chk-")), covered

    def restored(self) -> int:
        """The number of the checkpoint that the job was last taken up from."""
        return int(self.cluster.rest(f"/jobs/{self.job}/checkpoints")["latest"]["restored"]["id"])

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
    topics = new_topics(kafka_broker.brokers, partitions=1)
    items = [Item(item_id=f"item-{n:02d}", category=f"Department {n % 4}", price=1.0 + n) for n in range(40)]
    with (
        RedisServer(append_only=True, run=run / "redis") as server,
        FlinkCluster(task_managers=2, run=run / "flink") as cluster,
    ):
        environment = job_environment(topics, server.url, SECRET, run) | {
            "HEADRACE_FLINK__CHECKPOINT_SECONDS": "1",
            "HEADRACE_FLINK__CHECKPOINT_DIR": str(run / "checkpoints"),
            **{f"HEADRACE_{name}": value for name, value in BESIDE.items()},
        }
        made = Stack(cluster, server, topics, environment, run / "checkpoints", items)
        made.submit()
        for item in items:
            made.send_item(item)
        made.producer.flush()
        until(lambda: made.redis.exists(made.names.item("item-39")), "the catalogue in Redis")
        until_known(made.probe, made.profile, items[-1], 1_700_000_000_000)
        yield made
        made.close()
        made.redis.close()


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
