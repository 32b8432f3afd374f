"""What a failed job says, and where a stopped one goes on from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.checkpoints import newest_checkpoint
from jobs.running_job import root_cause


@pytest.mark.parametrize(
    ("trace", "cause"),
    [
        ("a.B: outer\n\tat x\nCaused by: c.D: middle\n\tat y\nCaused by: e.F: inner\n\tat z", "e.F: inner"),
        ("a.B: alone\n\tat x", "a.B: alone"),
        ("  \n", "no cause is known"),
    ],
)
def test_the_innermost_cause_is_told(trace: str, cause: str) -> None:
    assert root_cause(trace) == cause


def completed(folder: Path, job: str, number: int, at: int) -> Path:
    checkpoint = folder / job / f"chk-{number}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "_metadata").write_bytes(b"")
    os.utime(checkpoint / "_metadata", (at, at))
    return checkpoint


def test_a_job_goes_on_from_the_newest_complete_checkpoint_of_any_job(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    completed(tmp_path, "first", 9, at=100)
    newest = completed(tmp_path, "second", 2, at=200)
    (tmp_path / "second" / "chk-3").mkdir()  # under way when the job ended
    assert newest_checkpoint(tmp_path) == newest
