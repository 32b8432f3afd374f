"""Counters that forget: sums of 2^(-age / half-life), bounded in number."""

from __future__ import annotations


def discount(counts: dict[str, float], factor: float) -> None:
    """Multiply every counter by `factor`, in place."""
    for name in counts:
        counts[name] *= factor


def age_factor(elapsed: int, half_life: int) -> float:
    """What is left of a weight after `elapsed` ms.

    >>> age_factor(20, 10)
    0.25
    """
    return float(2.0 ** (-elapsed / half_life))


def add(counts: dict[str, float], name: str, weight: float, most: int) -> None:
    """Add `weight` to a counter; when more than `most` names are held, the smallest other one is dropped.

    >>> c = {"a": 1.0, "b": 3.0}; add(c, "c", 2.0, most=2); sorted(c)
    ['b', 'c']
    """
    counts[name] = counts.get(name, 0.0) + weight
    if len(counts) > most:
        del counts[
            min((other for other in counts if other != name), key=lambda other: (counts[other], other))
        ]
