"""Reads the running job and its count of events from Flink's REST interface."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

TIMEOUT_S = 2.0
ANSWER_LIMIT = 4_000_000


class FlinkAway(Exception):  # noqa: N818 (a state, not a fault)
    """Flink's REST interface did not answer, or not with what it documents."""


@dataclass(frozen=True)
class JobReading:
    """The job as Flink sees it now; `events` counts the records that its user step has read so far."""

    id: str
    name: str
    state: str
    running_ms: int
    events: int


class FlinkRest:
    """Asks one JobManager; `step` is a part of the name of the vertex whose input counts as events.

    Blocking, with a time limit of `TIMEOUT_S` an answer: call it from a thread. Raises `ValueError` at once
    for an address that is not http(s).
    """

    def __init__(self, url: str, step: str = "user step") -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(
                f"the address of Flink's REST interface starts with http:// or https://, not {url!r}"
            )
        self.url = url.rstrip("/")
        self._step = step.lower()

    def running_job(self) -> JobReading | None:
        """The newest running job, or None where none runs. Raises `FlinkAway` where Flink does not answer."""
        overview = self._get("/jobs/overview")
        jobs = [job for job in overview.get("jobs", []) if job.get("state") == "RUNNING"]
        if not jobs:
            return None
        job = max(jobs, key=lambda running: int(running.get("start-time", 0)))
        return JobReading(
            id=str(job["jid"]),
            name=str(job.get("name", "")),
            state=str(job["state"]),
            running_ms=int(job.get("duration", 0)),
            events=self._events(str(job["jid"])),
        )

    def _events(self, job: str) -> int:
        steps = [
            vertex
            for vertex in self._get(f"/jobs/{job}").get("vertices", [])
            if self._step in str(vertex.get("name", "")).lower()
        ]
        if not steps:
            return 0
        metrics = self._get(
            f"/jobs/{job}/vertices/{steps[0]['id']}/subtasks/metrics?get=numRecordsIn&agg=sum"
        )
        return int(sum(float(metric.get("sum", 0)) for metric in metrics))

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.url + path, timeout=TIMEOUT_S) as answer:
                return orjson.loads(answer.read(ANSWER_LIMIT))
        except (OSError, ValueError, urllib.error.URLError) as error:
            raise FlinkAway(f"Flink at {self.url} does not answer {path}: {error}") from error


class EventRate:
    """Events a second from a growing count that Flink renews only every second or so."""

    def __init__(self, window_s: float = 5.0) -> None:
        self._window = window_s
        self._counts: deque[tuple[float, int]] = deque()
        self._job = ""

    def take(self, reading: JobReading, at: float | None = None) -> None:
        """Add a reading, made at monotonic second `at` (default: now)."""
        now = time.monotonic() if at is None else at
        if reading.id != self._job or (self._counts and reading.events < self._counts[-1][1]):
            self._counts.clear()
            self._job = reading.id
        self._counts.append((now, reading.events))
        while len(self._counts) > 2 and now - self._counts[0][0] > self._window:
            self._counts.popleft()

    @property
    def per_second(self) -> float | None:
        """The rate over the window; None until there are two readings."""
        if len(self._counts) < 2:
            return None
        (start, before), (end, after) = self._counts[0], self._counts[-1]
        return (after - before) / (end - start) if end > start else None
