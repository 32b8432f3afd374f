"""Keeping a worker's shelf like Redis: filled at start, then fed by tailing two capped streams."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from operators.context_rules import RuleRecord
from operators.experiment_record import ExperimentRecord
from operators.model_reference import ModelRecord
from operators.purchase_sums import PurchaseKind
from operators.shelf import Shelf
from operators.shelf_records import (
    Arrivals,
    CoVisits,
    Items,
    Popularity,
    PurchaseScores,
    ShelfRecord,
    decode_records,
)
from schemas.item_scores import log_score
from schemas.records import Item
from schemas.redis_keys import RedisKeys
from udfs.experiment_side import stored_experiments
from udfs.item_side import FIELD
from udfs.model_rows import stored_rows
from udfs.reference_side import stored_references
from udfs.rule_side import stored_rules

logger = logging.getLogger(__name__)

_read_item = msgspec.json.Decoder(Item).decode
_SCAN = 1_000
_ALL = 0
_BLOCK_MS = 500
_SETTLED_BETWEEN = 25
"""Slices of texts compared between two looks at the streams, about 50 ms of work."""


class ShelfFollower:
    """Fills a shelf from Redis and keeps it fresh on a daemon thread of its own.

    `on_model` is told which model is to serve, and `on_rule` what is said of a context rule, when it is filled and
    whenever that changes; so is `on_experiments` of experiments, of all that are stored at once.
    """

    def __init__(
        self,
        redis: Redis,
        names: RedisKeys,
        shelf: Shelf,
        neighbours: int,
        on_model: Callable[[ModelRecord], None] = lambda record: None,
        on_rule: Callable[[RuleRecord], None] = lambda record: None,
        on_experiments: Callable[[Sequence[ExperimentRecord]], None] = lambda records: None,
    ) -> None:
        # redis-py gives every answer the types of its two clients, sync and async.
        self._redis: Any = redis
        self._names = names
        self._shelf = shelf
        self._neighbours = neighbours
        self._on_model = on_model
        self._on_rule = on_rule
        self._on_experiments = on_experiments
        self._read_to: dict[str, bytes] = {}
        self._filled = False
        self._told: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="shelf-follower", daemon=True)

    def fill(self) -> None:
        """Read everything that Redis holds of the item side. Changes after this call are followed."""
        names = self._names
        self._read_to = {names.shelf: self._tail(names.shelf), names.sessions: b"0-0"}
        self._fill_sets()
        while self._take_in(block=None):
            pass
        self._filled = True
        self._tell_refused()

    def start(self) -> None:
        """Follow changes from now on, until `stop` or the end of the process."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; returns when the thread has ended."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def _fill_sets(self) -> None:
        # First of all: rules that come later have every item looked at anew.
        for rule in stored_rules(self._redis, self._names):
            self._on_rule(rule)
        self._on_experiments(list(stored_experiments(self._redis, self._names)))
        for record in self._stored():
            # Texts are compared afterwards, between changes: no worker waits with its lists for them.
            self._shelf.apply(record, compare=False)
        for reference in stored_references(self._redis, self._names):
            self._on_model(reference)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._filled or self._fell_behind():
                    logger.warning("the shelf is filled anew: it fell behind its stream of changes")
                    self.fill()
                # While texts are left to compare, changes are looked for in between.
                unsettled = self._shelf.unsettled
                self._take_in(block=None if unsettled else _BLOCK_MS)
                for _ in range(_SETTLED_BETWEEN if unsettled else 0):
                    self._shelf.settle_some()
                self._tell_refused()
            except RedisError:
                # Ranking goes on from what the shelf holds; the publisher is who says that Redis is away.
                self._stop.wait(0.5)
            except Exception:
                logger.exception("a change of the item side could not be taken in; the shelf is filled anew")
                self._filled = False
                self._stop.wait(0.5)

    def _tell_refused(self) -> None:
        """Warn of a bound of the shelf that new names met, and again whenever their number has doubled."""
        for what, count in self._shelf.refused.items():
            if count and count >= 2 * self._told.get(what, 0):
                self._told[what] = count
                logger.warning(
                    "the shelf is full of %s: new names found no room %d times, and are served as unknown ones",
                    what,
                    count,
                )

    def _take_in(self, block: int | None) -> bool:
        answer = self._redis.xread(self._read_to, count=50, block=block)
        for stream, entries in answer:
            for entry, fields in entries:
                for record in decode_records(fields[FIELD]):
                    if isinstance(record, ModelRecord):
                        self._on_model(record)
                    elif isinstance(record, RuleRecord):
                        self._on_rule(record)
                    elif isinstance(record, ExperimentRecord):
                        self._on_experiments([record])
                    else:
                        self._shelf.apply(record)
                self._read_to[stream.decode()] = entry
        return bool(answer)

    def _tail(self, stream: str) -> bytes:
        newest = self._redis.xrevrange(stream, count=1)
        return newest[0][0] if newest else b"0-0"

    def _fell_behind(self) -> bool:
        stream = self._names.shelf
        read_to = self._read_to[stream]
        if read_to == b"0-0":
            return False
        oldest = self._redis.xrange(stream, count=1)
        if not oldest:
            self._read_to[stream] = b"0-0"
            self._read_to[self._names.sessions] = b"0-0"
            return False
        return _place(oldest[0][0]) > _place(read_to)

    def _stored(self) -> Iterator[ShelfRecord]:
        names = self._names
        for ids in self._known("item"):
            values = self._redis.mget([names.item(item_id) for item_id in ids])
            gone = [item_id for item_id, value in zip(ids, values, strict=True) if value is None]
            if gone:
                self._redis.srem(names.known("item"), *gone)
            yield Items([_read_item(value) for value in values if value is not None])
        for items, members, scores in self._best("co", self._neighbours):
            yield CoVisits(items, members, scores)
        for kind in PurchaseKind:
            for rows, members, scores in self._best(f"buy:{kind}", self._neighbours):
                yield PurchaseScores(kind.value, rows, members, scores)
        for scopes, members, scores in self._best("pop", _ALL):
            yield Popularity(scopes, members, scores)
        yield from stored_rows(self._redis, names)
        arrived = self._redis.zrange(names.arrivals, 0, -1, withscores=True)
        yield Arrivals([item.decode() for item, _ in arrived], [int(time) for _, time in arrived])

    def _known(self, kind: str) -> Iterator[list[str]]:
        cursor = 0
        while True:
            cursor, found = self._redis.sscan(self._names.known(kind), cursor, count=_SCAN)
            if found:
                yield [name.decode() for name in found]
            if cursor == 0:
                return

    def _best(self, kind: str, most: int) -> Iterator[tuple[list[str], list[str], list[float]]]:
        """Of every key of a kind its `most` best members: columns of key, member and score."""
        for keys in self._known(kind):
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.zrevrange(self._names.sums(kind, key), 0, most - 1, withscores=True)
            rows = [
                (key, member, score)
                for key, row in zip(keys, pipeline.execute(), strict=True)
                for member, score in row
            ]
            yield (
                [key for key, _, _ in rows],
                [member.decode() for _, member, _ in rows],
                [log_score(score) for _, _, score in rows],
            )


def _place(entry: bytes) -> tuple[int, int]:
    ms, _, count = entry.partition(b"-")
    return int(ms), int(count)
