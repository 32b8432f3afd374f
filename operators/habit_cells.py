"""Many small sums in few bytes: only those that something was added to are there.

The bytes are a mask of which sums are there, 32 bits little-endian, and behind it one float32 for each, in the
order of their numbers. No bytes at all means that every sum is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

CELLS = 32
_MASK_BYTES = 4
_LAYOUTS = [Struct(f"<{sums}f") for sums in range(CELLS + 1)]
_unpack_from = _LAYOUTS[1].unpack_from


def add_amounts(cells: bytes, amounts: Iterable[tuple[int, float]], weight: float = 1.0) -> bytes:
    """The bytes with each amount times `weight` added to the sum of its number, 0 to 31.

    >>> cells = add_amounts(b"", [(3, 1.5), (0, 2.0), (3, 1.0)])
    >>> amount(cells, 3), amount(cells, 0), amount(cells, 1), len(cells)
    (2.5, 2.0, 0.0, 12)
    """
    mask = int.from_bytes(cells[:_MASK_BYTES], "little")
    sums = list(_LAYOUTS[mask.bit_count()].unpack_from(cells, _MASK_BYTES)) if mask else []
    for number, added in amounts:
        bit = 1 << number
        at = (mask & (bit - 1)).bit_count()
        if mask & bit:
            sums[at] += weight * added
        else:
            mask |= bit
            sums.insert(at, weight * added)
    return mask.to_bytes(_MASK_BYTES, "little") + _LAYOUTS[len(sums)].pack(*sums)


def amount(cells: bytes, number: int) -> float:
    """One sum.

    >>> amount(b"", 7)
    0.0
    """
    mask = int.from_bytes(cells[:_MASK_BYTES], "little")
    bit = 1 << number
    if not mask & bit:
        return 0.0
    found: float = _unpack_from(cells, _MASK_BYTES + 4 * (mask & (bit - 1)).bit_count())[0]
    return found


def amounts(cells: bytes, first: int, count: int) -> list[float]:
    """The sums numbered from `first` on.

    >>> amounts(add_amounts(b"", [(4, 1.0), (6, 2.0)]), 4, 3)
    [1.0, 0.0, 2.0]
    """
    mask = int.from_bytes(cells[:_MASK_BYTES], "little")
    there = (mask >> first) & ((1 << count) - 1)
    if not there:
        return [0.0] * count
    before = (mask & ((1 << first) - 1)).bit_count()
    held = iter(_LAYOUTS[there.bit_count()].unpack_from(cells, _MASK_BYTES + 4 * before))
    return [next(held) if there >> number & 1 else 0.0 for number in range(count)]


def scaled(cells: bytes, factor: float) -> bytes:
    """Every sum times `factor`.

    >>> amount(scaled(add_amounts(b"", [(5, 3.0)]), 0.5), 5)
    1.5
    """
    layout = _LAYOUTS[len(cells) // 4 - 1]
    return cells[:_MASK_BYTES] + layout.pack(*[factor * x for x in layout.unpack_from(cells, _MASK_BYTES)])
