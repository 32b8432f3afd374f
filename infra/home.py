"""Where Headrace keeps what it fetches and what its local services write.

HEADRACE_HOME/
    jars/       verified jars, kept between runs
    data/       Kafka's log and Redis' append-only file of `headrace up`
    demo/       the same of `headrace up --demo`, begun anew each time
    live/       the same of `headrace evaluate --live`, begun anew each time
    run/<id>/   logs and configuration of one run; the last twenty are kept
    secret      keys the pseudonyms of users, where no other secret is set
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from infra.errors import InfraError

KEPT_RUNS = 20
"""Folders of runs that are kept, the newest ones; older ones go unless they may still be written to."""

_DAY_S = 86_400
_RUN = re.compile(r".+-\d{8}-\d{6}-(\d+)")


def home() -> Path:
    """`HEADRACE_HOME`, else `headrace` in the user's cache folder; made when it is missing."""
    named = os.environ.get("HEADRACE_HOME")
    if named:
        folder = Path(named).expanduser().absolute()
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "headrace"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Have a data folder for oneself. Raises `InfraError`, naming who has it, when another process does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use-by").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InfraError(
                f"{folder} is in use by process {lock.read().strip()};"
                " end that first, or give this one another HEADRACE_HOME"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def new_run(label: str) -> Path:
    """A fresh folder for the logs of one run, such as `run/up-20260131-093000-4711`.

    Of the others the newest are kept, `KEPT_RUNS` with this one, and besides each whose process lives or that
    was written to within a day.
    """
    runs = home() / "run"
    folder = runs / f"{label}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    newest_first = sorted(runs.iterdir(), key=_written, reverse=True)
    for other in newest_first[KEPT_RUNS:]:
        made = _RUN.fullmatch(other.name)
        if made and not psutil.pid_exists(int(made[1])) and _written(other) < time.time() - _DAY_S:
            shutil.rmtree(other, ignore_errors=True)  # another process may be at it as well
    return folder


def _written(folder: Path) -> float:
    """When something was last put into a folder or written to a file of it; 0 when it is gone meanwhile."""
    latest = 0.0
    with suppress(OSError):
        for path in (folder, *folder.iterdir()):
            latest = max(latest, path.stat().st_mtime)
    return latest
