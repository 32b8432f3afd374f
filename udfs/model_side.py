"""Bringing what the stream's models tell to Redis: figures as keys, tables as hashes that every shelf hears of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.model_records import CategoryAffinities
from operators.shelf_records import encode_records
from schemas.redis_keys import RedisKeys
from udfs.item_side import FIELD
from udfs.model_rows import put_row


def figures_key(names: RedisKeys, model: str) -> str:
    """Internal: a model's figures, JSON (`operators.model_records.ModelFigures`)."""
    return names.stats(f"model:{model}")


def write_models(
    redis: Any,
    names: RedisKeys,
    rows: Sequence[CategoryAffinities],
    figures: Sequence[tuple[str, bytes]],
    ttl: int,
    most_changes: int,
) -> None:
    """Write a batch in one pipeline. Values are absolute: writing twice changes nothing.

    Rows are announced in the stream of changes, of which Redis keeps `most_changes`; `ttl` is in seconds.
    """
    pipeline = redis.pipeline(transaction=False)
    for row in rows:
        put_row(pipeline, names, row, ttl)
    if rows:
        pipeline.xadd(names.shelf, {FIELD: encode_records(rows)}, maxlen=most_changes)
    for model, value in figures:
        pipeline.set(figures_key(names, model), value, ex=ttl)
    pipeline.execute()
