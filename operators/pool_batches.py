"""Prediction errors of many users on their way to the detectors of their pools, a few at a time."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from operators.pooled_drift import PooledError

EACH = 32
MOST_POOLS = 256

_encode = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(list[PooledError]).decode
"""The errors of a batch, in the order in which they were made."""


class PoolBatches:
    """Gathers errors by pool. What it has not given away is lost in a crash; a detector hears of a few less.

    >>> batches = PoolBatches(each=2)
    >>> batches.add(PooledError("category/Toys", 0.5, 9, 1))
    >>> pool, batch = batches.add(PooledError("category/Toys", 0.7, 9, 2))
    >>> pool, [error.error for error in decode_batch(batch)]
    ('category/Toys', [0.5, 0.7])
    """

    def __init__(self, each: int = EACH, most_pools: int = MOST_POOLS) -> None:
        self._each = each
        self._most_pools = most_pools
        self._pools: OrderedDict[str, list[PooledError]] = OrderedDict()

    def add(self, error: PooledError) -> tuple[str, bytes] | None:
        """Take an error in. Returns a pool and its batch: of this pool where it is full, else of the one that was
        heard of least lately where there are too many."""
        waiting = self._pools.setdefault(error.pool, [])
        waiting.append(error)
        self._pools.move_to_end(error.pool)
        if len(waiting) >= self._each:
            del self._pools[error.pool]
            return error.pool, _encode(waiting)
        if len(self._pools) > self._most_pools:
            pool, oldest = self._pools.popitem(last=False)
            return pool, _encode(oldest)
        return None
