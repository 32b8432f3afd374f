"""A core for each of several processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from infra.cores import bound_to_core

ASKS = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]


def cores_of(number: int, of: int) -> list[int]:
    said = subprocess.run(bound_to_core(ASKS, number, of), capture_output=True, text=True, check=True)
    return [int(core) for core in said.stdout.strip().strip("[]").split(",")]


def test_one_process_has_all_cores() -> None:
    assert cores_of(0, of=1) == sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset on PATH: nothing is bound")
@pytest.mark.parametrize("of", [2, 3, 64])
def test_equal_processes_share_the_cores_evenly(of: int) -> None:
    mine = sorted(os.sched_getaffinity(0))
    shares = [cores_of(number, of) for number in range(min(of, 4))]
    assert all(share and set(share) <= set(mine) for share in shares)
    if of <= len(mine):
        assert sorted(core for share in shares for core in share) == mine
    else:
        assert all(len(share) == 1 for share in shares)
