"""Compiling the ranking loops ahead, once for all processes of this machine.

    python -m udfs.machine_code      compile what is not on disk yet

Where the code is not on disk this takes about half a minute; else under a second.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

import numba

from operators.bundle import Bundle
from operators.user_step import StepSettings
from operators.warming import warm


def compile_ahead(bundle: Bundle | None = None, step: StepSettings = StepSettings()) -> None:
    """Have every loop compiled. Of several processes one compiles, the others wait for it and load."""
    folder = Path(numba.config.CACHE_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        warm(bundle, step)


if __name__ == "__main__":
    compile_ahead()
