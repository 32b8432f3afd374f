"""The rank worker: user records in, lists and profiles out to Redis, the log of it back to Flink.

One per worker process, shared by every function that runs in it: they share the shelf, the connection and
the interpreter lock anyway.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence

import numpy as np
from redis import Redis

from operators.affinity import AffinityModel
from operators.bundle import load_bundle
from operators.candidates import SOURCES
from operators.drift import DriftDetector
from operators.profile import learning_classes, profile_of
from operators.ranker import RankedList, Ranker
from operators.refresh_request import FORGET, RefreshRequest, decode_request
from operators.shelf import Shelf
from operators.shelf_records import ShelfRecord
from schemas.list_log import ListLog
from schemas.publication import PUBLISH_SCRIPT, Published, UserValues, publish_arguments
from schemas.records import Recommendation
from schemas.redis_keys import RedisKeys, seq
from schemas.redis_values import RecValue, profile_value, rec_value
from schemas.state import UserState, decode_state
from schemas.stats import WORKERS
from udfs.figures import Figures
from udfs.item_side import ItemSide
from udfs.machine_code import compile_ahead
from udfs.patience import patiently
from udfs.renderer import Renderer
from udfs.shelf_follower import ShelfFollower
from udfs.worker_settings import WorkerSettings

logger = logging.getLogger(__name__)

_SOCKET_TIMEOUT_S = 5.0
_CLAIM_S = 300
"""For how long a worker may be busy writing the item side again before another one takes over."""


class RankWorker:
    """Ranks and publishes batches of users, and writes the item side. Not started until `start`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._redis = Redis.from_url(
            settings.redis_url, socket_timeout=_SOCKET_TIMEOUT_S, socket_connect_timeout=_SOCKET_TIMEOUT_S
        )
        self._names = RedisKeys(settings.prefix)
        self.shelf = Shelf(settings.bounds)
        bundle = self._bundle = load_bundle(settings.bundle) if settings.bundle else None
        if bundle is None:
            logger.warning("no model bundle is configured: lists come from neighbours, sessions and trending")
        self._ranker = Ranker(self.shelf, settings.rank, bundle)
        self._model = AffinityModel(settings.affinity)
        self._learning = learning_classes(self._model, DriftDetector(settings.drift))
        self._side = ItemSide(self._redis, self._names, settings.publish)
        self._follower = ShelfFollower(self._redis, self._names, self.shelf, settings.bounds.neighbours)
        self._renderer = Renderer(self._redis, self._names, self.shelf, settings.publish)
        self._log = ListLog(SOURCES)
        self._publish = self._redis.register_script(PUBLISH_SCRIPT)
        self.figures = Figures(self._redis, self._names, f"rank-{socket.gethostname()}-{os.getpid()}")

    def start(self) -> None:
        """Compile, fill the shelf from Redis, and begin to follow and to render: no list waits for these."""
        compile_ahead(self._bundle)
        patiently(self._follower.fill)
        # Where other workers are at work, they may hold what an emptied Redis has lost, and are to notice.
        if not patiently(lambda: self._redis.hlen(self._names.stats(WORKERS))):
            patiently(lambda: self._redis.set(self._names.alive, _now(), nx=True))
        self._follower.start()
        self._renderer.start()
        logger.info("the shelf holds %d items in %d bytes", len(self.shelf), self.shelf.nbytes())

    def stop(self) -> None:
        """End the threads and the connection; what was asked for is written."""
        self._follower.stop()
        self._renderer.stop()
        self.figures.write(_now())
        self._redis.close()

    def rank(self, requests: Sequence[bytes]) -> list[bytes | None]:
        """Rank and publish a batch. A user asked for several times is ranked once, by the last request.

        Returns one `headrace.Recommendation` message per request that led to a list, None for the others.
        """
        began = time.perf_counter()
        asked = [decode_request(request) for request in requests]
        states = [decode_state(request.state) for request in asked]
        last = {state.uid: place for place, state in enumerate(states)}
        forgotten = list(
            {state.uid for state, each in zip(states, asked, strict=True) if each.edge == FORGET}
        )
        places = [place for place in last.values() if asked[place].edge != FORGET]
        users = [states[place] for place in places]
        lists = self._ranker.rank(users, [user.last for user in users]) if users else []
        values = [self._values(user, ranked) for user, ranked in zip(users, lists, strict=True)]
        ranked_at = time.perf_counter()
        self._forget(forgotten)
        self._write(values)
        written_at = time.perf_counter()
        now = _now()
        self._count(asked, len(users), ranked_at - began, written_at - ranked_at)
        log: list[bytes | None] = [None] * len(requests)
        for place, message in zip(places, self._logged(users, lists, now), strict=True):
            log[place] = message
        self.figures.write_when_due(_now(), [user.uid for user in users])
        return log

    def write_items(self, records: Sequence[ShelfRecord]) -> None:
        """Write a batch of the item side to Redis and announce it to every shelf."""
        patiently(lambda: self._side.write(records))

    def _values(self, user: UserState, ranked: RankedList) -> UserValues:
        version = seq(user.born, user.n)
        rec = RecValue(
            seq=version,
            id=_rec_id(user),
            at=user.last,
            model=ranked.model,
            items=list(zip(ranked.items, ranked.scores, ranked.whys, strict=True)),
        )
        profile = profile_of(user, self._model, self._learning)
        return UserValues(user.uid, rec_value(rec), profile_value(profile), user.segments)

    def _logged(self, users: Sequence[UserState], lists: Sequence[RankedList], now: int) -> list[bytes]:
        if not lists:
            return []
        heads = [
            Recommendation(
                rec_id=_rec_id(user),
                uid=user.uid,
                seq=seq(user.born, user.n),
                at=user.last,
                written_at=now,
                model=ranked.model,
            )
            for user, ranked in zip(users, lists, strict=True)
        ]
        return self._log.encode(
            heads,
            [ranked.items for ranked in lists],
            [ranked.scores for ranked in lists],
            [ranked.whys for ranked in lists],
            np.concatenate([ranked.said for ranked in lists]),
        )

    def _forget(self, uids: Sequence[str]) -> None:
        """Erase the keys of users; what comes for them later in the batch is of a new record."""
        if uids:
            keys = [key for uid in uids for key in self._names.of_user(uid)]
            patiently(lambda: self._redis.delete(*keys))

    def _write(self, values: Sequence[UserValues]) -> None:
        if values:
            keys, args = publish_arguments(self._names, values, self._settings.publish.user_ttl)
            published = Published.of(patiently(lambda: self._publish(keys=keys, args=args)))
            if not published.marker:
                self._refill()

    def _refill(self) -> None:
        """The marker is gone, so Redis is empty: one worker writes the item side again from its shelf, then the marker.

        A worker that dies on the way leaves it to the next that notices.
        """
        claim = self._names.refill
        if not patiently(lambda: self._redis.set(claim, _now(), nx=True, ex=_CLAIM_S)):
            return
        with self.shelf.lock:
            kept = list(self.shelf.dump())
        if kept:
            logger.error(
                "Redis has lost its data: the item side is written back from this worker's shelf;"
                " each user's keys return with their next event"
            )
        for record in kept:
            self.write_items([record])
        patiently(lambda: self._redis.set(self._names.alive, _now()))
        patiently(lambda: self._redis.delete(claim))

    def _count(self, asked: Sequence[RefreshRequest], lists: int, rank_s: float, redis_s: float) -> None:
        now = _now()
        self.figures.count(lists, rank_s, redis_s)
        for request in asked:
            self.figures.late(request.edge, now - request.asked)


def _rec_id(user: UserState) -> str:
    return f"{user.uid}-{user.born:x}-{user.n:x}"


def _now() -> int:
    return time.time_ns() // 1_000_000
