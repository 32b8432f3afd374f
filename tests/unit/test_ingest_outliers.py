"""Outlier limits: robust, per category, the same whatever the order of events."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from operators.outliers import ANY_CATEGORY, LimitsUnreadable, OutlierLimits, limits_of, outlier_limits
from schemas.records import Event


def purchases(prices: dict[str, list[float]]) -> list[Event]:
    return [
        Event(
            event_id=f"{item}-{n}",
            user_id="u",
            type="purchase",
            time=0,
            item_id=item,
            value=price,
            quantity=1.0,
        )
        for item, all_prices in prices.items()
        for n, price in enumerate(all_prices)
    ]


def test_a_slipped_decimal_point_lies_outside_and_honest_prices_inside() -> None:
    chance = random.Random(1)
    honest = [chance.lognormvariate(1.0, 0.3) for _ in range(500)]
    low, high = outlier_limits([("mugs", price) for price in [*honest, 27_183.0, 0.0001]])["mugs"]
    assert all(low <= price <= high for price in honest)
    assert not low <= 27_183.0 <= high
    assert not low <= 0.0001 <= high


def test_a_fifth_of_wrong_prices_moves_the_limits_little() -> None:
    honest = [("mugs", price) for price in (2.0, 3.0, 4.0, 5.0, 6.0) * 20]
    spoilt = [*honest, *[("mugs", 1e6)] * 20]
    assert outlier_limits(spoilt)["mugs"][1] < 1e6


def test_what_always_sells_one_by_one_may_sell_by_the_dozen_yet() -> None:
    low, high = outlier_limits([("sofas", 1.0)] * 1000)["sofas"]
    assert low <= 1.0 <= 7.0 <= high < 100


def test_few_samples_set_no_limits_of_their_own() -> None:
    limits = outlier_limits([("rare", 1.0)] * 29 + [("usual", 1.0)] * 30)
    assert limits.keys() == {"usual", ANY_CATEGORY}
    assert outlier_limits([("rare", 1.0)] * 29) == {}


def test_the_order_of_events_does_not_matter() -> None:
    events = purchases({"mug": [1.0 + n / 7 for n in range(60)], "sofa": [300.0 + n for n in range(60)]})
    shuffled = random.Random(3).sample(events, len(events))
    known = {"mug": "mugs", "sofa": "sofas"}
    assert limits_of(events, known.__getitem__, {"purchase"}) == limits_of(
        shuffled, known.__getitem__, {"purchase"}
    )


def test_numbers_that_are_none_are_passed_over() -> None:
    honest = [("mugs", 2.0)] * 40
    assert outlier_limits([*honest, ("mugs", float("nan")), ("mugs", -1.0), ("mugs", float("inf"))]) == (
        outlier_limits(honest)
    )


def test_limits_survive_their_file(tmp_path: Path) -> None:
    limits = limits_of(purchases({"mug": [2.0] * 40}), lambda item_id: "mugs", {"purchase"})
    assert limits.price.keys() == limits.quantity.keys() == {"mugs", ANY_CATEGORY}
    limits.write(tmp_path / "limits.json")
    assert OutlierLimits.read(tmp_path / "limits.json") == limits


@pytest.mark.parametrize("content", [b"", b"{", b'{"price": {"mugs": [1]}}'])
def test_a_file_that_holds_no_limits_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "limits.json").write_bytes(content)
    with pytest.raises(LimitsUnreadable, match=r"limits\.json"):
        OutlierLimits.read(tmp_path / "limits.json")
