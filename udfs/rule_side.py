"""Context rules in Redis: the newest record of each, and the word to every worker that it has changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from operators.context_rule import RuleRefused
from operators.context_rules import RuleRecord, decode_rule, encode_rule
from operators.shelf_records import encode_records
from schemas.redis_keys import RedisKeys
from udfs.item_side import FIELD

logger = logging.getLogger(__name__)


def write_rule(redis: Any, names: RedisKeys, record: RuleRecord, most_changes: int) -> None:
    """Put a record in its place, unless a newer one is there, and announce to every worker what is there now.

    Writing twice changes nothing.
    """

    def change(pipeline: Any) -> RuleRecord:
        stored = pipeline.hget(names.rules, record.name)
        held = None if stored is None else _read(stored)
        pipeline.multi()
        if held is not None and held.version > record.version:
            return held
        pipeline.hset(names.rules, record.name, encode_rule(record))
        return record

    # A transaction that another writer disturbs is tried again by the client.
    holds: RuleRecord = redis.transaction(change, names.rules, value_from_callable=True)
    # Also where it was there before: who wrote it may have ended before this line.
    redis.xadd(names.shelf, {FIELD: encode_records([holds])}, maxlen=most_changes)


def stored_rules(redis: Any, names: RedisKeys) -> Iterator[RuleRecord]:
    """The newest record of every rule that a message ever spoke of."""
    for stored in redis.hvals(names.rules):
        record = _read(stored)
        if record is not None:
            yield record


def _read(stored: bytes) -> RuleRecord | None:
    try:
        return decode_rule(stored)
    except RuleRefused as why:
        logger.error("%s; it counts as none", why)
        return None
