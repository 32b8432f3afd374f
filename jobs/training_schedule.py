"""When a bundle is due for a new one, by how old the newest is: no state of its own, so a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jobs.bundle_writer import newest_version
from operators.bundle_manifest import read_manifest
from operators.retrain_policy import RetrainRequest
from operators.segments.literals import shown_duration

SCHEDULE = "schedule"
"""Scope and detector of a request that the schedule makes."""

AGAIN_MS = 3_600_000
"""A training that failed is tried again after so long, or after the schedule's own time if that is shorter."""


class TrainingSchedule:
    """A bundle of `models` is due `every` ms after the newest was made, whatever it was made for; at once where there
    is none.

    `now` is the clock (ms since 1970). A training that kept no bundle is noted, so that the next is as far off as if it
    had; after a restart it is tried once more. Raises `BundleRefused` where the newest bundle has no sound manifest.
    """

    def __init__(self, every: int, models: Path, now: Callable[[], int]) -> None:
        if every <= 0:
            raise ValueError(f"a schedule of {every} ms; it must be more than 0")
        self._every = every
        self._models = models
        self._now = now
        self._not_before = 0

    def due_at(self) -> int:
        """When the next training is due (ms since 1970)."""
        newest = newest_version(self._models)
        if newest is None:
            return self._not_before
        made = datetime.fromisoformat(read_manifest(newest).created)
        return max(int(made.timestamp() * 1000) + self._every, self._not_before)

    def wait_s(self) -> float:
        """Seconds until then, 0 where it is due."""
        return max(self.due_at() - self._now(), 0) / 1000

    def judged(self) -> None:
        """A bundle was trained, and it was kept or not: the next is due as long from now."""
        self._not_before = self._now() + self._every

    def failed(self) -> None:
        """No bundle came of a training."""
        self._not_before = self._now() + min(self._every, AGAIN_MS)

    def request(self) -> RetrainRequest:
        """What is asked for when it is due. Its time, 0, stands for that of the latest event which is learned."""
        reason = f"a new bundle every {shown_duration(self._every)}"
        return RetrainRequest(at=0, scope=SCHEDULE, signal="age", detector=SCHEDULE, reason=reason)
