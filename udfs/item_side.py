"""Writing the item side to Redis: absolute values, so that writing them twice changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from redis import Redis

from operators.model_records import CategoryAffinities
from operators.shelf_records import (
    Arrivals,
    CoVisits,
    Items,
    Popularity,
    PurchaseScores,
    SessionSteps,
    ShelfRecord,
    encode_records,
)
from schemas.item_scores import stored_score
from schemas.redis_keys import RedisKeys
from schemas.redis_values import item_value
from udfs.model_rows import put_row
from udfs.worker_settings import PublishSettings

FIELD = b"r"
"""The one field of a stream entry: a batch of shelf records."""

_CALL = 2_000
"""Pairs of a call at most: Redis waits for a script, about 5 µs a pair."""

_SCORES = files("schemas").joinpath("scores.lua").read_text(encoding="utf-8")
_pack = msgspec.msgpack.Encoder().encode


class ItemSide:
    """Writes shelf records to Redis and to the stream that every shelf follows, a batch in one pipeline.

    Log-scores only ever grow (`ZADD GT`), so a replay after a crash cannot take anything back.
    """

    def __init__(self, redis: Redis, names: RedisKeys, settings: PublishSettings) -> None:
        self._redis = redis
        self._names = names
        self._settings = settings

    def write(self, records: Sequence[ShelfRecord]) -> None:
        """Write a batch, and announce it."""
        names, settings = self._names, self._settings
        pipeline: Any = self._redis.pipeline(transaction=False)
        changes: list[ShelfRecord] = []
        for record in records:
            match record:
                case CoVisits(a=a, b=b, s=s):
                    self._write_scores(pipeline, "co", a, b, s)
                    changes.append(record)
                case PurchaseScores(kind=kind, a=a, b=b, s=s):
                    self._write_scores(pipeline, f"buy:{kind}", a, b, s)
                    changes.append(record)
                case Popularity(scopes=scopes, items=items, s=s):
                    self._write_scores(pipeline, "pop", scopes, items, s)
                    changes.append(record)
                case Arrivals():
                    arrived = self._not_known_yet(record)
                    if arrived.items:
                        times = dict(zip(arrived.items, arrived.times, strict=True))
                        pipeline.zadd(names.arrivals, times, lt=True)
                        pipeline.zremrangebyrank(names.arrivals, 0, -settings.most_arrivals - 1)
                        changes.append(arrived)
                case Items(items=items):
                    for item in items:
                        lives = settings.item_ttl if item.deleted else None
                        pipeline.set(names.item(item.item_id), item_value(item), ex=lives)
                    pipeline.sadd(names.known("item"), *(item.item_id for item in items))
                    changes.append(record)
                case CategoryAffinities():
                    put_row(pipeline, names, record, settings.item_ttl)
                    changes.append(record)
                case SessionSteps():
                    pipeline.xadd(
                        names.sessions,
                        {FIELD: encode_records([record])},
                        maxlen=settings.most_session_batches,
                    )
        if changes:
            pipeline.xadd(names.shelf, {FIELD: encode_records(changes)}, maxlen=settings.most_changes)
        pipeline.execute()

    def _not_known_yet(self, record: Arrivals) -> Arrivals:
        """The arrivals of items that Redis does not hold: the others came before, and have changed only."""
        redis: Any = self._redis
        known = redis.smismember(self._names.known("item"), record.items)
        new = [
            (item, at)
            for item, at, is_known in zip(record.items, record.times, known, strict=True)
            if not is_known
        ]
        return Arrivals([item for item, _ in new], [at for _, at in new])

    def _write_scores(
        self, pipeline: Any, kind: str, keys: Sequence[str], members: Sequence[str], scores: Sequence[float]
    ) -> None:
        names, settings = self._names, self._settings
        for start in range(0, len(keys), _CALL):
            part = slice(start, start + _CALL)
            pipeline.eval(
                _SCORES,
                0,
                names.sums(kind, ""),
                # What is bought again is in no public list, so nothing of it is to be rendered.
                names.known(kind) if kind == "buy:again" else names.dirty(kind),
                names.known(kind),
                settings.most_neighbours,
                settings.item_ttl,
                _pack((keys[part], members[part], [stored_score(score) for score in scores[part]])),
            )
