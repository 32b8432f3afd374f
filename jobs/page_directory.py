"""Which trending scopes and items there are in Redis, from one unhurried walk over its keys."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from jobs.page_catalogue import MOST_ITEMS, Catalogue
from schemas.redis_keys import RedisKeys

KINDS_OF_INTEREST = "[it][tr]*"
"""Matches `item:` and `trending:`, and none of the keys that there is one of for every user."""

PAUSE_S = 0.005
"""Between two steps of the walk, so that Redis and the page serve others meanwhile."""


class Directory:
    """The trending scopes that the last walk found, sorted; the items go into the catalogue."""

    def __init__(self, redis: Redis, keys: RedisKeys, catalogue: Catalogue) -> None:
        self._redis = redis
        self._keys = keys
        self._catalogue = catalogue
        self.scopes: list[str] = []

    async def walk(self) -> None:
        """Go over the keys once, renew the names, and read items into the catalogue until it is full."""
        item, trending = self._keys.item(""), self._keys.trending("")
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
            room = MOST_ITEMS - items
            await self._catalogue.items(found[:room])
            items += len(found[:room])
            if cursor == 0:
                break
            await asyncio.sleep(PAUSE_S)
        self.scopes = sorted(scopes)

    async def keep(self) -> None:
        """Walk for ever: every 2 s until a scope is known, then every 20 s."""
        while True:
            await self.walk()
            await asyncio.sleep(20.0 if self.scopes else 2.0)
