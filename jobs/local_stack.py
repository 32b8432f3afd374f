"""The whole stack on this machine: Redis, Kafka, the job, the page, a replay; ended in reverse order."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from infra import flink, kafka, redis
from infra.errors import InfraError
from infra.home import home, new_run, sole_use
from infra.kafka import KafkaBroker
from infra.ports import claim
from infra.redis import RedisServer
from infra.service import Service
from jobs.local_topics import create_local_topics
from jobs.settings import Settings

JOB_SECONDS = 300.0
LOOK_SECONDS = 0.5
PAGE_PORT = 8080


class LocalStack:
    """Starts services; what was started is ended by leaving the `with` block, or by the end of this process.

    `data` keeps Kafka's log, Redis' file and Flink's checkpoints for the next time, unless `afresh`.
    """

    def __init__(
        self, settings: Settings, *, config: Path | None = None, data: str = "data", afresh: bool = False
    ) -> None:
        self._settings = settings
        self._data = home() / data
        self._afresh = afresh
        self._ending = ExitStack()
        self._services: list[Service] = []
        # Beside Kafka's log: a checkpoint holds offsets into that very log, and begins afresh with it.
        checkpoints = settings.flink.checkpoint_dir or self._data / "checkpoints"
        self._told = {"HEADRACE_FLINK__CHECKPOINT_DIR": str(checkpoints)}
        if config is not None:
            self._told["HEADRACE_CONFIG"] = str(config.resolve())
        self.logs = new_run("up")
        self.redis: RedisServer
        self.kafka: KafkaBroker
        self.flink_url = ""
        self.page_url = ""

    def __enter__(self) -> LocalStack:
        self._ending.enter_context(sole_use(self._data))
        if self._afresh:
            for kept in self._data.glob("*/"):
                shutil.rmtree(kept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def start_compiling(self) -> None:
        """Compile the ranking loops while the rest starts; the rank worker waits for them."""
        compiling = Service("Compiling", self.logs / "compiling.log")
        self._ending.callback(compiling.stop)
        compiling.start([sys.executable, "-m", "udfs.machine_code"], env=dict(os.environ), grace=5.0)

    def start_redis(self) -> RedisServer:
        """Start Redis, its writes kept in an append-only file."""
        section = self._settings.redis
        self.redis = RedisServer(
            port=section.port,
            usual_port=redis.USUAL_PORT,
            data=self._data / "redis",
            append_only=True,
            password=section.password.get_secret_value() if section.password else None,
            run=self.logs,
        )
        self._ending.enter_context(self.redis)
        self._services.append(self.redis.service)
        self._told["HEADRACE_REDIS__URL"] = self.redis.url
        return self.redis

    def start_kafka(self) -> KafkaBroker:
        """Start Kafka, with all topics."""
        section = self._settings.kafka
        self.kafka = KafkaBroker(
            port=section.port, usual_port=kafka.USUAL_PORT, data=self._data / "kafka", run=self.logs
        )
        self._ending.enter_context(self.kafka)
        self._services.append(self.kafka.service)
        create_local_topics(self.kafka.brokers, section)
        self._told["HEADRACE_KAFKA__BROKERS"] = self.kafka.brokers
        return self.kafka

    def tell(self, **variables: str) -> None:
        """Settings for the commands that are started from now on, as environment variables."""
        self._told |= variables

    def start_job(self, patience_s: float = JOB_SECONDS) -> str:
        """Start `headrace run` and wait until all its tasks run; the address of Flink's web UI."""
        port = claim(
            "Flink's web UI",
            self._settings.flink.web_port,
            usual=flink.USUAL_WEB_PORT,
            option="--web-port or HEADRACE_FLINK__WEB_PORT",
        )
        self._told["HEADRACE_FLINK__WEB_PORT"] = str(port)
        self.flink_url = f"http://127.0.0.1:{port}"
        job = self._headrace("The job", "run.log", "run")
        job.wait_until(lambda: _all_tasks_run(self.flink_url), seconds=patience_s)
        return self.flink_url

    def start_page(self) -> str:
        """Start `headrace serve` and wait until it answers; the page's address."""
        port = claim(
            "the demo page",
            self._settings.page.port,
            usual=PAGE_PORT,
            option="--page-port or HEADRACE_PAGE__PORT",
        )
        self.page_url = f"http://127.0.0.1:{port}"
        page = self._headrace(
            "The demo page", "page.log", "serve", "--port", str(port), "--flink", self.flink_url
        )
        page.wait_until(lambda: _answers(self.page_url), seconds=60)
        return self.page_url

    def start_replay(self, file: Path, rate: str, head_start: int) -> None:
        """Start `headrace send` of a file, so many events at once, then at a rate; its end is no failure."""
        words = ("send", str(file), "--rate", rate, "--head-start", str(head_start))
        replay = self._headrace("The replay", "send.log", *words)
        self._services.remove(replay)

    def wait(self) -> None:
        """Return never. Raises `InfraError` as soon as a service has ended by itself."""
        while True:
            self.check()
            time.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Raises `InfraError` when a service has ended by itself."""
        for service in self._services:
            if not service.alive():
                raise InfraError(service.ended())

    def _headrace(self, name: str, log: str, *words: str) -> Service:
        service = Service(name, self.logs / log)
        self._ending.callback(service.stop)
        service.start(
            [sys.executable, "-m", "jobs.cli", *words], env={**os.environ, **self._told}, grace=15.0
        )
        self._services.append(service)
        return service


def _all_tasks_run(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/jobs/overview", timeout=5) as answer:
            jobs = json.load(answer)["jobs"]
    except (OSError, ValueError):
        return False
    return any(
        job["state"] == "RUNNING" and job["tasks"]["running"] == job["tasks"]["total"] > 0 for job in jobs
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
