"""For every row, the members with the greatest scores, best first: neighbours, trending items."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.compiled import compiled


class RowArrays(NamedTuple):
    """`member` int32[R, W] and `score` float[R, W], of which a row holds the first `filled` int32[R]."""

    member: NDArray[np.int32]
    score: NDArray[np.floating[Any]]
    filled: NDArray[np.int32]


class RankedRows:
    """At most `most_rows` rows of at most `width` members. A score only ever rises, so old news changes
    nothing.

    >>> rows = RankedRows(most_rows=10, width=2, dtype=np.float64)
    >>> rows.reserve(1)
    >>> rows.raise_scores([0, 0, 0], [7, 8, 9], [1.0, 3.0, 2.0])
    >>> rows.of(0)
    [(8, 3.0), (9, 2.0)]
    """

    def __init__(self, most_rows: int, width: int, dtype: type[np.floating[Any]]) -> None:
        self._most = most_rows
        rows = min(SMALLEST, most_rows)
        self.arrays = RowArrays(
            np.full((rows, width), -1, np.int32), np.zeros((rows, width), dtype), np.zeros(rows, np.int32)
        )

    def reserve(self, rows: int) -> None:
        """Make sure that rows 0 to `rows` - 1 exist. Raises `ValueError` beyond the bound."""
        held = self.arrays
        wanted = rows_for(rows, len(held.filled), self._most)
        if wanted > len(held.filled):
            self.arrays = RowArrays(
                grown(held.member, wanted, -1), grown(held.score, wanted, 0.0), grown(held.filled, wanted, 0)
            )

    def raise_scores(self, rows: list[int], members: list[int], scores: list[float]) -> None:
        """Member `members[k]` of row `rows[k]` has score `scores[k]`, unless it has a greater one already.

        Scores that are not finite, and rows or members below 0, are left out.
        """
        raise_in(
            self.arrays, np.array(rows, np.int32), np.array(members, np.int32), np.array(scores, np.float64)
        )

    def forget(self, freed: NDArray[np.bool_], rows_too: bool) -> None:
        """Take the members marked in `freed` out of every row; with `rows_too` empty their own rows."""
        _forget(self.arrays, freed, rows_too)

    def of(self, row: int) -> list[tuple[int, float]]:
        """The members of a row with their scores, best first."""
        count = int(self.arrays.filled[row])
        return list(
            zip(
                self.arrays.member[row, :count].tolist(), self.arrays.score[row, :count].tolist(), strict=True
            )
        )

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        return sum(array.nbytes for array in self.arrays)


@compiled
def raise_in(
    held: RowArrays, rows: NDArray[np.int32], members: NDArray[np.int32], scores: NDArray[np.float64]
) -> None:
    width = held.member.shape[1]
    for k in range(len(rows)):
        row, member = rows[k], members[k]
        if row < 0 or member < 0 or not np.isfinite(scores[k]):
            continue
        score = held.score.dtype.type(scores[k])
        count = held.filled[row]
        place = 0
        while place < count and held.member[row, place] != member:
            place += 1
        if place < count:
            if score <= held.score[row, place]:
                continue
        elif count < width:
            held.filled[row] = count + 1
        else:
            place = width - 1
            if score <= held.score[row, place]:
                continue
        while place > 0 and held.score[row, place - 1] < score:
            held.score[row, place] = held.score[row, place - 1]
            held.member[row, place] = held.member[row, place - 1]
            place -= 1
        held.score[row, place] = score
        held.member[row, place] = member


@compiled
def _forget(held: RowArrays, freed: NDArray[np.bool_], rows_too: bool) -> None:
    for row in range(len(held.filled)):
        if rows_too and row < len(freed) and freed[row]:
            held.filled[row] = 0
            continue
        kept = 0
        for place in range(held.filled[row]):
            member = held.member[row, place]
            if member >= len(freed) or not freed[member]:
                held.member[row, kept] = member
                held.score[row, kept] = held.score[row, place]
                kept += 1
        held.filled[row] = kept
