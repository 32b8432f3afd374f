"""A user's own price level: mean and variance of log price, as river's `StandardScaler` keeps them."""

from __future__ import annotations

from math import isfinite, log, sqrt

from schemas.state import PriceScale

WIDEST = 3.0
"""Standard deviations at which a price counts as simply far off."""


def log_price(price: float | None) -> float | None:
    """The natural logarithm of a usable price, or None for a missing, non-positive or non-finite one.

    >>> log_price(1.0), log_price(0.0), log_price(None)
    (0.0, None, None)
    """
    if price is None or price <= 0.0 or not isfinite(price):
        return None
    return log(price)


def learn_price(scale: PriceScale, x: float) -> None:
    """Take one log price into the running mean and variance (Welford, in river's order of operations).

    >>> scale = PriceScale()
    >>> for x in (1.0, 3.0):
    ...     learn_price(scale, x)
    >>> scale.mean, scale.variance
    (2.0, 1.0)
    """
    scale.count += 1
    before = scale.mean
    scale.mean += (x - before) / scale.count
    scale.variance += ((x - before) * (x - scale.mean) - scale.variance) / scale.count


def price_position(scale: PriceScale, x: float) -> float:
    """Where a log price lies in the user's own range: z / `WIDEST`, clipped to ±1; 0 without a spread.

    >>> price_position(PriceScale(count=2, mean=2.0, variance=1.0), 3.5)
    0.5
    """
    if not scale.variance:
        return 0.0
    position = (x - scale.mean) / sqrt(scale.variance) / WIDEST
    return max(-1.0, min(1.0, position))
