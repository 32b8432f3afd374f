"""The shared part of the page, once a second: throughput, latency, recent users, and what is away."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Mapping

import msgspec
from redis.asyncio import Redis

from jobs.flink_rest import EventRate, FlinkAway, FlinkRest, JobReading
from jobs.page_catalogue import Catalogue
from jobs.page_feed import Feed
from jobs.page_view import Shown, read_profile
from jobs.worker_figures import WorkerFigures
from operators.ranker import NO_BUNDLE
from schemas.redis_keys import RedisKeys
from schemas.stats import RECENT, RECENT_LENGTH, WORKERS
from schemas.worker_models import FIELD, WorkerModels, living_models
from schemas.worker_reading import worker_reading

EVERY_S = 1.0
HISTORY = 180
SHOWN_USERS = 14


class SharedFigures:
    """Reads the figures of workers and Flink, keeps those of the last minutes, and broadcasts them."""

    def __init__(
        self,
        redis: Redis,
        keys: RedisKeys,
        feed: Feed,
        catalogue: Catalogue,
        flink: FlinkRest | None,
        hear: Callable[[Mapping[str, WorkerModels]], None] = lambda living: None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._feed = feed
        self._catalogue = catalogue
        self._flink = flink
        self._hear = hear
        self._workers = WorkerFigures()
        self._events = EventRate()
        self._job: JobReading | None = None
        self.flink_answers: bool | None = None
        self.history: deque[Shown] = deque(maxlen=HISTORY)
        self.recent: list[Shown] = []

    async def keep(self) -> None:
        """Read and broadcast for ever."""
        while True:
            await self.read()
            await asyncio.sleep(EVERY_S)

    async def keep_flink(self) -> None:
        """Ask Flink for ever; it may be away."""
        while self._flink is not None:
            try:
                self._job = await asyncio.to_thread(self._flink.running_job)
                self.flink_answers = True
            except FlinkAway:
                self._job, self.flink_answers = None, False
            if self._job is not None:
                self._events.take(self._job)
            await asyncio.sleep(EVERY_S)

    async def read(self) -> None:
        """One reading of everything that all pages share."""
        now = time.time_ns() // 1_000_000
        asking = self._redis.pipeline(transaction=False)
        asking.hkeys(self._keys.stats(WORKERS))
        (known,) = await asking.execute()
        workers = [name.decode() for name in known]
        pipeline = self._redis.pipeline(transaction=False)
        for worker in workers:
            pipeline.hgetall(self._keys.stats(worker))
        pipeline.lrange(self._keys.stats(RECENT), 0, RECENT_LENGTH - 1)
        *hashes, uids = await pipeline.execute(raise_on_error=False)
        readings = {
            worker: reading
            for worker, fields in zip(workers, hashes, strict=True)
            if isinstance(fields, dict) and (reading := worker_reading(fields)) is not None
        }
        self._workers.take(readings, now)
        whole = {
            name: fields for name, fields in zip(workers, hashes, strict=True) if isinstance(fields, dict)
        }
        living = living_models({name: fields.get(FIELD.encode()) for name, fields in whole.items()}, now)
        self._hear(living)
        figures = {
            "at": now,
            **dataclasses.asdict(self._workers.current),
            "models": sorted({models.serve.model or NO_BUNDLE for models in living.values()}),
            "events_per_s": self._events.per_second if self._job else None,
            "job": dataclasses.asdict(self._job) if self._job else None,
        }
        self.history.append(figures)
        self._feed.broadcast("figures", figures)
        if self._feed.watched and isinstance(uids, list):
            await self._read_recent([uid.decode() for uid in dict.fromkeys(uids)])

    async def _read_recent(self, uids: list[str]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for uid in uids[:SHOWN_USERS]:
            pipeline.get(self._keys.profile(uid))
        profiles = [read_profile(stored) for stored in await pipeline.execute()]
        last = {
            uid: profile.recent[0][0]
            for uid, profile in zip(uids, profiles, strict=False)
            if profile and profile.recent
        }
        items = await self._catalogue.items(last.values())
        self.recent = [
            {
                "uid": uid,
                "country": profile.country if profile else None,
                "events": profile.events if profile else None,
                "session": msgspec.to_builtins(profile.session) if profile else None,
                "last": items.get(last.get(uid, ""), {}).get("title") or last.get(uid),
            }
            for uid, profile in zip(uids, profiles, strict=False)
        ]
        self._feed.broadcast("recent", {"users": self.recent})
