"""Bounds by bootstrap over users: right where theory knows them, paired, repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from operators import user_bootstrap
from operators.user_bootstrap import Interval, UserBootstrap

USERS, EACH = 400, 5


def drawn(values: np.ndarray, user: np.ndarray, **options: int) -> Interval:
    bootstrap = UserBootstrap(user, **options)
    bootstrap.add("figure", values)
    found = bootstrap.draw().interval("figure")
    assert found is not None
    return found


def width(found: Interval) -> float:
    return found.high - found.low


def test_bounds_of_independent_users_are_those_of_the_normal_law() -> None:
    values = (np.random.default_rng(1).random(4_000) < 0.2).astype(np.float64)
    found = drawn(values, np.arange(4_000, dtype=np.int32))
    error = values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert width(found) == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_events_of_a_user_that_agree_tell_no_more_than_one() -> None:
    per_user = np.random.default_rng(2).random(USERS)
    user = np.repeat(np.arange(USERS, dtype=np.int32), EACH)
    together = drawn(np.repeat(per_user, EACH), user)
    assert width(together) == pytest.approx(
        width(drawn(per_user, np.arange(USERS, dtype=np.int32))), rel=1e-9
    )
    # As if each event were of another user, the bounds would be too narrow by the root of their number.
    naive = drawn(np.repeat(per_user, EACH), np.arange(USERS * EACH, dtype=np.int32))
    assert width(together) / width(naive) == pytest.approx(np.sqrt(EACH), rel=0.1)


def test_the_difference_of_what_rises_and_falls_together_is_sharp() -> None:
    user = np.arange(USERS, dtype=np.int32)
    base = np.random.default_rng(3).random(USERS)
    bootstrap = UserBootstrap(user)
    bootstrap.add("better", base + 0.01)
    bootstrap.add("worse", base)
    done = bootstrap.draw()
    ahead = done.difference("better", "worse")
    assert ahead is not None
    assert (ahead.low, ahead.value, ahead.high) == pytest.approx((0.01, 0.01, 0.01))
    better, worse = done.interval("better"), done.interval("worse")
    assert better is not None
    assert worse is not None
    assert better.low < worse.high


def test_a_group_and_what_is_not_known_enter_as_if_the_rest_were_not_there() -> None:
    user = np.array([0, 0, 1, 1, 2], np.int32)
    values = np.array([1.0, 9.0, np.nan, 3.0, 5.0])
    bootstrap = UserBootstrap(user)
    bootstrap.add("some", values, np.array([True, False, True, True, True]))
    bootstrap.add("none", values, np.zeros(5, np.bool_))
    done = bootstrap.draw()
    some = done.interval("some")
    assert some is not None
    assert (some.value, some.low, some.high) == (3.0, 1.0, 5.0)
    assert done.interval("none") is None


def test_the_same_seed_draws_the_same_users() -> None:
    user = np.arange(50, dtype=np.int32)
    values = np.random.default_rng(4).random(50)
    assert drawn(values, user, seed=5) == drawn(values, user, seed=5)
    assert drawn(values, user, seed=5) != drawn(values, user, seed=6)


def test_very_many_users_are_drawn_in_groups_with_bounds_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    user = np.arange(4_000, dtype=np.int32)
    values = np.random.default_rng(6).random(4_000)
    alone = drawn(values, user)
    monkeypatch.setattr(user_bootstrap, "MOST_CLUSTERS", 500)
    grouped = drawn(values, user)
    assert grouped.value == pytest.approx(alone.value)
    assert width(grouped) == pytest.approx(width(alone), rel=0.15)


def test_no_judgement_gives_no_figure() -> None:
    bootstrap = UserBootstrap(np.zeros(0, np.int32))
    bootstrap.add("figure", np.zeros(0))
    assert bootstrap.draw().interval("figure") is None
