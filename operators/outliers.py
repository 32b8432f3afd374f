"""Limits beyond which a price or quantity is taken for a mistake, per item category.

They are computed beforehand from recorded events, and loaded as configuration: what one user's event is worth
must not depend on which other users' events came before it (docs/decisions/0002-outlier-limits.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from schemas.errors import HeadraceError
from schemas.records import Event

ANY_CATEGORY = "*"
"""Its limits hold where a category has none of its own."""

Limits = Mapping[str, tuple[float, float]]
"""By category the least and the greatest number that is believed."""

_SIGMA_PER_MAD = 1.4826


class LimitsUnreadable(HeadraceError):  # noqa: N818
    """A file that holds no outlier limits."""


@dataclass(frozen=True)
class OutlierLimits:
    """Believed prices and quantities by item category."""

    price: Limits = field(default_factory=dict)
    quantity: Limits = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the limits as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> OutlierLimits:
        """The limits that `write` wrote. Raises `LimitsUnreadable`, naming the file."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise LimitsUnreadable(f"outlier limits in {path}: {error}") from error


NO_LIMITS = OutlierLimits()


def outlier_limits(
    samples: Iterable[tuple[str, float]],
    *,
    threshold: float = 6.0,
    least: int = 30,
    least_spread: float = 0.34,
) -> dict[str, tuple[float, float]]:
    """By category the range outside which a positive number is an outlier; `ANY_CATEGORY` over all samples.

    A number is an outlier when the robust z of its logarithm, (ln x - median) / (1.4826 MAD), exceeds
    `threshold` in size (Iglewicz and Hoaglin, 1993; of the logarithm, since prices spread by factors).
    1.4826 MAD is taken to be at least that of all samples and `least_spread`, so that a category of few items,
    or one that is nearly always sold one by one, does not refuse the next item or a dozen. Categories with
    fewer than `least` samples get no limits.

    >>> [round(limit, 2) for limit in outlier_limits([("mugs", 10.0)] * 40)["mugs"]]
    [1.3, 76.91]
    """
    logs: dict[str, list[float]] = {ANY_CATEGORY: []}
    for category, number in samples:
        if number > 0 and math.isfinite(number):
            logs.setdefault(category, []).append(math.log(number))
            logs[ANY_CATEGORY].append(math.log(number))
    spread_of_all = max(_spread(logs[ANY_CATEGORY]), least_spread) if logs[ANY_CATEGORY] else least_spread
    limits = {}
    for category, values in logs.items():
        if len(values) < least:
            continue
        middle, spread = median(values), max(_spread(values), spread_of_all)
        limits[category] = (math.exp(middle - threshold * spread), math.exp(middle + threshold * spread))
    return limits


def _spread(logs: list[float]) -> float:
    middle = median(logs)
    return _SIGMA_PER_MAD * median(abs(value - middle) for value in logs)


def limits_of(
    events: Iterable[Event],
    category_of: Callable[[str], str],
    price_types: Container[str],
    *,
    threshold: float = 6.0,
) -> OutlierLimits:
    """The limits that a history of events of `price_types` implies for the prices and quantities to come."""
    prices: list[tuple[str, float]] = []
    quantities: list[tuple[str, float]] = []
    for event in events:
        if event.type not in price_types or event.item_id is None:
            continue
        category = category_of(event.item_id)
        if event.value is not None:
            prices.append((category, event.value))
        if event.quantity is not None:
            quantities.append((category, event.quantity))
    return OutlierLimits(
        price=outlier_limits(prices, threshold=threshold),
        quantity=outlier_limits(quantities, threshold=threshold),
    )
