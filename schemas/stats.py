"""The figures of a worker: what `hr:stats:{worker}` holds, and the latency histogram in it.

Each rank worker writes its hash once a second. Every figure is cumulative since the worker started, so a
reader takes differences, and figures of several workers add up.

Its fields: `at` is the wall clock in ms; `lists` and `batches` count what was written; `rank_us` and `redis_us`
are microseconds spent; `leading_ms` and `trailing_ms` are encoded `Histogram`s of the time from the event to
the acknowledged write, for leading-edge and trailing refreshes; `models` says which models the worker uses
(`schemas.worker_models`), and is written also while nothing is ranked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

RECENT = "recent"
"""A name under `stats` that is no worker: `RedisKeys.stats(RECENT)` is a list of the pseudonyms
published last, newest first, of at most `RECENT_LENGTH`."""

RECENT_LENGTH = 100

WORKERS = "workers"
"""Another name under `stats` that is no worker: a hash of the workers' names and when each wrote last (ms)."""

SEGMENTS = "segments"
"""Another: a hash of how many users are in each segment."""

BUCKETS_MS: tuple[int, ...] = (
    *range(1, 10, 1),
    *range(10, 30, 2),
    *range(30, 100, 5),
    *range(100, 200, 10),
    *range(200, 500, 25),
    *range(500, 1_000, 50),
    *range(1_000, 2_000, 200),
    *range(2_000, 5_000, 500),
    *range(5_000, 10_000, 1_000),
    *(10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000),
)
"""Inclusive upper bounds of the buckets in ms; one more bucket takes everything above the last."""


class Histogram:
    """Counts of durations in the fixed buckets of `BUCKETS_MS`.

    >>> times = Histogram()
    >>> for ms in (3, 4, 120):
    ...     times.add(ms)
    >>> times.total, round(times.quantile(0.5), 1)
    (3, 3.5)
    """

    __slots__ = ("counts",)

    def __init__(self, counts: Sequence[int] | None = None) -> None:
        """Start empty, or from `counts`: one a bucket and one for the overflow.

        Raises `ValueError` where the number of counts is not that, or a count is negative.
        """
        size = len(BUCKETS_MS) + 1
        self.counts: list[int] = [0] * size if counts is None else list(counts)
        if len(self.counts) != size:
            raise ValueError(
                f"a latency histogram has {len(self.counts)} counts; this release has {size} buckets"
            )
        if min(self.counts) < 0:
            raise ValueError("a latency histogram holds a negative count")

    def add(self, ms: float, times: int = 1) -> None:
        """Count a duration of `ms` milliseconds; below zero (clocks apart) counts in the first bucket."""
        self.counts[bisect_left(BUCKETS_MS, ms)] += times

    @property
    def total(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def merge(self, other: Histogram) -> None:
        """Add the counts of `other` to these."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]

    def since(self, earlier: Histogram) -> Histogram:
        """What was counted after `earlier`, a former reading of the same worker.

        A worker that started again counts from zero: then everything it has counted is new.
        """
        gained = [now - before for now, before in zip(self.counts, earlier.counts, strict=True)]
        return Histogram(self.counts if min(gained) < 0 else gained)

    def quantile(self, q: float) -> float:
        """The duration in ms below which a share `q` of the counts lies, linear within its bucket.

        NaN where nothing was counted; the last bound where it lies in the overflow.
        Raises `ValueError` for a share outside 0 to 1.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile is a share from 0 to 1, not {q}")
        wanted = q * self.total
        if self.total == 0:
            return float("nan")
        below = 0
        for place, count in enumerate(self.counts[:-1]):
            if count and below + count >= wanted:
                lower = BUCKETS_MS[place - 1] if place else 0
                return lower + (BUCKETS_MS[place] - lower) * max(wanted - below, 0.0) / count
            below += count
        return float(BUCKETS_MS[-1])

    def encode(self) -> str:
        """The counts, comma separated, as they are kept in `hr:stats:{worker}`."""
        return ",".join(map(str, self.counts))

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """The histogram of `encode`'s text. Raises `ValueError` where it is none of this release.

        >>> times = Histogram()
        >>> times.add(12)
        >>> Histogram.decode(times.encode()).counts == times.counts
        True
        """
        return cls([int(count) for count in text.split(",")])


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of several workers' histograms."""
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total
