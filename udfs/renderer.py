"""The public item lists, `hr:similar:…` and `hr:trending:…`, rendered at most once a second."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from operators.shelf import Shelf
from schemas.item_scores import log_score
from schemas.redis_keys import RedisKeys
from schemas.redis_values import SimilarValue, TrendingValue, similar_value, trending_value
from udfs.worker_settings import PublishSettings

logger = logging.getLogger(__name__)


class Renderer:
    """Renders what changed, on a daemon thread.

    What is still to be rendered stands in Redis, for whichever worker comes first. A worker that is killed
    leaves the batch that it had taken to those items' next change.
    """

    def __init__(self, redis: Redis, names: RedisKeys, shelf: Shelf, settings: PublishSettings) -> None:
        # redis-py gives every answer the types of its two clients, sync and async.
        self._redis: Any = redis
        self._names = names
        self._shelf = shelf
        self._settings = settings
        self._of_items = {
            "co": names.similar,
            "buy:together": names.together,
            "buy:then_bought": names.then_bought,
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._render_for_ever, name="renderer", daemon=True)

    def start(self) -> None:
        """Render until `stop` or the end of the process."""
        self._thread.start()

    def stop(self) -> None:
        """Stop rendering; returns when the thread has ended."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def render(self) -> int:
        """Render what changed, up to the bound of one round. Returns how many lists were written."""
        return self._render("pop") + sum(self._render(kind) for kind in self._of_items)

    def _render(self, kind: str) -> int:
        waiting = self._names.dirty(kind)
        changed = [member.decode() for member in self._redis.spop(waiting, self._settings.most_rendered)]
        if changed:
            try:
                self._render_batch(kind, changed)
            except RedisError:
                self._redis.sadd(waiting, *changed)
                raise
        return len(changed)

    def _render_batch(self, kind: str, changed: list[str]) -> None:
        reading = self._redis.pipeline(transaction=False)
        for key in changed:
            reading.zrevrange(self._names.sums(kind, key), 0, 2 * self._settings.shown, withscores=True)
        writing = self._redis.pipeline(transaction=False)
        now = time.time_ns() // 1_000_000
        for key, members in zip(changed, reading.execute(), strict=True):
            items = self._shown(members)
            if kind in self._of_items:
                value, name = similar_value(SimilarValue(at=now, items=items)), self._of_items[kind](key)
            else:
                value = trending_value(TrendingValue(at=now, scope=key, items=items))
                name = self._names.trending(key)
            writing.set(name, value, ex=self._settings.item_ttl)
        writing.execute()

    def _shown(self, members: list[tuple[bytes, float]]) -> list[tuple[str, float]]:
        """Members that can be had now, each with its decayed sum as a share of the list's best."""
        sold = [(item, s) for item, s in ((m.decode(), s) for m, s in members) if self._is_sold(item)]
        if not sold:
            return []
        best = sold[0][1]
        return [(item, math.exp(log_score(s - best))) for item, s in sold[: self._settings.shown]]

    def _is_sold(self, item_id: str) -> bool:
        """An item not in the catalogue (yet) is taken to be sold: a site may send events alone."""
        entry = self._shelf.entry(item_id)
        return entry is None or (entry.in_stock and not entry.deleted)

    def _render_for_ever(self) -> None:
        while not self._stop.wait(self._settings.render_every):
            try:
                self.render()
            except RedisError as error:
                logger.info("rendering waits for Redis: %s", type(error).__name__)
            except Exception:
                logger.exception("a batch of lists could not be rendered; the next round goes on")
