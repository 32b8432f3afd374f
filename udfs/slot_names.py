"""Which slots users may have lists of in Redis, those of former settings too."""

from __future__ import annotations

from typing import Any

from schemas.redis_keys import RedisKeys


def published_slots(redis: Any, names: RedisKeys) -> list[str]:
    """The slots beside `home` that were ever published: a list of one outlives its settings by its time to live."""
    return sorted(name.decode() for name in redis.smembers(names.slots))
