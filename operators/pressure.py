"""How the rank stage is doing, as the user step sees it: what sizes the refresh budget."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from schemas.redis_keys import RedisKeys
from schemas.stats import WORKERS, merged
from schemas.worker_reading import WorkerReading, worker_reading

logger = logging.getLogger(__name__)

EVERY_MS = 1_000
_TIMEOUT_S = 0.2


@dataclass(frozen=True)
class PressureGauge:
    """Where the figures of the rank workers are."""

    redis_url: str
    prefix: str = "hr"

    def __repr__(self) -> str:
        return f"PressureGauge(prefix={self.prefix!r}, address hidden)"


class Pressure:
    """Reads the rank workers' figures once a second, and never holds the stream up for them."""

    def __init__(self, gauge: PressureGauge) -> None:
        self._redis = Redis.from_url(
            gauge.redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._names = RedisKeys(gauge.prefix)
        self._due = 0
        self._before: dict[str, WorkerReading] = {}
        self._alive: list[str] = []

    def is_due(self, now: int) -> bool:
        """Whether it is time to read again."""
        return now >= self._due

    def read(self, now: int) -> tuple[float, float]:
        """µs of ranking and writing a list, and median delay of leading-edge lists (ms), since last read.

        Zeros where there is nothing to read: the budget then stays as it is.
        """
        self._due = now + EVERY_MS
        try:
            workers = self._read_workers(now)
        except RedisError:
            return 0.0, 0.0
        lists = spent = 0
        late = []
        for name, figures in workers.items():
            before = self._before.get(name, figures)
            lists += figures.lists - before.lists
            spent += figures.rank_us + figures.redis_us - before.rank_us - before.redis_us
            late.append(figures.leading.since(before.leading))
        self._before = workers
        delays = merged(late)
        return (spent / lists if lists > 0 else 0.0), (delays.quantile(0.5) if delays.total else 0.0)

    def _read_workers(self, now: int) -> dict[str, WorkerReading]:
        """One round trip: the stream waits for it. A worker that is new is read from the next one on."""
        names = self._names
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(names.stats(WORKERS))
        for worker in self._alive:
            pipeline.hgetall(names.stats(worker))
        known, *answers = pipeline.execute()
        alive = [name.decode() for name, at in known.items() if now - int(at) < 10 * EVERY_MS]
        readings = zip(self._alive, map(worker_reading, answers), strict=True)
        self._alive = alive
        return {worker: reading for worker, reading in readings if reading is not None and worker in alive}
