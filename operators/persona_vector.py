"""The vector that personas are clustered and assigned by: one definition, for training and for the stream.

It is made of profile features as of the user's latest event, so nothing in it moves with the clock. Its dimensions
say how someone behaves, not what they like: categories are for affinities, and differ from shop to shop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import expm1, isfinite, log1p, nan

from operators.feature import EVERY_TYPE, Feature, FeatureValue, Kind
from schemas.state import UserState


@dataclass(frozen=True)
class Dimension:
    """One number of the vector.

    It is the value of the first of `features` that is known; of a text, whether it is `equals`. With `log` it is
    ln(1 + value), for amounts and rates, whose ratios count. `low` and `high` are said of users below and above the
    average, nothing where there is nothing to say. Dimensions of one `theme` count as much as one together.
    """

    name: str
    theme: str
    low: str
    high: str
    features: tuple[str, ...]
    log: bool = False
    equals: str | None = None

    def number(self, value: FeatureValue) -> float:
        """What stands in the vector for a feature's value; NaN for an unknown one.

        >>> Dimension("mobile", "device", "", "by phone", ("usual_device",), equals="mobile").number("tablet")
        0.0
        """
        if value is None:
            return nan
        if self.equals is not None:
            return float(value == self.equals)
        known = float(value)
        if not isfinite(known):
            return nan
        return log1p(max(known, 0.0)) if self.log else known

    def in_unit(self, number: float) -> float:
        """A number of the vector in the unit of its feature; of a mean under `log`, the geometric mean of 1 + value."""
        return expm1(number) if self.log else number


def _return_rate(user: UserState, now: int) -> float | None:
    bought = user.types.get("purchase", 0.0)
    returned = user.types.get("refund", 0.0)
    return min(returned / bought, 1.0) if bought > 0.0 else 1.0 if returned > 0.0 else None


OWN_FEATURES = {
    "return_rate": Feature(
        "return_rate",
        Kind.NUMBER,
        "",
        "lines given back for each line bought, lately",
        EVERY_TYPE,
        _return_rate,
    )
}
"""Read where the profile features do not hold them."""

DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("sessions_per_week", "pace", "comes rarely", "comes often", ("sessions_per_week",), log=True),
    Dimension("session_depth", "depth", "short visits", "long visits",
              ("session_depth_average", "session.depth"), log=True),
    Dimension("session_duration", "depth", "", "takes time",
              ("session_duration_average", "session.duration"), log=True),
    Dimension("purchase_velocity", "buying", "seldom buys", "buys often", ("purchase_velocity",), log=True),
    Dimension("order_value", "order", "small orders", "large orders", ("order_value",), log=True),
    Dimension("price_level", "price", "low price", "high price", ("price_level",), log=True),
    Dimension("discount", "bargains", "pays full price", "hunts bargains", ("discount_average",)),
    Dimension("returns", "returns", "", "returns goods", ("return_rate",)),
    Dimension("cart_abandonment", "cart", "finishes carts", "leaves carts", ("cart_abandonment",)),
    Dimension("category_variety", "breadth", "few categories", "many categories", ("category_variety",), log=True),
    Dimension("night", "hour", "", "nights", ("night_share",)),
    Dimension("morning", "hour", "", "mornings", ("morning_share",)),
    Dimension("afternoon", "hour", "", "afternoons", ("afternoon_share",)),
    Dimension("evening", "hour", "", "evenings", ("evening_share",)),
    Dimension("weekend", "day", "", "weekends", ("weekend_share",)),
    Dimension("mobile", "device", "not by phone", "by phone", ("usual_device",), equals="mobile"),
    Dimension("dwell", "reading", "skims", "reads long", ("dwell_average",), log=True),
    Dimension("scroll", "reading", "seldom scrolls", "reads to the end", ("scroll_depth",)),
    Dimension("likes", "opinions", "", "likes a lot", ("likes",), log=True),
    Dimension("dislikes", "opinions", "", "dislikes a lot", ("dislikes",), log=True),
    Dimension("rating", "stars", "rates low", "rates high", ("rating_average",)),
)  # fmt: skip
"""In the order of the vector. One whose meaning changes gets another name: a bundle is refused for other names."""


class PersonaVector:
    """Reads the vector of a user record; `features` are the profile features of the job.

    >>> from operators.profile_features import FEATURES
    >>> len(PersonaVector(FEATURES).of(UserState("u", born=1))) == len(DIMENSIONS)
    True
    """

    def __init__(self, features: Mapping[str, Feature]) -> None:
        held = {**OWN_FEATURES, **features}
        self._dimensions = [
            (dimension.number, [held[name].read for name in dimension.features]) for dimension in DIMENSIONS
        ]
        self.units = {dimension.name: held[dimension.features[0]].unit for dimension in DIMENSIONS}

    def of(self, user: UserState) -> list[float]:
        """One number a dimension, NaN where nothing is known, as of the user's latest event."""
        now = user.last
        vector = []
        for number, reads in self._dimensions:
            value = None
            for read in reads:
                value = read(user, now)
                if value is not None:
                    break
            vector.append(number(value))
        return vector
