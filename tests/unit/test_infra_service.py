from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from infra.errors import InfraError
from infra.service import Service

REPOSITORY = Path(__file__).parents[2]

FAMILY = """
import pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""
"""A service that starts a process in a session of its own, as Flink starts its UDF workers."""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""

OWNER = """
import pathlib, sys, time
from infra.service import Service
service = Service("family", pathlib.Path(sys.argv[1], "log"))
service.start([sys.executable, "-c", sys.argv[2], sys.argv[1] + "/child"])
pathlib.Path(sys.argv[1], "service").write_text(str(service.pid))
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pid_in(path: Path) -> int:
    assert eventually(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


def gone(*pids: int) -> bool:
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # also when it ends between two looks
        return False


def test_stopping_a_service_ends_all_that_it_started(tmp_path: Path) -> None:
    service = Service("family", tmp_path / "log")
    service.start([sys.executable, "-c", FAMILY, tmp_path / "child"])
    child, parent = pid_in(tmp_path / "child"), service.pid
    service.stop()
    assert gone(parent, child)
    assert not service.alive()


def test_killing_a_service_ends_what_it_leaves_behind(tmp_path: Path) -> None:
    service = Service("family", tmp_path / "log")
    service.start([sys.executable, "-c", FAMILY, tmp_path / "child"])
    child, parent = pid_in(tmp_path / "child"), service.pid
    os.kill(parent, signal.SIGKILL)
    assert eventually(lambda: gone(parent, child))
    service.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems notice a dead parent, but later")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_services_end_when_the_process_that_started_them_is_killed(
    tmp_path: Path, end: signal.Signals
) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path, FAMILY], cwd=REPOSITORY)
    service, child = pid_in(tmp_path / "service"), pid_in(tmp_path / "child")
    owner.send_signal(end)
    owner.wait(20)
    assert eventually(lambda: gone(service, child))


def test_a_service_that_will_not_end_by_itself_is_killed(tmp_path: Path) -> None:
    service = Service("stubborn", tmp_path / "log")
    service.start([sys.executable, "-c", STUBBORN], grace=0.5)
    service.wait_until(lambda: "up" in service.tail(), seconds=20)
    pid = service.pid
    service.stop()
    assert gone(pid)


def test_a_service_that_fails_to_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    service = Service("Broken", tmp_path / "broken.log")
    service.start([sys.executable, "-c", "print('no disk left'); raise SystemExit(3)"])
    with pytest.raises(InfraError) as refused:
        service.wait_until(lambda: False, seconds=20)
    assert "Broken ended while it started" in str(refused.value)
    assert "no disk left" in str(refused.value)
    assert str(tmp_path / "broken.log") in str(refused.value)


def test_a_service_that_is_never_ready_is_reported_after_its_time(tmp_path: Path) -> None:
    service = Service("Slow", tmp_path / "slow.log")
    service.start(["sleep", "600"])
    with pytest.raises(InfraError, match=r"Slow was not ready within 0 s"):
        service.wait_until(lambda: False, seconds=0.2)
    service.stop()


def test_a_stopped_service_can_be_started_again(tmp_path: Path) -> None:
    service = Service("again", tmp_path / "log")
    for _ in range(2):
        service.start(["sleep", "600"])
        assert service.alive()
        service.stop()
        assert not service.alive()
