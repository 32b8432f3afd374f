"""Finding where a stopped job can go on from."""

from __future__ import annotations

from pathlib import Path


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest completed checkpoint of any job in a checkpoint folder; None where there is none."""
    completed = [path.parent for path in folder.glob("*/chk-*/_metadata")]
    return max(completed, key=lambda path: (path / "_metadata").stat().st_mtime_ns, default=None)
