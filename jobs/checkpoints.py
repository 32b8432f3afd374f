"""Finding where a stopped job can go on from, and clearing away what no job will go on from."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

_JOB_ID = re.compile("[0-9a-f]{32}")
_DAY_S = 86_400


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest completed checkpoint of any job in a checkpoint folder; None where there is none."""
    completed = [path.parent for path in folder.glob("*/chk-*/_metadata")]
    return max(completed, key=lambda path: (path / "_metadata").stat().st_mtime_ns, default=None)


def prune_checkpoints(folder: Path, kept_jobs: int, going_on_from: Path | None = None) -> list[Path]:
    """Remove the folders of old jobs from a checkpoint folder, and return them.

    Kept are the `kept_jobs` jobs whose completed checkpoints are the newest, the job that `going_on_from`
    belongs to, and every job that has completed none and was begun within a day. What bears no job's name is
    left alone.
    """
    jobs = [path for path in folder.glob("*/") if _JOB_ID.fullmatch(path.name)]
    completed = {job: when for job in jobs if (when := max(_completions(job), default=None)) is not None}
    newest = sorted(completed, key=lambda job: completed[job], reverse=True)[:kept_jobs]
    begun = time.time() - _DAY_S
    removed = []
    for job in jobs:
        needed = going_on_from is not None and going_on_from.resolve().is_relative_to(job.resolve())
        fresh = job not in completed and job.stat().st_mtime > begun
        if job not in newest and not needed and not fresh:
            shutil.rmtree(job, ignore_errors=True)  # what cannot be removed now is tried again next time
            removed.append(job)
    return removed


def _completions(job: Path) -> Iterator[int]:
    return (path.stat().st_mtime_ns for path in job.glob("chk-*/_metadata"))
