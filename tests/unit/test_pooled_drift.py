"""Users too new for a detector of their own are watched together, and the alert says which pool."""

from __future__ import annotations

import logging
import random

import pytest

from operators.pooled_drift import (
    PooledDetector,
    PooledDriftSettings,
    PooledError,
    pool_of,
    pooled_error,
)
from schemas.records import POOL, DriftAlert
from schemas.state import Affinity, UserState


def fed(errors: list[tuple[float, int]]) -> tuple[list[tuple[int, DriftAlert]], int]:
    """Alerts of (error, labelled) pairs, each with its place, and the greatest size stored."""
    detector, stored, alerts, largest = PooledDetector(PooledDriftSettings()), None, [], 0
    for at, (error, labelled) in enumerate(errors):
        stored, alert = detector.feed(stored, PooledError("category/Toys", error, labelled, 1_000 + at))
        largest = max(largest, len(stored))
        if alert is not None:
            alerts.append((at, alert))
    return alerts, largest


def errors_of(
    rng: random.Random, count: int, change: int | None, young: float = 0.5
) -> list[tuple[float, int]]:
    """Errors that fall with a user's age, and from `change` on are higher by .25."""
    found = []
    for at in range(count):
        labelled = rng.randint(5, 15) if rng.random() < young else rng.randint(16, 63)
        level = (0.7 if labelled < 16 else 0.35) + (0.25 if change is not None and at >= change else 0.0)
        found.append((min(1.0, max(0.0, rng.gauss(level, 0.2))), labelled))
    return found


def test_a_change_that_all_users_of_a_pool_share_is_found_and_names_the_pool() -> None:
    alerts, largest = fed(errors_of(random.Random(1), 3_000, change=1_500))
    assert len(alerts) == 1
    at, alert = alerts[0]
    assert 1_500 < at < 1_900
    assert (alert.scope, alert.pool, alert.uid, alert.at) == (POOL, "category/Toys", "", 1_000 + at)
    assert alert.error_after - alert.error_before == pytest.approx(0.25, abs=0.1)
    assert largest < 700


def test_a_wave_of_new_users_is_no_drift() -> None:
    rng = random.Random(2)
    assert fed(errors_of(rng, 3_000, None, young=0.1) + errors_of(rng, 3_000, None, young=0.9))[0] == []


def test_a_steady_pool_is_left_alone() -> None:
    assert [fed(errors_of(random.Random(seed), 3_000, None))[0] for seed in range(10)] == [[]] * 10


def test_what_is_stored_is_bounded_however_long_the_pool_lives() -> None:
    _, largest = fed(errors_of(random.Random(3), 20_000, None))
    assert largest < 900


@pytest.mark.parametrize("stored", [b"\x01 other", b"\x51", b"\x51" + bytes(120)])
def test_a_stored_pool_that_cannot_be_read_begins_anew_and_says_so(
    stored: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    detector = PooledDetector(PooledDriftSettings())
    sample = PooledError("category/Toys", 0.5, 9, 1)
    with caplog.at_level(logging.WARNING):
        assert detector.feed(stored, sample) == detector.feed(None, sample)
    assert detector.rebuilt == 1
    assert "begins anew" in caplog.text


@pytest.mark.parametrize(("labelled", "heard"), [(4, False), (5, True), (63, True), (64, False)])
def test_a_pool_hears_of_users_that_are_neither_unknown_nor_on_their_own(labelled: int, heard: bool) -> None:
    user = UserState("u", born=1, categories={"Toys": 1.0}, affinity=Affinity(labelled=labelled))
    assert (pooled_error(user, 0.4, 7, PooledDriftSettings()) is not None) == heard
    assert pooled_error(user, None, 7, PooledDriftSettings()) is None


def test_a_persona_goes_before_a_segment_and_that_before_the_favourite_department() -> None:
    counted = {"Toys/Cars": 2.0, "Home/Mugs": 1.5, "Home/Bowls": 1.0}
    assert pool_of("3", ["new"], counted, ["new"]) == "persona/3"
    assert pool_of(None, ["vip", "new"], counted, ["at_risk", "new", "vip"]) == "segment/new"
    assert pool_of(None, ["vip"], counted, ["new"]) == "category/Home"
    assert pool_of(None, [], {}, ["new"]) is None


def test_ages_that_do_not_rise_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="until_labelled"):
        PooledDriftSettings(from_labelled=64, until_labelled=64)
