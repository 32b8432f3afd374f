"""The page's bounded copy of the catalogue: titles for what is shown, and a search over them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from redis.asyncio import Redis

from jobs.page_view import Shown, shown_item
from schemas.redis_keys import RedisKeys

FRESH_S = 30.0
"""An entry is read again from Redis when it is shown and older than this."""

MOST_ITEMS = 20_000
BATCH = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    item: Shown | None
    text: str
    read_at: float


class Catalogue:
    """Catalogue entries by item id, at most `most`; the ones not asked for longest go first."""

    def __init__(self, redis: Redis, keys: RedisKeys, most: int = MOST_ITEMS) -> None:
        self._redis = redis
        self._keys = keys
        self._most = most
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def items(self, ids: Iterable[str]) -> dict[str, Shown]:
        """The entries of these ids, read again where they are unknown or old; unknown items are left out."""
        wanted = list(dict.fromkeys(ids))
        fresh = time.monotonic() - FRESH_S
        old = [item_id for item_id in wanted if self._read_at(item_id) < fresh]
        for start in range(0, len(old), BATCH):
            await self._read(old[start : start + BATCH])
        found = {item_id: self._entries[item_id].item for item_id in wanted if item_id in self._entries}
        return {item_id: item for item_id, item in found.items() if item is not None}

    def search(self, query: str, most: int = 48) -> list[Shown]:
        """Entries whose title, category or id holds every word of `query`; titles that begin so first."""
        words = query.casefold().split()
        if not words:
            return []
        hits = [
            entry
            for entry in self._entries.values()
            if entry.item is not None and all(word in entry.text for word in words)
        ]
        hits.sort(key=lambda entry: (not entry.text.startswith(words[0]), len(entry.text), entry.text))
        return [entry.item for entry in hits[:most] if entry.item is not None]

    def __len__(self) -> int:
        return len(self._entries)

    def _read_at(self, item_id: str) -> float:
        entry = self._entries.get(item_id)
        return entry.read_at if entry else float("-inf")

    async def _read(self, ids: list[str]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for item_id in ids:
            pipeline.get(self._keys.item(item_id))
        now = time.monotonic()
        for item_id, stored in zip(ids, await pipeline.execute(), strict=True):
            item = shown_item(item_id, stored)
            text = f"{item['title']} {item['category']} {item_id}".casefold() if item else ""
            self._entries[item_id] = _Entry(item, text, now)
            self._entries.move_to_end(item_id)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)
