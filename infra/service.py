"""A local service: a process with a log, a readiness check, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from infra.errors import InfraError

GUARD = Path(__file__).with_name("guard.py")
TAIL_LINES = 15


class Service:
    """One process, started under a guard that ends it with everything it started (see `guard.py`).

    It does not get the terminal's Ctrl-C: whoever started it decides in which order things end.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._guard: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, grace: float = 10.0
    ) -> None:
        """Start the command; its output goes to the log. `grace` are the seconds it gets to end by itself."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        words = [str(word) for word in command]
        self._grace = grace
        with self.log.open("ab") as log:
            # -P keeps this folder off sys.path: it has modules that bear the names of installed packages.
            self._guard = subprocess.Popen(
                [sys.executable, "-P", str(GUARD), str(os.getpid()), str(grace), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True,
            )  # fmt: skip

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Return as soon as `ready()` is true.

        Raises `InfraError`, with the end of the log, when the service ends or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive():
                raise InfraError(f"{self.name} ended while it started; {self._quoted()}")
            if time.monotonic() > deadline:
                raise InfraError(f"{self.name} was not ready within {seconds:.0f} s; {self._quoted()}")
            time.sleep(0.05)

    def ended(self) -> str:
        """What to say of a service that ended though nobody stopped it."""
        return f"{self.name} has ended; {self._quoted()}"

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def pid(self) -> int:
        """The id of the service itself, not of its guard. Raises `InfraError` when it does not run."""
        for _ in range(100):
            with contextlib.suppress(psutil.Error, IndexError):
                if self._guard is not None:
                    return int(psutil.Process(self._guard.pid).children()[0].pid)
            if not self.alive():
                break
            time.sleep(0.02)
        raise InfraError(f"{self.name} does not run")

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would; what it had started ends with it."""
        psutil.Process(self.pid).kill()
        self.stop()

    def stop(self) -> None:
        """End the process and all it started; nothing happens when it has ended already."""
        if self._guard is None:
            return
        if self._guard.poll() is None:
            self._guard.terminate()
        try:
            self._guard.wait(self._grace + 5.0)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._guard = None

    def tail(self) -> list[str]:
        """The last lines of the log."""
        if not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]

    def _quoted(self) -> str:
        lines = "".join(f"\n    {line}" for line in self.tail())
        return f"the end of {self.log}:{lines or ' it is empty'}"
