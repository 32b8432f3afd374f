"""Where Headrace keeps what it fetches and what its local services write.

HEADRACE_HOME/
    jars/       verified jars, kept between runs
    data/       Kafka's log and Redis' append-only file of `headrace up`
    run/<id>/   logs and configuration of one run
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def home() -> Path:
    """`HEADRACE_HOME`, else `headrace` in the user's cache folder; made when it is missing."""
    named = os.environ.get("HEADRACE_HOME")
    if named:
        folder = Path(named).expanduser().absolute()
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "headrace"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def new_run(label: str) -> Path:
    """A fresh folder for the logs of one run, such as `run/up-20260131-093000-4711`."""
    folder = home() / "run" / f"{label}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
