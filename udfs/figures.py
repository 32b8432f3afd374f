"""What a rank worker counts of itself, written to `hr:stats:{worker}` once a second."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec import UNSET
from redis import Redis
from redis.exceptions import RedisError

from operators.refresh_request import LEADING, TRAILING
from schemas.redis_keys import RedisKeys
from schemas.stats import RECENT, RECENT_LENGTH, WORKERS, Histogram
from schemas.worker_models import FIELD, RuleRefusal, WorkerModels, encode_models

EVERY_MS = 1_000
KEPT_S = 3_600


class Figures:
    """Cumulative figures of one worker (`schemas.stats`)."""

    def __init__(self, redis: Redis, names: RedisKeys, worker: str) -> None:
        self._redis = redis
        self._key = names.stats(worker)
        self._worker = worker
        self._workers_key = names.stats(WORKERS)
        self._recent_key = names.stats(RECENT)
        self._lists = 0
        self._batches = 0
        self._rank_us = 0.0
        self._redis_us = 0.0
        self._late = {LEADING: Histogram(), TRAILING: Histogram()}
        self._recent: dict[str, None] = {}
        self._written = 0

    def count(self, lists: int, rank_s: float, redis_s: float) -> None:
        """A batch was ranked and written."""
        self._lists += lists
        self._batches += 1
        self._rank_us += rank_s * 1e6
        self._redis_us += redis_s * 1e6

    def late(self, edge: int, ms: int) -> None:
        """A list asked for at this edge was acknowledged `ms` after its event."""
        if edge in self._late:
            self._late[edge].add(ms)

    def write_when_due(self, now: int, published: Sequence[str]) -> None:
        """Write once a second; `published` are the users of the latest batch, for the list of recent ones."""
        for uid in published[-RECENT_LENGTH:]:
            self._recent.pop(uid, None)
            self._recent[uid] = None
        if now - self._written >= EVERY_MS:
            self.write(now)

    def tell_models(self, models: WorkerModels, refused: Sequence[RuleRefusal] = ()) -> None:
        """Write which models the worker uses, and which rules it refused. Its caller counts nothing else."""
        models.rules = list(refused) or UNSET
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(self._key, FIELD, encode_models(models).decode())
        pipeline.expire(self._key, KEPT_S)
        pipeline.hset(self._workers_key, self._worker, str(models.at))
        pipeline.expire(self._workers_key, KEPT_S)
        with contextlib.suppress(RedisError):
            pipeline.execute()

    def write(self, now: int) -> None:
        """Write now. A Redis that is away is no reason to hold anything back here."""
        self._written = now
        recent = list(self._recent)[-RECENT_LENGTH:]
        self._recent.clear()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(
            self._key,
            mapping={
                "at": now,
                "lists": self._lists,
                "batches": self._batches,
                "rank_us": int(self._rank_us),
                "redis_us": int(self._redis_us),
                "leading_ms": self._late[LEADING].encode(),
                "trailing_ms": self._late[TRAILING].encode(),
            },
        )
        pipeline.expire(self._key, KEPT_S)
        pipeline.hset(self._workers_key, self._worker, str(now))
        pipeline.expire(self._workers_key, KEPT_S)
        if recent:
            pipeline.lpush(self._recent_key, *recent)
            pipeline.ltrim(self._recent_key, 0, RECENT_LENGTH - 1)
        try:
            pipeline.execute()
        except RedisError:
            return
