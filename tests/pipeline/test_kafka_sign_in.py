"""A Kafka that asks for a user name and a password: every client of ours signs in, and tells nobody how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from infra.java import QUICK_START
from infra.kafka import KafkaBroker
from infra.ports import free_port
from infra.redis import RedisServer
from infra.service import Service
from jobs.local_topics import create_local_topics
from jobs.settings import load
from schemas.redis_keys import RedisKeys
from tests.job_feed import own_home

USER = "headrace"
PASSWORD = uuid.uuid4().hex
PATIENCE_S = 240.0


@pytest.fixture(scope="module")
def locked_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that lets in nobody but one user."""
    run = tmp_path_factory.mktemp("locked")
    with KafkaBroker(run=run, java_options=QUICK_START, user=(USER, PASSWORD)) as broker:
        yield broker


@pytest.fixture
def variables(locked_broker: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> dict[str, str]:
    """The settings of someone who may come in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return environment | {
        "HEADRACE_HOME": str(own_home(tmp_path / "home")),
        "HEADRACE_KAFKA__BROKERS": locked_broker.brokers,
        "HEADRACE_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HEADRACE_KAFKA__SASL_MECHANISM": "PLAIN",
        "HEADRACE_KAFKA__SASL_USERNAME": USER,
        "HEADRACE_KAFKA__SASL_PASSWORD": PASSWORD,
        "HEADRACE_REDIS__URL": redis_server.url,
        "HEADRACE_PRIVACY__SECRET": "the secret of the sign-in test",
        "HEADRACE_FLINK__WEB_PORT": str(free_port()),
    }


def headrace(variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *words],
        env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_wrong_password_is_told_in_one_line(variables: dict[str, str]) -> None:
    wrong = variables | {"HEADRACE_KAFKA__SASL_PASSWORD": "wrong-password"}
    for words in (("run",), ("dead-letters", "list")):
        said = headrace(wrong, *words)
        assert (said.returncode, said.stderr.count("\n")) == (2, 1), said.stderr
        assert variables["HEADRACE_KAFKA__BROKERS"] in said.stderr
        assert "wrong-password" not in said.stderr


def test_events_reach_redis_through_a_kafka_that_asks_for_a_password(
    variables: dict[str, str], locked_broker: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    create_local_topics(locked_broker.brokers, load(variables=variables).kafka)
    file = tmp_path / "events.csv"
    now = time.time_ns() // 1_000_000
    rows = [f"ann,view,{now - 1000},mug", f"bob,view,{now - 500},plate", f"ann,search,{now},"]
    file.write_text("\n".join(["user_id,type,time,item_id", *rows, ""]))
    log = tmp_path / "job.log"
    service = Service("the job", log)
    service.start([sys.executable, "-m", "jobs.cli", "run", "--restore", "none"], env=variables)
    keys = RedisKeys()
    web = f"http://127.0.0.1:{variables['HEADRACE_FLINK__WEB_PORT']}"
    try:
        sent = headrace(variables, "send", str(file))
        assert sent.returncode == 0, sent.stderr
        with redis.Redis.from_url(redis_server.url) as client:
            service.wait_until(lambda: bool(client.keys(keys.rec("*"))) or failed(web), seconds=PATIENCE_S)
            assert failed(web) == ""
        letters = headrace(variables, "dead-letters", "list", "--json")
        assert json.loads(letters.stdout)["letters"] == 0
        [job] = json.loads(read(f"{web}/jobs"))["jobs"]
        for path in (
            "/jobmanager/config", "/jobmanager/environment", "/config", f"/jobs/{job['id']}",
            f"/jobs/{job['id']}/config", f"/jobs/{job['id']}/plan", f"/jobs/{job['id']}/checkpoints/config",
        ):  # fmt: skip
            assert PASSWORD not in read(web + path), path
        assert PASSWORD not in log.read_text()
    finally:
        service.stop()


def failed(web: str) -> str:
    """Why a task of the job failed; empty while none has."""
    try:
        [job] = json.loads(read(f"{web}/jobs"))["jobs"]
        entries = json.loads(read(f"{web}/jobs/{job['id']}/exceptions"))["exceptionHistory"]["entries"]
    except (OSError, ValueError):
        return ""
    return str(entries[0]["stacktrace"]) if entries else ""


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())
