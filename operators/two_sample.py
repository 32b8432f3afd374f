"""Do two samples of counts come from one distribution? Two tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import erfc, exp, lgamma, log, sqrt
from typing import NamedTuple

_LEAST_EXPECTED = 5.0


class Difference(NamedTuple):
    """How far two samples lie apart, from 0 to 1, and how likely so far or further is by chance alone."""

    distance: float
    p: float


SAME = Difference(0.0, 1.0)


def kolmogorov_smirnov(before: Sequence[int], after: Sequence[int]) -> Difference:
    """The two-sample test of Kolmogorov and Smirnov on counts of ordered bins: the greatest distance of the
    cumulative shares, and its asymptotic p, which is cautious for bins.

    >>> difference = kolmogorov_smirnov([50, 50, 0], [0, 50, 50])
    >>> difference.distance, round(difference.p, 9)
    (0.5, 0.0)
    """
    n, m = sum(before), sum(after)
    if not n or not m:
        return SAME
    pairs = zip(accumulate(before), accumulate(after), strict=True)
    distance = max(abs(a / n - b / m) for a, b in pairs)
    x = sqrt(n * m / (n + m)) * distance
    if x < 0.3:  # the series converges slowly there, and p is 1 to five digits
        return Difference(distance, 1.0)
    p = 2.0 * sum((-1) ** (k - 1) * exp(-2.0 * k * k * x * x) for k in range(1, 101))
    return Difference(distance, min(max(p, 0.0), 1.0))


def chi_squared(before: Mapping[str, int], after: Mapping[str, int]) -> Difference:
    """The chi-squared test of homogeneity on counts by name: the total variation distance of the shares, and
    p. Names too rare for the test count together.

    >>> chi_squared({"a": 50, "b": 50}, {"a": 50, "b": 50})
    Difference(distance=0.0, p=1.0)
    >>> chi_squared({"a": 90, "b": 10}, {"a": 10, "b": 90}).p < 1e-9
    True
    """
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return SAME
    cells: list[tuple[int, int]] = []
    rare = (0, 0)
    distance = 0.0
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name, 0), after.get(name, 0)
        distance += abs(a / n - b / m) / 2.0
        if (a + b) * min(n, m) / (n + m) < _LEAST_EXPECTED:
            rare = (rare[0] + a, rare[1] + b)
        else:
            cells.append((a, b))
    if sum(rare):
        cells.append(rare)
    freedom = len(cells) - 1
    if not freedom:
        return Difference(distance, 1.0)
    statistic = 0.0
    for a, b in cells:
        expected = (a + b) / (n + m)
        statistic += (a - n * expected) ** 2 / (n * expected) + (b - m * expected) ** 2 / (m * expected)
    return Difference(distance, _chance_beyond(statistic, freedom))


def _chance_beyond(statistic: float, freedom: int) -> float:
    """The upper tail of the chi-squared distribution: for whole degrees of freedom a finite sum, and exact."""
    half = statistic / 2.0
    if half <= 0.0:
        return 1.0
    power, p = (0.5, erfc(sqrt(half))) if freedom % 2 else (0.0, 0.0)
    while power < freedom / 2.0:
        p += exp(power * log(half) - half - lgamma(power + 1.0))
        power += 1.0
    return min(p, 1.0)
