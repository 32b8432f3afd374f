"""Old jobs' checkpoints are cleared away; what one may still go on from is kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jobs.checkpoints import newest_checkpoint, prune_checkpoints

DAY_S = 86_400


def job(folder: Path, number: int, age_s: float, *, completed: bool = True) -> Path:
    """The folder of a job that completed its last checkpoint, or was begun, so long ago."""
    made = folder / f"{number:032x}"
    checkpoint = made / "chk-7"
    checkpoint.mkdir(parents=True)
    (made / "shared").mkdir()
    (checkpoint / "state").write_bytes(b"state")
    moment = time.time() - age_s
    if completed:
        (checkpoint / "_metadata").write_bytes(b"metadata")
        os.utime(checkpoint / "_metadata", (moment, moment))
    os.utime(made, (moment, moment))
    return made


def test_the_newest_jobs_are_kept_and_the_others_go(tmp_path: Path) -> None:
    jobs = [job(tmp_path, number, age_s=number * 60) for number in (3, 0, 4, 1, 2)]
    newest = newest_checkpoint(tmp_path)
    removed = prune_checkpoints(tmp_path, kept_jobs=2)
    assert {each.name for each in removed} == {jobs[place].name for place in (0, 2, 4)}
    assert {each.name for each in tmp_path.iterdir()} == {jobs[1].name, jobs[3].name}
    assert newest_checkpoint(tmp_path) == newest


def test_jobs_that_completed_nothing_push_no_checkpoint_out(tmp_path: Path) -> None:
    good = job(tmp_path, 1, age_s=30 * DAY_S)
    begun = [job(tmp_path, number, age_s=60, completed=False) for number in range(2, 6)]
    failed = job(tmp_path, 9, age_s=2 * DAY_S, completed=False)
    assert prune_checkpoints(tmp_path, kept_jobs=1) == [failed]
    assert {each.name for each in tmp_path.iterdir()} == {good.name, *(each.name for each in begun)}


def test_the_checkpoint_that_one_goes_on_from_is_kept(tmp_path: Path) -> None:
    old = job(tmp_path, 1, age_s=9 * DAY_S)
    new = job(tmp_path, 2, age_s=0)
    assert prune_checkpoints(tmp_path, kept_jobs=1, going_on_from=old / "chk-7") == []
    assert prune_checkpoints(tmp_path, kept_jobs=1, going_on_from=new / "chk-7") == [old]


@pytest.mark.parametrize("name", ["savepoint-1", "offsets", "0123abcd", "g" * 32])
def test_what_is_no_jobs_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "chk-1").mkdir(parents=True)
    (tmp_path / f"{5:032x}").write_text("a file of that name")
    assert prune_checkpoints(tmp_path, kept_jobs=1) == []
    assert (tmp_path / name / "chk-1").exists()


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path: Path) -> None:
    assert prune_checkpoints(tmp_path / "nowhere", kept_jobs=1) == []
