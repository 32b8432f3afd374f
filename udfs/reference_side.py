"""Where Redis holds which model is to serve, and how a newer reference takes the place of an older one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from operators.bundle_manifest import BundleRefused
from operators.model_reference import SLOTS, ModelRecord, decode_record, encode_record
from operators.shelf_records import encode_records
from schemas.redis_keys import RedisKeys
from udfs.item_side import FIELD

logger = logging.getLogger(__name__)


def write_reference(redis: Any, names: RedisKeys, record: ModelRecord, most_changes: int) -> ModelRecord:
    """Put a record in its slot, unless a newer one is there, and announce to every worker what is there now.

    Writing twice changes nothing. Returns the record that holds.
    """

    def change(pipeline: Any) -> ModelRecord:
        held = _read(pipeline.hget(names.model, record.slot))
        pipeline.multi()
        if held is not None and held.version >= record.version:
            return held
        newest = record.after(held)
        pipeline.hset(names.model, record.slot, encode_record(newest))
        return newest

    # A transaction that another writer disturbs is tried again by the client.
    holds: ModelRecord = redis.transaction(change, names.model, value_from_callable=True)
    if holds.version > record.version:
        logger.warning(
            "model %s version %d comes too late: version %d of %s holds",
            record.name, record.version, holds.version, holds.name,
        )  # fmt: skip
    # Also where it was there before: who wrote it may have ended before this line.
    redis.xadd(names.shelf, {FIELD: encode_records([holds])}, maxlen=most_changes)
    return holds


def stored_references(redis: Any, names: RedisKeys) -> Iterator[ModelRecord]:
    """The record of each slot that was ever filled."""
    for stored in redis.hmget(names.model, SLOTS):
        record = _read(stored)
        if record is not None:
            yield record


def _read(stored: bytes | None) -> ModelRecord | None:
    if stored is None:
        return None
    try:
        return decode_record(stored)
    except BundleRefused as why:
        logger.error("%s; it counts as none", why)
        return None
