"""Which workers, trending scopes and items there are in Redis, from one unhurried walk over its keys."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from jobs.page_catalogue import MOST_ITEMS, Catalogue
from schemas.redis_keys import RedisKeys
from schemas.stats import RECENT

KINDS_OF_INTEREST = "[its][tr]*"
"""Matches `item:`, `trending:` and `stats:`, and none of the keys there is one of for every user."""

PAUSE_S = 0.005
"""Between two steps of the walk, so that Redis and the page serve others meanwhile."""


class Directory:
    """Names found by the last walk. `workers` and `scopes` are sorted."""

    def __init__(self, redis: Redis, keys: RedisKeys, catalogue: Catalogue) -> None:
        self._redis = redis
        self._keys = keys
        self._catalogue = catalogue
        self.workers: list[str] = []
        self.scopes: list[str] = []

    async def walk(self) -> None:
        """Go over the keys once, renew the names, and read items into the catalogue until it is full."""
        item, trending, stats = self._keys.item(""), self._keys.trending(""), self._keys.stats("")
        workers: set[str] = set()
        scopes: set[str] = set()
        cursor, items = 0, 0
        while True:
            cursor, keys = await self._redis.scan(
                cursor, match=f"{self._keys.prefix}:{KINDS_OF_INTEREST}", count=1_000
            )
            found = []
            for key in map(bytes.decode, keys):
                if key.startswith(item):
                    found.append(key.removeprefix(item))
                elif key.startswith(trending):
                    scopes.add(key.removeprefix(trending))
                elif key.startswith(stats) and key != stats + RECENT:
                    workers.add(key.removeprefix(stats))
            room = MOST_ITEMS - items
            await self._catalogue.items(found[:room])
            items += len(found[:room])
            if cursor == 0:
                break
            await asyncio.sleep(PAUSE_S)
        self.workers, self.scopes = sorted(workers), sorted(scopes)

    async def keep(self) -> None:
        """Walk for ever: every 2 s until a worker and a scope are known, then every 20 s."""
        while True:
            await self.walk()
            await asyncio.sleep(20.0 if self.workers and self.scopes else 2.0)
