"""Throughput and latency from what the rank workers write to `hr:stats:{worker}` (see `schemas.stats`)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.stats import Histogram, merged
from schemas.worker_reading import WorkerReading

WINDOW_MS = 5_000
"""Rates and quantiles are taken over readings this far apart: short to follow, long enough for a p99."""

SILENT_AFTER_MS = 10_000
"""A worker whose figures are older than this has stopped and is left out."""


@dataclass(frozen=True)
class Latency:
    """Quantiles in ms of `count` refreshes; None where there was none."""

    count: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Figures:
    """All workers together over the last `WINDOW_MS`. Rates are per second, costs in µs a list.

    What cannot be said yet is None: it takes two readings of a worker.
    """

    workers: int
    lists_per_s: float | None
    rank_us: float | None
    redis_us: float | None
    leading: Latency
    trailing: Latency


def _latency(histogram: Histogram) -> Latency:
    p50, p99 = histogram.quantile(0.5), histogram.quantile(0.99)
    return Latency(
        count=histogram.total,
        p50=None if math.isnan(p50) else round(p50, 1),
        p99=None if math.isnan(p99) else round(p99, 1),
    )


def _per_second(first: WorkerReading, last: WorkerReading) -> float:
    return 1_000 * (last.lists - first.lists) / (last.at - first.at)


class WorkerFigures:
    """Remembers the last readings of each worker and answers with rates and quantiles.

    >>> figures = WorkerFigures()
    >>> figures.take({"a": WorkerReading(0, 10, 1, 900, 90, Histogram(), Histogram())}, now=0)
    >>> figures.take({"a": WorkerReading(1000, 30, 2, 2900, 290, Histogram(), Histogram())}, now=1000)
    >>> figures.current.lists_per_s, figures.current.rank_us
    (20.0, 100.0)
    """

    def __init__(self) -> None:
        self._readings: dict[str, deque[WorkerReading]] = {}

    def take(self, readings: Mapping[str, WorkerReading], now: int) -> None:
        """Add one reading of each worker; `now` is the reader's wall clock in ms."""
        for worker, reading in readings.items():
            kept = self._readings.setdefault(worker, deque())
            if kept and reading.lists < kept[-1].lists:
                kept.clear()  # the worker started again and counts from zero
            if not kept or reading.at > kept[-1].at:
                kept.append(reading)
            while len(kept) > 2 and kept[-1].at - kept[0].at > WINDOW_MS:
                kept.popleft()
        for worker in [name for name, kept in self._readings.items() if now - kept[-1].at > SILENT_AFTER_MS]:
            del self._readings[worker]

    @property
    def current(self) -> Figures:
        """What the readings of the last seconds come to."""
        spans = [(kept[0], kept[-1]) for kept in self._readings.values() if len(kept) > 1]
        lists = sum(last.lists - first.lists for first, last in spans)
        rank_us = sum(last.rank_us - first.rank_us for first, last in spans)
        redis_us = sum(last.redis_us - first.redis_us for first, last in spans)
        return Figures(
            workers=len(self._readings),
            lists_per_s=sum(_per_second(first, last) for first, last in spans) if spans else None,
            rank_us=rank_us / lists if lists else None,
            redis_us=redis_us / lists if lists else None,
            leading=_latency(merged(last.leading.since(first.leading) for first, last in spans)),
            trailing=_latency(merged(last.trailing.since(first.trailing) for first, last in spans)),
        )
