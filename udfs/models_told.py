"""What the rank workers tell of their models and rules in Redis, each in its own hash."""

from __future__ import annotations

from typing import Any

from schemas.redis_keys import RedisKeys
from schemas.stats import WORKERS
from schemas.worker_models import FIELD, SILENT_AFTER_MS, WorkerModels, living_models


def models_told(redis: Any, names: RedisKeys, now: int) -> dict[str, WorkerModels]:
    """What each living worker tells, by its name; `now` is the wall clock in ms.

    Workers that have not written lately are not asked: their names stay for as long as others write. What cannot be
    read is left out.
    """
    written = redis.hgetall(names.stats(WORKERS))
    lately = sorted(
        worker.decode() for worker, at in written.items() if at.isdigit() and now - int(at) <= SILENT_AFTER_MS
    )
    pipeline = redis.pipeline(transaction=False)
    for worker in lately:
        pipeline.hget(names.stats(worker), FIELD)
    stored = zip(lately, pipeline.execute(raise_on_error=False), strict=True)
    return living_models({name: told for name, told in stored if isinstance(told, bytes)}, now)
