"""What control messages brought for the rank workers, in Redis: the newest record of each name, and the word of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from operators.in_force import NamedRecord
from operators.shelf_records import ShelfRecord, encode_records
from schemas.errors import HeadraceError
from schemas.redis_keys import RedisKeys
from udfs.item_side import FIELD

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=NamedRecord)


class ToldSide(Generic[R]):
    """Records of one kind, in a hash of name to record at `key`, read and written by `decode` and `encode`."""

    def __init__(
        self, key: Callable[[RedisKeys], str], decode: Callable[[bytes], R], encode: Callable[[R], bytes]
    ) -> None:
        self._key = key
        self._decode = decode
        self._encode = encode

    def write(self, redis: Any, names: RedisKeys, record: R, most_changes: int) -> None:
        """Put a record in its place, unless a newer one is there, and announce to every worker what is there now.

        Writing twice changes nothing.
        """
        key = self._key(names)

        def change(pipeline: Any) -> R:
            stored = pipeline.hget(key, record.name)
            held = None if stored is None else self._read(stored)
            pipeline.multi()
            if held is not None and held.version > record.version:
                return held
            pipeline.hset(key, record.name, self._encode(record))
            return record

        # A transaction that another writer disturbs is tried again by the client.
        holds: Any = redis.transaction(change, key, value_from_callable=True)
        told: list[ShelfRecord] = [holds]
        # Also where it was there before: who wrote it may have ended before this line.
        redis.xadd(names.shelf, {FIELD: encode_records(told)}, maxlen=most_changes)

    def stored(self, redis: Any, names: RedisKeys) -> Iterator[R]:
        """The newest record of every name that a message ever spoke of."""
        for stored in redis.hvals(self._key(names)):
            record = self._read(stored)
            if record is not None:
                yield record

    def _read(self, stored: bytes) -> R | None:
        try:
            return self._decode(stored)
        except HeadraceError as why:
            logger.error("%s; it counts as none", why)
            return None
