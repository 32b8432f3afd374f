"""A core for each of several processes that share a small machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence


def bound_to_core(command: Sequence[str | os.PathLike[str]], number: int, of: int) -> list[str]:
    """The command that runs `command`, one of `of` equal processes, on its share of this process' cores.

    `number` counts from 0. A task that moves from core to core leaves its caches behind: two TaskManagers on
    two cores did a fifth more a second so bound. The command is left as it is where it is the only one, and
    where the system has no `taskset` (util-linux).

    >>> bound_to_core(["sleep", "1"], 0, of=1)
    ['sleep', '1']
    """
    words = [str(word) for word in command]
    taskset = shutil.which("taskset")
    if of < 2 or taskset is None:
        return words
    cores = sorted(os.sched_getaffinity(0))
    share = cores[number % of :: of] or [cores[number % len(cores)]]
    return [taskset, "--cpu-list", ",".join(map(str, share)), *words]
