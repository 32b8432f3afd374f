"""Where Redis holds the tables of the stream's models: of each a hash of last category to its row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec

from operators.model_records import MODELS, CategoryAffinities
from schemas.redis_keys import RedisKeys

logger = logging.getLogger(__name__)

decode_row = msgspec.msgpack.Decoder(CategoryAffinities).decode
"""The row of a table of its bytes."""


def table_key(names: RedisKeys, model: str) -> str:
    """Internal: a model's table, a hash of last category to its row."""
    return names.stats(f"affinities:{model}")


def put_row(pipeline: Any, names: RedisKeys, row: CategoryAffinities, ttl: int) -> None:
    """Have a row written into its table."""
    key = table_key(names, row.model)
    pipeline.hset(key, row.last, msgspec.msgpack.encode(row))
    pipeline.expire(key, ttl)


def stored_rows(redis: Any, names: RedisKeys) -> Iterator[CategoryAffinities]:
    """Every row that Redis holds; what this release cannot read is left out, and told anew in time."""
    for model in MODELS:
        for stored in redis.hvals(table_key(names, model)):
            try:
                yield decode_row(stored)
            except (msgspec.DecodeError, msgspec.ValidationError):
                logger.warning("a row of the table of model %s cannot be read", model)
