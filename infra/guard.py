"""The parent of one local service: it ends the service, and all that this started, when Headrace ends.

    python guard.py PARENT_PID GRACE_SECONDS COMMAND...

A Python that is killed with -9 runs no clean-up, and a Flink TaskManager that is killed leaves its
UDF workers behind. So every service runs under a guard of its own, which adopts whatever the service
orphans (PR_SET_CHILD_SUBREAPER) and is woken when its own parent dies (PR_SET_PDEATHSIG). Where the
system has neither (it is no Linux), it looks once a second whether its parent is still there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PARENT_DIED = signal.SIGUSR1
LOOK_SECONDS = 1.0


def prctl(option: int, argument: int) -> None:
    """Linux' prctl(2); nothing happens elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


class Guard:
    """Starts one command and stays until it has ended, or must be ended."""

    def __init__(self, parent: int, grace: float) -> None:
        self._parent = parent
        self._grace = grace
        self._asked_to_stop = False
        self._woken, self._wake = os.pipe()

    def run(self, command: list[str]) -> int:
        """Run the command to its end; its exit status, negative when a signal ended it."""
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(PARENT_DIED, lambda *_: None)  # it also comes when only a thread of the parent ended
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, self._stop)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_PDEATHSIG, PARENT_DIED)
        # Restored for the child: an ignored or handled signal of ours is not its business.
        service = subprocess.Popen(command, preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        while service.poll() is None and not self._asked_to_stop and os.getppid() == self._parent:
            self._rest(LOOK_SECONDS)
            self._bury(service)
        started = _descendants()
        if service.poll() is None:
            service.terminate()
            self._await(service, self._grace)
        self._end(service, {*started, *_descendants()})
        return service.wait()

    def _stop(self, *_: object) -> None:
        self._asked_to_stop = True

    def _rest(self, seconds: float) -> None:
        if select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 4096)

    def _await(self, service: subprocess.Popen[bytes], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while service.poll() is None and time.monotonic() < deadline:
            self._rest(min(LOOK_SECONDS, seconds))

    def _bury(self, service: subprocess.Popen[bytes]) -> None:
        """Collect adopted processes that ended; the service itself is left to `Popen`."""
        for process in psutil.Process().children():
            if process.pid != service.pid:
                with contextlib.suppress(psutil.Error, ChildProcessError):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        os.waitpid(process.pid, os.WNOHANG)

    def _end(self, service: subprocess.Popen[bytes], processes: set[psutil.Process]) -> None:
        for process in processes:
            if process.pid != service.pid:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
        others = [process for process in processes if process.pid != service.pid]
        _, stubborn = psutil.wait_procs(others, timeout=min(self._grace, 2.0))
        if service.poll() is None:
            service.kill()
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


if __name__ == "__main__":
    status = Guard(int(sys.argv[1]), float(sys.argv[2])).run(sys.argv[3:])
    sys.exit(status if status >= 0 else 128 - status)
