"""Real services for the tests: each is started when a first test asks for it, once for the whole run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import redis

from infra import java as java_runtime
from infra.kafka import QUICK_START, KafkaBroker, kept
from infra.redis import RedisServer


@pytest.fixture(scope="session")
def java() -> Path:
    """The home of the Java that Flink runs on; JAVA_HOME and PATH of this process lead to it."""
    return java_runtime.use()


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis server for the whole run; a test that needs it empty uses `redis_server`."""
    with RedisServer(run=tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """A running Redis server with nothing in it."""
    with redis.Redis.from_url(redis_process.url) as client:
        client.flushall()
    return redis_process


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One Kafka broker for the whole run; tests keep apart by topics of their own (`new_topic`)."""
    with KafkaBroker(run=tmp_path_factory.mktemp("kafka"), java_options=QUICK_START) as broker:
        yield broker


NewTopic = Callable[..., str]


@pytest.fixture
def new_topic(kafka_broker: KafkaBroker, request: pytest.FixtureRequest) -> NewTopic:
    """Creates a topic that no other test has: `new_topic("events", partitions=2)` gives its name."""

    def create(
        label: str = "topic", *, partitions: int = 1, configuration: Mapping[str, str] | None = None
    ) -> str:
        name = f"test.{label}.{uuid.uuid4().hex[:8]}"
        kafka_broker.create_topics(
            {name: kept() if configuration is None else configuration}, partitions=partitions
        )
        return name

    return create


@pytest.fixture
def headrace_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HEADRACE_HOME of the test's own, with no other HEADRACE_* variable set."""
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
