"""What the pipeline is measured on: Kafka, Redis and a standalone Flink cluster, begun anew each time."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil
from redis import Redis

from infra.errors import InfraError
from infra.flink import FlinkCluster, wait_for_tasks
from infra.home import new_run
from infra.kafka import KafkaBroker
from infra.redis import RedisServer
from jobs.flink_rest import FlinkAway, FlinkRest
from jobs.local_topics import create_local_topics
from jobs.settings import Settings
from schemas.redis_keys import RedisKeys
from schemas.stats import WORKERS
from schemas.worker_reading import WorkerReading, worker_reading

SUBMIT_S = 180.0


class BenchStack:
    """Starts all services in a `with` block, which ends them; the job is started by `start_job`.

    `told` are `HEADRACE_…` variables by which the job differs from `settings`.
    """

    def __init__(self, settings: Settings, task_managers: int, told: Mapping[str, str]) -> None:
        # One partition for each subtask: an idle one would hold the watermarks back.
        self.settings = settings.model_copy(
            update={"kafka": settings.kafka.model_copy(update={"partitions": task_managers})}
        )
        self._ending = ExitStack()
        self.run = new_run(f"bench-{task_managers}tm")
        self._kafka = KafkaBroker(run=self.run)
        self._redis = RedisServer(run=self.run, append_only=True)
        self._cluster = FlinkCluster(task_managers=task_managers, memory_mib=3584, run=self.run)
        self._told = dict(told)
        self._parallelism = task_managers
        self.names = RedisKeys(settings.redis.prefix)
        self.client: Redis

    def __enter__(self) -> BenchStack:
        with ExitStack() as starting:
            starting.enter_context(self._redis)
            starting.enter_context(self._kafka)
            self.settings = self.settings.model_copy(
                update={
                    "kafka": self.settings.kafka.model_copy(update={"brokers": self._kafka.brokers}),
                    "redis": self.settings.redis.model_copy(
                        update={"url": self._redis.url, "password": None}
                    ),
                }
            )
            create_local_topics(self._kafka.brokers, self.settings.kafka)
            self.client = Redis.from_url(self._redis.url)
            starting.callback(self.client.close)
            self._ending = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def start_job(self) -> float:
        """Start the cluster and the job, and wait until all its tasks run. Returns the seconds it took."""
        began = time.monotonic()
        self._ending.enter_context(self._cluster)
        variables = {
            **os.environ,
            **self._told,
            "HEADRACE_KAFKA__BROKERS": self._kafka.brokers,
            "HEADRACE_REDIS__URL": self._redis.url,
            "HEADRACE_FLINK__PARALLELISM": str(self._parallelism),
            "HEADRACE_FLINK__CHECKPOINT_DIR": str(self.run / "checkpoints"),
        }
        said = subprocess.run(
            [sys.executable, "-m", "jobs.cli", "run", "--cluster", self._cluster.address,
             "--restore", "none"],
            env=variables, capture_output=True, text=True, timeout=SUBMIT_S, check=False,
        )  # fmt: skip
        if said.returncode:
            raise InfraError(f"the job could not be submitted: {said.stderr.strip()[-2000:]}")
        [job] = [job["id"] for job in self._cluster.rest("/jobs")["jobs"]]
        wait_for_tasks(self._cluster, job, seconds=SUBMIT_S)
        return time.monotonic() - began

    def events_read(self) -> int:
        """How many records the user step has read so far; 0 while Flink does not say."""
        try:
            running = FlinkRest(self._cluster.url).running_job()
        except FlinkAway:
            return 0
        if running is None:
            raise InfraError(f"the job has ended; its logs are in {self.run}")
        return running.events

    def events_accepted(self) -> int:
        """How many events the user step has accepted so far, by its own counter; 0 while Flink does not say."""
        with contextlib.suppress(OSError):
            [job] = [job["id"] for job in self._cluster.rest("/jobs")["jobs"]]
            for vertex in self._cluster.rest(f"/jobs/{job}")["vertices"]:
                place = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
                for metric in self._cluster.rest(place) if "user step" in vertex["name"] else ():
                    if metric["id"].endswith(".headrace.accepted"):
                        [told] = self._cluster.rest(f"{place}?get={quote(metric['id'])}&agg=sum")
                        return int(told["sum"])
        return 0

    def task_seconds(self) -> float:
        """Processor seconds that the TaskManagers and their workers have taken so far."""
        spent = 0.0
        for service in self._cluster.task_managers:
            java = psutil.Process(service.pid)
            for process in (java, *java.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    spent += times.user + times.system
        return spent

    def restarts(self) -> int:
        """How often the job was restarted: 0 in a measurement that counts."""
        [job] = [job["id"] for job in self._cluster.rest("/jobs")["jobs"]]
        metrics = self._cluster.rest(f"/jobs/{job}/metrics?get=numRestarts")
        return int(float(metrics[0]["value"])) if metrics else 0

    def workers(self) -> dict[str, WorkerReading]:
        """The cumulative figures of every rank worker."""
        found = {}
        names: dict[bytes, bytes] = self.client.hgetall(self.names.stats(WORKERS))  # type: ignore[assignment]
        for name in names:
            fields: dict[bytes, bytes] = self.client.hgetall(self.names.stats(name.decode()))  # type: ignore[assignment]
            reading = worker_reading(fields)
            if reading is not None:
                found[name.decode()] = reading
        return found

    @property
    def logs(self) -> Path:
        """The folder of all logs of this run."""
        return self.run
