"""What an event of each type has to have, and which numbers make sense in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class IngestSettings:
    """The rules of ingest, all of them configuration. Times are in ms.

    `future` is how far an event's time may lie after its Kafka record's timestamp, `earliest` the first time
    that is taken for one: seconds sent as milliseconds fall below it. `item_types` cannot do without an item,
    `value_types` not without a value. Values of types that `values` does not name need only be numbers; those
    of `price_types` are also held to the outlier limits. `item_case` is keep, upper or lower; `item_pattern`,
    a regular expression, is what the whole of an item id has to match to be a product (postage is none).
    """

    future: int = 5 * 60_000
    earliest: int = YEAR_1990
    longest_id: int = 256
    item_types: frozenset[str] = frozenset(
        {"like", "dislike", "rating", "add_to_cart", "remove_from_cart", "purchase", "refund"}
    )
    value_types: frozenset[str] = frozenset({"rating"})
    price_types: frozenset[str] = frozenset({"add_to_cart", "remove_from_cart", "purchase", "refund"})
    values: Mapping[str, Range] = field(
        default_factory=lambda: {
            "rating": Range(0.0, 5.0),
            "scroll": Range(0.0, 1.0),
            "dwell": Range(0.0, DAY_S),
            "add_to_cart": PRICE,
            "remove_from_cart": PRICE,
            "purchase": PRICE,
            "refund": PRICE,
        }
    )
    quantity: Range = Range(0.0, 1_000_000.0, above_low=True)
    item_case: str = "keep"
    item_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.item_case not in ("keep", "upper", "lower"):
            raise ValueError(f"item_case {self.item_case!r}: known: keep, upper, lower")
        for name, numbers in {**self.values, "quantity": self.quantity}.items():
            if not (
                math.isfinite(numbers.low) and math.isfinite(numbers.high) and numbers.low <= numbers.high
            ):
                raise ValueError(f"range of {name}: {numbers} is no range of numbers")
