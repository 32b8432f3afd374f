"""Where Headrace keeps what it fetches and what its local services write.

HEADRACE_HOME/
    jars/       verified jars, kept between runs
    data/       Kafka's log and Redis' append-only file of `headrace up`
    demo/       the same of `headrace up --demo`, begun anew each time
    run/<id>/   logs and configuration of one run
    secret      keys the pseudonyms of users, where no other secret is set
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import InfraError


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
    """A fresh folder for the logs of one run, such as `run/up-20260131-093000-4711`."""
    folder = home() / "run" / f"{label}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
