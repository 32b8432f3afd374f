"""Which lists are logged with all that they were made from: a drawn share, and those of users who were asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from redis import Redis
from redis.exceptions import RedisError

from operators.list_inputs import inputs_of
from operators.ranker import MadeLists
from schemas.list_inputs import ListInputs, encode_inputs
from schemas.redis_keys import RedisKeys

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
_SPAN = 2**32


class Taken:
    """Takes down the inputs of the lists `places` of a batch."""

    def __init__(self, places: Sequence[int]) -> None:
        self._places = places
        self._inputs: dict[int, ListInputs] = {}

    def __call__(self, made: MadeLists) -> None:
        try:
            for place in self._places:
                self._inputs[place] = inputs_of(made, place)
        except Exception:  # what is only looked at later must not end the lists of today
            logger.exception("the inputs of a list could not be taken down; it is logged without them")

    def encoded(self, place: int) -> bytes | None:
        """The bytes of a list's inputs, where they were taken."""
        inputs = self._inputs.get(place)
        return None if inputs is None else encode_inputs(inputs)


class InputsLog:
    """Draws lists by their ids, so that a list made again after a crash is logged as before.

    `look` learns who is asked for; `start` has it look every few seconds, on a thread of its own.
    """

    def __init__(self, redis: Redis, names: RedisKeys, share: float) -> None:
        # redis-py gives every answer the types of its two clients, sync and async.
        self._redis: Any = redis
        self._key = names.asked
        self._below = int(share * _SPAN)
        self._asked: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="inputs-log", daemon=True)

    def taking(self, rec_ids: Sequence[str], uids: Sequence[str]) -> Taken | None:
        """What takes down the inputs of those of these lists that are to be logged with them; None: of none."""
        asked, below = self._asked, self._below
        places = [
            place
            for place, (rec_id, uid) in enumerate(zip(rec_ids, uids, strict=True))
            if crc32(rec_id.encode()) < below or uid in asked
        ]
        return Taken(places) if places else None

    def look(self) -> None:
        """Learn who is asked for now."""
        now = time.time_ns() // 1_000_000
        self._redis.zremrangebyscore(self._key, "-inf", f"({now}")
        uids = self._redis.zrangebyscore(self._key, now, "+inf")
        self._asked = frozenset(uid.decode() for uid in uids)

    def start(self) -> None:
        """Look every few seconds, until `stop` or the end of the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                self.look()
            except RedisError:
                # The publisher is who says that Redis is away; who was asked for stays so meanwhile.
                continue
