"""What an event of each type has to have, and which numbers make sense in it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from operators.outliers import NO_LIMITS, OutlierLimits

DAY_S = 86_400.0
YEAR_1990 = 631_152_000_000


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included unless `above_low`; never NaN or infinite.

    >>> 0.0 in Range(0, 5), 0.0 in Range(0, 5, above_low=True), float("nan") in Range(0, 5)
    (True, False, False)
    """

    low: float
    high: float
    above_low: bool = False

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.above_low and number == self.low)

    def __str__(self) -> str:
        return f"{'above' if self.above_low else 'from'} {self.low:g} to {self.high:g}"


PRICE = Range(0.0, 1_000_000.0, above_low=True)
ANY_NUMBER = Range(-1e15, 1e15)
VALUES: Mapping[str, Range] = MappingProxyType(
    {
        "rating": Range(0.0, 5.0),
        "scroll": Range(0.0, 1.0),
        "dwell": Range(0.0, DAY_S),
        "add_to_cart": PRICE,
        "remove_from_cart": PRICE,
        "purchase": PRICE,
        "refund": PRICE,
    }
)
"""What `value` may be, by event type, where the settings do not say otherwise."""


@dataclass(frozen=True)
class IngestSettings:
    """The rules of ingest, all of them configuration. Times are in ms."""

    future: int = 5 * 60_000
    """How far an event's time may lie after the timestamp of its Kafka record."""
    earliest: int = YEAR_1990
    """The first time that is taken for one: seconds sent as milliseconds fall below it."""
    longest_id: int = 256
    """Characters of a user, event or item id at most."""
    item_types: frozenset[str] = frozenset(
        {"like", "dislike", "rating", "add_to_cart", "remove_from_cart", "purchase", "refund"}
    )
    """Types that cannot do without an item."""
    value_types: frozenset[str] = frozenset({"rating"})
    """Types that cannot do without a value."""
    price_types: frozenset[str] = frozenset({"add_to_cart", "remove_from_cart", "purchase", "refund"})
    """Types whose value is a price, held to the outlier limits as well."""
    values: Mapping[str, Range] = field(default_factory=dict)
    """What `value` may be, by event type: in place of or beside `VALUES`. Others need only be numbers."""
    quantity: Range = Range(0.0, 1_000_000.0, above_low=True)
    """What `quantity` may be."""
    item_case: Literal["keep", "upper", "lower"] = "keep"
    """Whether item ids are written in one case."""
    item_pattern: str | None = None
    """A regular expression that the whole of an item id has to match to be a product (postage is none)."""
    limits: OutlierLimits = NO_LIMITS
    """Believed prices and quantities by item category."""
    limits_file: Path | None = None
    """A file of such limits, in place of `limits`; see `with_limits`."""

    def __post_init__(self) -> None:
        for name, numbers in {**self.values, "quantity": self.quantity}.items():
            if not (
                math.isfinite(numbers.low) and math.isfinite(numbers.high) and numbers.low <= numbers.high
            ):
                raise ValueError(f"range of {name}: {numbers} is no range of numbers")
        try:
            re.compile(self.item_pattern or "")
        except re.error as error:
            raise ValueError(
                f"item_pattern {self.item_pattern!r} is no regular expression: {error}"
            ) from None

    def with_limits(self) -> IngestSettings:
        """These settings with the limits of `limits_file` read in, so that workers need no file."""
        if self.limits_file is None:
            return self
        return replace(self, limits=OutlierLimits.read(self.limits_file), limits_file=None)
