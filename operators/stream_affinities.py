"""The tables of the stream's models on the shelf: what goes with the category that a user was last at."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from operators.item_step import top_level
from operators.model_records import ENGAGES, CategoryAffinities

MOST_ROWS = 2_048
"""Rows of all tables together. A model tells rows of the 32 categories most popular then; beyond the bound, the row
that was told longest ago goes."""

_NOTHING: Mapping[str, float] = {}


class StreamAffinities:
    """Rows by model and last category; of a row that is told again, what was told last holds.

    >>> held = StreamAffinities()
    >>> held.take(CategoryAffinities(ENGAGES, "Tea", ["Tea", "Art"], [1.0, 0.0], 20, shares=[0.5, 0.5]))
    >>> held.log_odds(ENGAGES, "Tea")["Art"], held.log_odds(ENGAGES, "Wine")
    (0.0, {})
    >>> {name: round(p, 2) for name, p in held.expected("Tea").items()}
    {'Tea': 0.73, 'Art': 0.27}
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], CategoryAffinities] = {}
        self._log_odds: dict[tuple[str, str], dict[str, float]] = {}
        self._expected: dict[str, dict[str, float]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, row: CategoryAffinities) -> None:
        """Take in a row."""
        key = row.model, row.last
        # Put in last, so that the first is always the one told longest ago.
        self._rows.pop(key, None)
        self._rows[key] = row
        self._log_odds[key] = dict(zip(row.categories, row.log_odds, strict=False))
        if row.model == ENGAGES:
            self._expected[row.last] = _by_top_level(row)
        if len(self._rows) > MOST_ROWS:
            oldest = next(iter(self._rows))
            del self._rows[oldest], self._log_odds[oldest]
            if oldest[0] == ENGAGES:
                del self._expected[oldest[1]]

    def rows(self) -> list[CategoryAffinities]:
        """All rows, the one told longest ago first."""
        return list(self._rows.values())

    def log_odds(self, model: str, last: str) -> Mapping[str, float]:
        """What a model says of categories for a user who was last at `last`; empty where it told nothing."""
        return self._log_odds.get((model, last), _NOTHING)

    def expected(self, last: str) -> Mapping[str, float]:
        """By top-level category, the probability that the next event is there, among those that the row knows."""
        return self._expected.get(last, _NOTHING)

    def nbytes(self) -> int:
        """About how many bytes the rows take."""
        return sum(200 * len(row.categories) for row in self._rows.values())


def _by_top_level(row: CategoryAffinities) -> dict[str, float]:
    """A category's share of the stream times its odds against the stream, as parts of their sum."""
    found: dict[str, float] = {}
    for category, share, odds in zip(row.categories, row.shares, row.log_odds, strict=False):
        if category != "?":
            top = top_level(category)
            found[top] = found.get(top, 0.0) + share * exp(odds)
    total = sum(found.values())
    return {name: weight / total for name, weight in found.items()} if total > 0.0 else {}
