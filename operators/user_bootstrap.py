"""How far figures could be off by the choice of users: percentile intervals by drawing users anew."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
LEVEL = 0.95
SEED = 7
MOST_CLUSTERS = 10_000
"""Where there are more users, they are dealt at random into so many clusters, which are drawn whole."""

Floats = NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True):
    """A figure, and the bounds within which it lies as far as the choice of users goes."""

    value: float
    low: float
    high: float


class UserBootstrap:
    """Means over judgements with intervals, where the judgements of one user go together.

    Users are drawn with replacement, as many as there are, each with all of their judgements (the cluster
    bootstrap: Field and Welsh, "Bootstrapping clustered data", JRSS B 2007), `draws` times; an interval holds
    the middle `LEVEL` of the means so drawn (Efron and Tibshirani, 1993, 13.3). All columns see the same
    draws, so the difference of two columns over the same judgements is paired.

    `user` int[n] is the user of each judgement. `add` all columns, then `draw`.

    >>> bootstrap = UserBootstrap(np.array([0, 0, 1]))
    >>> bootstrap.add("clicked", np.array([1.0, 1.0, 1.0]))
    >>> bootstrap.draw().interval("clicked")
    Interval(value=1.0, low=1.0, high=1.0)
    """

    def __init__(self, user: NDArray[np.int32], draws: int = DRAWS, seed: int = SEED) -> None:
        numbers, row = np.unique(user, return_inverse=True)
        self.users = len(numbers)
        self._random = np.random.default_rng(seed)
        self._draws = draws
        self._clusters = min(self.users, MOST_CLUSTERS)
        if self.users > self._clusters:
            row = self._random.permutation(self.users)[row] % self._clusters
        self._row = row
        self._columns: dict[str, int] = {}
        self._sums: list[Floats] = []
        self._counts: list[Floats] = []

    def add(self, column: str, values: Floats, chosen: NDArray[np.bool_] | None = None) -> None:
        """Take in a column, float64[n]; a nan, and what is not `chosen` (bool[n]), does not enter its mean."""
        entered = np.isfinite(values) if chosen is None else np.isfinite(values) & chosen
        row = self._row[entered]
        self._columns[column] = len(self._sums)
        total: Floats = np.bincount(row, values[entered], self._clusters).astype(np.float64)
        self._sums.append(total)
        self._counts.append(np.bincount(row, minlength=self._clusters).astype(np.float64))

    def draw(self) -> Drawn:
        """Draw users, and the means of all columns with them."""
        sums = np.array(self._sums).reshape(len(self._sums), self._clusters).T
        counts = np.array(self._counts).reshape(len(self._counts), self._clusters).T
        clusters, draws = self._clusters, self._draws if self._clusters else 0
        times = np.zeros((draws, clusters))
        for draw in range(draws):
            chosen = self._random.integers(0, clusters, clusters)
            times[draw] = np.bincount(chosen, minlength=clusters)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Drawn(self._columns, sums.sum(0) / counts.sum(0), (times @ sums) / (times @ counts))


class Drawn:
    """Means of columns: `value` over all users, float64[c], and in each draw of users, float64[draws, c]."""

    def __init__(self, columns: dict[str, int], value: Floats, drawn: Floats) -> None:
        self._columns = columns
        self._value = value
        self._drawn = drawn

    def interval(self, column: str) -> Interval | None:
        """The mean of a column; None where nothing entered it."""
        place = self._columns[column]
        return _interval(float(self._value[place]), self._drawn[:, place])

    def difference(self, column: str, other: str) -> Interval | None:
        """The mean of a column less that of another."""
        a, b = self._columns[column], self._columns[other]
        return _interval(float(self._value[a] - self._value[b]), self._drawn[:, a] - self._drawn[:, b])


def _interval(value: float, drawn: Floats) -> Interval | None:
    # A draw may hold no user of a small group; such draws say nothing of its mean.
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return None
    low, high = np.quantile(drawn, ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0)).tolist()
    return Interval(value, low, high)
