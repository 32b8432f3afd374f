"""Real services for the tests: each is started when a first test asks for it, once for the whole run."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from infra import jars
from infra import java as java_runtime
from infra.java import QUICK_START
from infra.kafka import KafkaBroker, kept
from infra.redis import RedisServer
from infra.s3 import GROUP
from operators.held_topic import HeldTopic
from operators.kafka_access import KafkaAccess
from operators.machine_code import cache_home, code_folder
from tests.s3_server import S3Server

WITH_A_STACK = ("tests/pipeline", "tests/recovery")
"""Folders whose tests share a running job, which takes half a minute to start."""

# A shell has Ctrl-C ignored by what it starts in the background, and by all that this starts: tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How busy the machine is decides no test: a drawn example may take its time.
settings.register_profile(
    "any machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# Every HEADRACE_HOME keeps machine code of its own; the jobs of the tests, whose homes are empty, share one,
# or each would spend half a minute on compiling the same loops.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(code_folder(cache_home(os.environ), Path(__file__).parents[1] / "operators"))
)


class ByStack(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker whole files, and whole folders where their tests share a running job."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in WITH_A_STACK else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByStack:
    """How tests are given to several workers (`-n`)."""
    return ByStack(config, log)


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


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Any]:
    """A client of a running Redis server with nothing in it."""
    with redis.Redis.from_url(redis_server.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One Kafka broker for the whole run; tests keep apart by topics of their own (`new_topic`)."""
    with KafkaBroker(run=tmp_path_factory.mktemp("kafka"), java_options=QUICK_START) as broker:
        yield broker


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server of the S3 protocol for the whole run, with an empty bucket `shop`; its environment is not set."""
    jars.classpath(GROUP)
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.new_bucket("shop")
        yield server


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
def topic_records(kafka_broker: KafkaBroker) -> Callable[[str], list[Any]]:
    """Reads all records of a topic, partition by partition: `topic_records("events")`."""

    def read(topic: str) -> list[Any]:
        with closing(HeldTopic(KafkaAccess(kafka_broker.brokers), topic, patience=30)) as held:
            assert held.ends, f"there is no topic {topic}"
            return list(held.held())

    return read


@pytest.fixture
def headrace_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HEADRACE_HOME of the test's own, with no other HEADRACE_* variable set."""
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
