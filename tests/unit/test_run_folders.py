"""Folders of runs do not pile up, and none goes that may be in use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.home import KEPT_RUNS, new_run

DAYS = 86_400


@pytest.fixture
def ended() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def old_run(home: Path, number: int, process: int, log_days: float = 10.0) -> Path:
    """A folder of 30 to 10 days ago, the lower its number the older, with a log."""
    folder = home / "run" / f"up-20200101-{number:06d}-{process}"
    folder.mkdir(parents=True)
    log = folder / "kafka.log"
    log.write_text("said")
    now = time.time()
    written = now - log_days * DAYS - 1_000 + number
    os.utime(log, (written, written))
    os.utime(folder, (now - 30 * DAYS + number,) * 2)
    return folder


def test_the_newest_are_kept_and_the_others_go(headrace_home: Path, ended: int) -> None:
    folders = [old_run(headrace_home, number, ended) for number in range(KEPT_RUNS + 5)]
    made = new_run("up")
    assert set(made.parent.iterdir()) == {made, *folders[6:]}


def test_a_folder_in_use_stays_however_old_it_is(headrace_home: Path, ended: int) -> None:
    mine = old_run(headrace_home, 0, os.getpid())
    other = headrace_home / "run" / "notes"
    other.mkdir()
    os.utime(other, (0, 0))
    folders = [old_run(headrace_home, number, ended, log_days=0.5) for number in range(1, KEPT_RUNS + 5)]
    made = new_run("up")
    assert set(made.parent.iterdir()) == {made, mine, other, *folders}
