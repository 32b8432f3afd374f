"""Where Redis holds what the stream's models tell: figures as keys, tables as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from operators.model_records import CategoryAffinities
from schemas.redis_keys import RedisKeys

decode_row = msgspec.msgpack.Decoder(CategoryAffinities).decode
"""The row of a table of its bytes."""


def figures_key(names: RedisKeys, model: str) -> str:
    """Internal: a model's figures, JSON (`operators.model_records.ModelFigures`)."""
    return names.stats(f"model:{model}")


def table_key(names: RedisKeys, model: str) -> str:
    """Internal: a model's table, a hash of last category to its row."""
    return names.stats(f"affinities:{model}")


def write_models(
    redis: Any,
    names: RedisKeys,
    rows: Sequence[CategoryAffinities],
    figures: Sequence[tuple[str, bytes]],
    ttl: int,
) -> None:
    """Write a batch in one pipeline. Values are absolute: writing twice changes nothing."""
    pipeline = redis.pipeline(transaction=False)
    for row in rows:
        key = table_key(names, row.model)
        pipeline.hset(key, row.last, msgspec.msgpack.encode(row))
        pipeline.expire(key, ttl)
    for model, value in figures:
        pipeline.set(figures_key(names, model), value, ex=ttl)
    pipeline.execute()
