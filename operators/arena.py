"""Arrays that grow by doubling up to a bound."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)

SMALLEST = 1_024
"""Rows of an arena at first."""


def rows_for(least: int, held: int, most: int) -> int:
    """Rows an arena should have so that `least` fit: `held`, doubled as often as needed, and at most `most`.

    Raises `ValueError` where `least` is more than `most`: the caller must make room first.

    >>> rows_for(1_500, 1_024, 10_000), rows_for(9_000, 8_192, 10_000)
    (2048, 10000)
    """
    if least > most:
        raise ValueError(f"an arena of at most {most} rows is asked for {least}")
    rows = max(held, 1)
    while rows < least:
        rows *= 2
    return min(rows, most)


def grown(array: NDArray[S], rows: int, fill: float | int | bool) -> NDArray[S]:
    """`array` with `rows` rows, the new ones filled with `fill`; the same object where it is that long
    already.

    >>> grown(np.ones(2, np.int32), 4, -1).tolist()
    [1, 1, -1, -1]
    """
    if rows <= len(array):
        return array
    longer = np.full((rows, *array.shape[1:]), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer
