"""A worker's figures as they are read back from `hr:stats:{worker}` (see `schemas.stats`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.stats import Histogram


@dataclass(frozen=True)
class WorkerReading:
    """One reading of a worker's cumulative figures; `at` is its wall clock in ms, times are in µs."""

    at: int
    lists: int
    batches: int
    rank_us: int
    redis_us: int
    leading: Histogram
    trailing: Histogram


def worker_reading(fields: Mapping[bytes, bytes]) -> WorkerReading | None:
    """The reading in a worker's hash, or None where the hash is empty or not of this release."""
    try:
        return WorkerReading(
            at=int(fields[b"at"]),
            lists=int(fields[b"lists"]),
            batches=int(fields[b"batches"]),
            rank_us=int(fields[b"rank_us"]),
            redis_us=int(fields[b"redis_us"]),
            leading=Histogram.decode(fields[b"leading_ms"].decode()),
            trailing=Histogram.decode(fields[b"trailing_ms"].decode()),
        )
    except (KeyError, ValueError):
        return None
