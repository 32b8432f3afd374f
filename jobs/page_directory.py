"""Which trending scopes and items there are in Redis, from an unhurried walk over two sets of names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from jobs.page_catalogue import MOST_ITEMS, Catalogue
from schemas.redis_keys import RedisKeys

MOST_SCOPES = 5_000
STEP = 500
PAUSE_S = 0.005
"""Between two steps of the walk, so that Redis and the page serve others meanwhile."""


class Directory:
    """The trending scopes that the last walk found, sorted; the items go into the catalogue.

    A walk reads the names that the job keeps of items and scopes, and no more than `MOST_ITEMS` and
    `MOST_SCOPES` of them: how many users there are does not matter.
    """

    def __init__(self, redis: Redis, keys: RedisKeys, catalogue: Catalogue) -> None:
        self._redis = redis
        self._keys = keys
        self._catalogue = catalogue
        self.scopes: list[str] = []

    async def walk(self) -> None:
        """Renew the names of scopes, and read items into the catalogue until it is full."""
        scopes: list[str] = []
        async for found in self._known("pop", MOST_SCOPES):
            pipeline = self._redis.pipeline(transaction=False)
            for scope in found:
                pipeline.exists(self._keys.trending(scope))
            shown = await pipeline.execute()
            scopes += [scope for scope, there in zip(found, shown, strict=True) if there]
        async for found in self._known("item", MOST_ITEMS):
            await self._catalogue.items(found)
        self.scopes = sorted(set(scopes))

    async def _known(self, kind: str, most: int) -> AsyncIterator[list[str]]:
        cursor, read = 0, 0
        while read < most:
            cursor, names = await self._redis.sscan(self._keys.known(kind), cursor, count=STEP)
            found = [name.decode() for name in names][: most - read]
            read += len(found)
            if found:
                yield found
            if cursor == 0:
                return
            await asyncio.sleep(PAUSE_S)

    async def keep(self) -> None:
        """Walk for ever: every 2 s until a scope is known, then every 20 s."""
        while True:
            await self.walk()
            await asyncio.sleep(20.0 if self.scopes else 2.0)
