"""Items that a list may not hold, beside those that nobody may be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.compiled import compiled_in_place
from operators.item_hash import hashes_of
from operators.shelf import Shelf

SIEVE_WORDS = 64
_SIEVE_MASK = 64 * SIEVE_WORDS - 1


class BarredArrays(NamedTuple):
    """Of user k, `number` int32[e] from `number_start[k]` to `number_start[k + 1]` are item numbers, and
    `hash` uint32[h] from `hash_start[k]` to `hash_start[k + 1]` are item hashes; starts are int64[m + 1]."""

    number: NDArray[np.int32]
    number_start: NDArray[np.int64]
    hash: NDArray[np.uint32]
    hash_start: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BarredItems:
    """For every user of a batch: items by number (an exact list) and by hash (what a record remembers)."""

    arrays: BarredArrays

    @classmethod
    def of(
        cls, exclude: Sequence[Sequence[str]] | None, hashes: Sequence[bytes], shelf: Shelf
    ) -> BarredItems:
        """`exclude[k]` are item ids and `hashes[k]` stored hashes (`item_hash`) of user k.

        Raises `ValueError` where they are of unequal numbers of users.
        """
        number = shelf.index.number
        if exclude is None:
            exclude = [()] * len(hashes)
        if len(exclude) != len(hashes):
            raise ValueError(
                f"{len(exclude)} lists to exclude for {len(hashes)} users; one per user is needed"
            )
        numbers = [[n for item_id in ids if (n := number(item_id)) >= 0] for ids in exclude]
        return cls(
            BarredArrays(
                np.array([n for some in numbers for n in some], np.int32),
                _starts([len(some) for some in numbers]),
                hashes_of(b"".join(hashes)),
                _starts([len(stored) // 4 for stored in hashes]),
            )
        )


def _starts(lengths: list[int]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


@compiled_in_place
def fill_sieve(sieve: NDArray[np.uint64], hashes: NDArray[np.uint32]) -> None:
    """Mark the low bits of each hash, so that most items are known at a glance not to be among them."""
    sieve[:] = 0
    for k in range(len(hashes)):
        low = np.int64(hashes[k]) & _SIEVE_MASK
        sieve[low >> 6] |= np.uint64(1) << np.uint64(low & 63)


@compiled_in_place
def is_hashed(sieve: NDArray[np.uint64], hashes: NDArray[np.uint32], wanted: int) -> bool:
    """Whether `wanted` is one of the hashes that filled the sieve."""
    low = np.int64(wanted) & _SIEVE_MASK
    if not (sieve[low >> 6] >> np.uint64(low & 63)) & np.uint64(1):
        return False
    found = False
    for k in range(len(hashes)):
        found = found or hashes[k] == wanted
    return found
