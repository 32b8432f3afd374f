"""One live job between a real Kafka and a real Redis, started as `headrace run` starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaConsumer

from infra.kafka import KafkaBroker
from infra.ports import free_port
from infra.redis import RedisServer
from infra.service import Service
from jobs.settings import KafkaSection
from schemas.pseudonym import Pseudonym
from schemas.redis_keys import RedisKeys
from tests.job_feed import PATIENCE_S, JobFeed, job_environment, new_topics, until
from tests.pipeline.story import Story, told
from tests.s3_server import S3Server

SECRET = "the secret of the pipeline tests"

METRICS_S = 1.0
"""So long the job's web interface waits before it gathers metrics anew."""


@dataclass
class LiveJob:
    """A running job, and what one needs to feed it and to read what it wrote."""

    brokers: str
    topics: KafkaSection
    redis: redis.Redis
    environment: dict[str, str]
    web: str
    service: Service
    lake: str
    names: RedisKeys = RedisKeys()
    pseudonym: Pseudonym = field(default_factory=lambda: Pseudonym(SECRET.encode()))
    until: Callable[..., Any] = staticmethod(until)

    def __post_init__(self) -> None:
        feed = JobFeed(self.topics)
        self.producer, self.close = feed.producer, feed.close
        self.send_raw, self.send, self.send_item = feed.send_raw, feed.send, feed.send_item

    def rest(self, path: str) -> Any:
        """What Flink's REST interface answers to a GET."""
        with urllib.request.urlopen(self.web + path, timeout=30) as answer:
            return json.load(answer)

    def job(self) -> str:
        """The id of the running job."""
        [job] = [each["jid"] for each in self.rest("/jobs/overview")["jobs"] if each["state"] == "RUNNING"]
        return str(job)

    def counters(self) -> dict[str, int]:
        """Headrace's own counters, by name without what Flink puts before it: of all steps that have it, the sum.

        Flink gathers them when they are first asked for, so that the first answer may be empty.
        """
        return until(self._counters, "Flink tells the counters of the user step")

    def counters_now(self) -> dict[str, int]:
        """The counters with all that was counted by now: an answer is as old as the last time that anyone asked."""
        self.counters()
        time.sleep(2 * METRICS_S)
        return self.counters()

    def _counters(self) -> dict[str, int]:
        job = self.job()
        counted: Counter[str] = Counter()
        for vertex in self.rest(f"/jobs/{job}")["vertices"]:
            place = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            names = [each["id"] for each in self.rest(place) if ".headrace." in each["id"]]
            if names:
                asked = ",".join(name.replace(" ", "%20") for name in names)
                for each in self.rest(f"{place}?get={asked}&agg=sum"):
                    counted[each["id"].split(".headrace.", 1)[1]] += int(each["sum"])
        return dict(counted) if "accepted" in counted else {}

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
        from operators.kafka_access import KafkaAccess
        from operators.preload import read_topic

        return list(read_topic(KafkaAccess(self.brokers), topic))

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
def live_job(
    kafka_broker: KafkaBroker, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveJob]:
    """The personalize job, running, with its lake in S3."""
    lake = {"HEADRACE_LAKE__FOLDER": "s3://shop/live", **s3_server.variables}
    with running_job(kafka_broker, tmp_path_factory.mktemp("live"), lake) as job:
        yield job


@contextmanager
def running_job(broker: KafkaBroker, run: Path, told: Mapping[str, str]) -> Iterator[LiveJob]:
    """A job with topics and a Redis of its own, told these settings besides."""
    web_port = free_port()
    with RedisServer(append_only=True, run=run) as server:
        topics = new_topics(broker.brokers)
        environment = job_environment(topics, server.url, SECRET, run) | {
            "HEADRACE_FLINK__WEB_PORT": str(web_port),
            "HEADRACE_FLINK__CHECKPOINT_SECONDS": "5",
            "HEADRACE_LAKE__FOLDER": str(run / "lake"),
            **told,
        }
        service = Service("the job", run / "job.log")
        service.start([sys.executable, "-m", "jobs.cli", "run", "--restore", "none"], env=environment)
        with redis.Redis.from_url(server.url) as client:
            web = f"http://127.0.0.1:{web_port}"
            job = LiveJob(
                broker.brokers,
                topics,
                client,
                environment,
                web,
                service,
                environment["HEADRACE_LAKE__FOLDER"],
            )
            try:
                service.wait_until(lambda: is_running(job), seconds=PATIENCE_S)
                yield job
            finally:
                job.close()
                service.stop()


@pytest.fixture(scope="session")
def story(live_job: LiveJob) -> Story:
    """Everything of the story sent, followed to its end, each user's list made once more."""
    return told(live_job)


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
    """Whoever comes first waits for the job to start and for a whole stream to be followed.

    What compares the live job with the story comes first: others send it more. Last comes what moves its clock.
    """
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if item.path.parent == here]
    ordered = sorted((items[place] for place in places), key=_turn)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


def _turn(item: pytest.Item) -> int:
    if item.path.stem.startswith("test_personalize"):
        return 0
    return 2 if item.path.stem == "test_model_swap" else 1
