"""A real Flink cluster on this machine, from the files of the `apache-flink` package.

One JobManager and any number of TaskManagers of ONE slot each: the slots of one TaskManager would
share a Python interpreter lock, and two of them are slower than one.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from infra import java
from infra.cores import bound_to_core
from infra.errors import InfraError
from infra.flink_home import add_on_options, make_flink_home
from infra.home import new_run
from infra.ports import HOST, claim, free_port
from infra.s3 import GROUP as S3
from infra.s3 import s3_access
from infra.service import Service

USUAL_WEB_PORT = 8081


class FlinkCluster:
    """A standalone cluster; TaskManagers can be added, killed and replaced while it runs.

    >>> with FlinkCluster(task_managers=2) as cluster:  # doctest: +SKIP
    ...     cluster.flink("run", "-d", "-py", "job.py")
    """

    def __init__(
        self,
        *,
        task_managers: int = 1,
        web_port: int | None = None,
        usual_web_port: int | None = None,
        checkpoints: Path | None = None,
        memory_mib: int = 1728,
        options: Mapping[str, str] | None = None,
        jar_groups: Sequence[str] = ("connector",),
        run: Path | None = None,
    ) -> None:
        """`memory_mib` is each TaskManager's whole process; `options`, Flink's own keys, win over ours.

        `jar_groups` are the groups of `jars.toml` that the jobs need: `lake` for the data lake, `s3` beside it where
        that lies in S3.
        """
        self._run = run or new_run("flink")
        self.web_port = claim(
            "Flink's web UI", web_port, usual=usual_web_port, option="--web-port or HEADRACE_FLINK__WEB_PORT"
        )
        self.home = self._run / "flink"
        self._checkpoints = checkpoints or self._run / "checkpoints"
        self._memory_mib = memory_mib
        self._options = dict(options or {})
        self._jar_groups = tuple(jar_groups)
        self._wanted = task_managers
        self._started = 0
        self.job_manager = Service("Flink's JobManager", self._run / "jobmanager.log")
        self.task_managers: list[Service] = []

    @property
    def address(self) -> str:
        """`host:port` of the REST interface, for `--cluster` and `flink -m`."""
        return f"{HOST}:{self.web_port}"

    @property
    def url(self) -> str:
        """The web UI."""
        return f"http://{self.address}"

    def start(self) -> FlinkCluster:
        """Start all processes and wait until every slot is offered."""
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        make_flink_home(self.home, self._configuration(), self._jar_groups)
        self.job_manager.start(self._script("jobmanager.sh"), env=self._environment())
        try:
            for _ in range(self._wanted):
                self._start_task_manager()
            self.job_manager.wait_until(self._slots_offered, seconds=180)
        except BaseException:
            self.stop()
            raise
        return self

    def add_task_manager(self) -> Service:
        """Start one more TaskManager and wait until the cluster has its slot."""
        added = self._start_task_manager()
        added.wait_until(self._slots_offered, seconds=180)
        return added

    def kill_task_manager(self, task_manager: Service | None = None) -> None:
        """End a TaskManager (the last one by default) with SIGKILL; its UDF workers end with it."""
        killed = task_manager or self.task_managers[-1]
        self.task_managers.remove(killed)
        killed.kill()

    def stop(self) -> None:
        """End everything, the UDF workers included."""
        for service in (*self.task_managers, self.job_manager):
            service.stop()
        self.task_managers.clear()

    def flink(self, *arguments: str, seconds: float = 300.0) -> str:
        """Run Flink's own command against this cluster, such as `run -d -py job.py`; what it printed.

        Raises `InfraError` with the end of its output when it fails.
        """
        command, *rest = arguments
        said = subprocess.run(
            [str(self.home / "bin" / "flink"), command, "-m", self.address, *rest],
            env=self._environment(), capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        if said.returncode:
            raise InfraError(f"flink {command} failed: {(said.stdout + said.stderr)[-3000:]}")
        return said.stdout

    def rest(self, path: str) -> Any:
        """What the REST interface answers to a GET of `path`, such as `/overview`."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def __enter__(self) -> FlinkCluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_task_manager(self) -> Service:
        self._started += 1
        log = self._run / f"taskmanager-{self._started}.log"
        service = Service(f"Flink's TaskManager {self._started}", log)
        command = bound_to_core(self._script("taskmanager.sh"), self._started - 1, of=self._wanted)
        service.start(command, env=self._environment())
        self.task_managers.append(service)
        return service

    def _slots_offered(self) -> bool:
        try:
            return bool(self.rest("/overview")["slots-total"] >= len(self.task_managers))
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def _script(self, name: str) -> Sequence[str | Path]:
        return [self.home / "bin" / name, "start-foreground"]

    def _environment(self) -> dict[str, str]:
        return {
            **java.environment(),
            "FLINK_HOME": str(self.home),
            "FLINK_CONF_DIR": str(self.home / "conf"),
            "FLINK_LIB_DIR": str(self.home / "lib"),
            "FLINK_PLUGINS_DIR": str(self.home / "plugins"),
            "FLINK_OPT_DIR": str(self.home / "opt"),
            "FLINK_LOG_DIR": str(self.home / "log"),
            "FLINK_PID_DIR": str(self.home / "pid"),
        }

    def _configuration(self) -> dict[str, str]:
        return {
            **add_on_options(),
            "jobmanager.rpc.address": HOST,
            "jobmanager.rpc.port": str(free_port()),
            "jobmanager.bind-host": HOST,
            "jobmanager.memory.process.size": "1024m",
            "taskmanager.host": HOST,
            "taskmanager.bind-host": HOST,
            "taskmanager.numberOfTaskSlots": "1",
            "taskmanager.memory.process.size": f"{self._memory_mib}m",
            "rest.address": HOST,
            "rest.bind-address": HOST,
            "rest.port": str(self.web_port),
            "rest.bind-port": str(self.web_port),
            "env.java.opts.jobmanager": " ".join(java.SMALL_MACHINE),
            "env.java.opts.taskmanager": " ".join(java.SMALL_MACHINE),
            "heartbeat.interval": "1000",
            "heartbeat.timeout": "6000",
            "execution.checkpointing.dir": self._checkpoints.as_uri(),
            "io.tmp.dirs": str(self.home / "tmp"),
            **(s3_access().flink_options() if S3 in self._jar_groups else {}),
            **self._options,
        }


def wait_for_tasks(
    cluster: FlinkCluster, job: str, state: str = "RUNNING", *, seconds: float = 120.0
) -> None:
    """Return when every task of a job is in that state. Raises `InfraError` when that does not come."""
    deadline = time.monotonic() + seconds
    while True:
        vertices = cluster.rest(f"/jobs/{job}")["vertices"]
        if vertices and all(vertex["status"] == state for vertex in vertices):
            return
        if time.monotonic() > deadline:
            states = ", ".join(sorted({vertex["status"] for vertex in vertices}))
            raise InfraError(f"job {job} is not {state} after {seconds:.0f} s (its tasks: {states})")
        time.sleep(0.1)
