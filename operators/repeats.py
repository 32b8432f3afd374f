"""What is bought again, how surely and after how long: by item and category, from what purchases say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.purchase_sums import AGAIN, BOUGHT, EVIDENCE, GAP, SQUARE

MEMBERS = (BOUGHT, AGAIN, GAP, SQUARE, EVIDENCE)
_PLACE = {name: place for place, name in enumerate(MEMBERS)}

_LEAST_SPREAD = 0.25
"""Of the logarithm of days: nobody buys to the day."""

Floats = NDArray[np.float64]


class Rhythm(NamedTuple):
    """By item: the `share` of its purchases that are by users who had it before, and `mean` and `spread` of
    ln(1 + days) between such purchases. All float64[n]."""

    share: Floats
    mean: Floats
    spread: Floats


class Repeats:
    """The sums of purchases (`operators.purchase_sums`), by item number and by scope number of a shelf.

    They are log-scores of one decay; only their ratios are read, so no time is needed. 40 bytes an item and scope.

    >>> from math import log, log1p
    >>> repeats = Repeats()
    >>> repeats.reserve(10, 1)
    >>> again = [log(3.0), log(3.0 * log1p(20)), log(3.0 * log1p(20) ** 2)]
    >>> repeats.tell_items([7] * 5, list(MEMBERS), [log(4.0), *again, log(4.0)])
    >>> repeats.known_of(np.array([99, 55], np.uint32), np.arange(50, 60, dtype=np.uint32)).tolist()
    [-1, -1]
    >>> repeats.known_of(np.array([57], np.uint32), np.arange(50, 60, dtype=np.uint32)).tolist()
    [7]
    >>> share, mean, _ = repeats.rhythm(np.array([7]), np.array([-1]), prior=0.0)
    >>> round(float(share[0]), 2), round(float(np.expm1(mean[0])), 2)
    (0.75, 20.0)
    """

    def __init__(self) -> None:
        self._items: Floats = np.full((SMALLEST, len(MEMBERS)), -np.inf)
        self._scopes: Floats = np.full((SMALLEST, len(MEMBERS)), -np.inf)
        self._hashes: NDArray[np.uint32] | None = None
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)

    def reserve(self, items: int, scopes: int) -> None:
        """Make sure that items and scopes of these numbers, counted from 0, have their entries."""
        self._items = grown(self._items, items, -np.inf)
        self._scopes = grown(self._scopes, -(-scopes // SMALLEST) * SMALLEST, -np.inf)

    def tell_items(self, items: Sequence[int], members: Sequence[str], scores: Sequence[float]) -> None:
        """Sum `members[k]` of an item has `scores[k]`, unless it has a greater one. Other members are left out."""
        for item, member, score in zip(items, members, scores, strict=True):
            place = _PLACE.get(member, -1)
            if place >= 0 and self._items[item, place] < score < np.inf:
                if place == _PLACE[AGAIN] and self._items[item, place] == -np.inf:
                    self._hashes = None
                self._items[item, place] = score

    def tell_scopes(self, scopes: Sequence[int], members: Sequence[str], scores: Sequence[float]) -> None:
        """The same for scopes; those below 0 are left out."""
        for scope, member, score in zip(scopes, members, scores, strict=True):
            place = _PLACE.get(member, -1)
            if place >= 0 and scope >= 0 and self._scopes[scope, place] < score < np.inf:
                self._scopes[scope, place] = score

    def known_of(self, hashes: NDArray[np.uint32], id_hash: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64[n]: the numbers of the items with these hashes that anybody bought again; -1 for others.

        `id_hash` uint32[I] are the hashes of all items by number.
        """
        if self._hashes is None:
            again = np.flatnonzero(self._items[: len(id_hash), _PLACE[AGAIN]] > -np.inf)
            order = np.argsort(id_hash[again], kind="stable")
            self._numbers, self._hashes = again[order], id_hash[again[order]]
        if not len(self._hashes):
            return np.full(len(hashes), -1, np.int64)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[at] == hashes, self._numbers[at], -1)

    def rhythm(self, items: NDArray[np.int64], scopes: NDArray[np.int64], prior: float) -> Rhythm:
        """How items are bought again. `scopes` int64[n] are the scopes of their categories (-1: none).

        The category counts as much as `prior` purchases of the item, and where nothing is bought again in it,
        everything does (scope 0).
        """
        own = self._items[items]
        has_pool = (scopes >= 0) & (scopes < len(self._scopes))
        pool = np.where(has_pool[:, None], self._scopes[np.where(has_pool, scopes, 0)], -np.inf)
        pool = np.where(pool[:, 1:2] > -np.inf, pool, self._scopes[0])
        # Kish's effective number of purchases: it knows neither the unit of weights nor the time.
        bought = np.exp(2.0 * own[:, 0] - own[:, 4])
        share = _shrunk(_ratio(own, 1, 0), bought, _ratio(pool, 1, 0), prior)
        repeats = bought * _ratio(own, 1, 0)
        mean = _shrunk(_ratio(own, 2, 1), repeats, _ratio(pool, 2, 1), prior)
        square = _shrunk(_ratio(own, 3, 1), repeats, _ratio(pool, 3, 1), prior)
        spread = np.sqrt(np.maximum(square - mean * mean, _LEAST_SPREAD**2))
        return Rhythm(share, mean, spread)

    def sums(self) -> tuple[Floats, Floats]:
        """float64[I, 5] and float64[S, 5]: the log-scores by item and by scope, in the order of `MEMBERS`."""
        return self._items, self._scopes

    def forget(self, freed: NDArray[np.bool_]) -> None:
        """Forget the items that are marked."""
        self._items[np.flatnonzero(freed[: len(self._items)])] = -np.inf
        self._hashes = None

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        return self._items.nbytes + self._scopes.nbytes


def _ratio(sums: Floats, over: int, under: int) -> Floats:
    """The ratio of two sums; nan where the lower one is none."""
    with np.errstate(invalid="ignore"):
        found: Floats = np.exp(sums[:, over] - sums[:, under])
    return found


def _shrunk(own: Floats, count: Floats, pool: Floats, prior: float) -> Floats:
    """An item's figure and its pool's, by their counts; what is nan counts nothing."""
    a = np.where(np.isnan(own) | np.isnan(count), 0.0, count)
    b = np.where(np.isnan(pool), 0.0, prior)
    total = np.maximum(a + b, 1e-9)
    blended: Floats = (a * np.nan_to_num(own) + b * np.nan_to_num(pool)) / total
    return blended
