"""Items that the same people take get close factors, whatever the order or number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.factorise import FactorSettings, ItemFactors, factorise, nearest, recency_weights

SETTINGS = FactorSettings(factors=2, neighbours=5, least_users=2)


def two_tastes() -> ItemFactors:
    """40 users; the even ones take items 0 to 5, the odd ones 6 to 11; item 12 has one user."""
    drawn = np.random.default_rng(0)
    users = np.repeat(np.arange(40), 4)
    items = drawn.integers(0, 6, 160) + 6 * (users % 2)
    users, items = np.append(users, 3), np.append(items, 12)
    ids = [f"item-{i}" for i in range(13)]
    return factorise(users.astype(np.int32), items.astype(np.int32), np.ones(161, np.float32), ids, SETTINGS)


def test_neighbours_share_the_taste() -> None:
    made = two_tastes()
    for item in range(12):
        near = made.neighbours[item]
        assert set((near[near >= 0] // 6).tolist()) == {item // 6}


def test_rows_are_of_unit_length_and_an_item_with_too_few_users_has_none() -> None:
    made = two_tastes()
    np.testing.assert_allclose(np.linalg.norm(made.factors[:12], axis=1), 1.0, rtol=1e-5)
    assert not made.factors[12].any()
    assert made.neighbours[12].tolist() == [-1] * 5
    assert 12 not in made.neighbours


def test_the_same_events_and_seed_give_the_same_factors() -> None:
    np.testing.assert_array_equal(two_tastes().factors, two_tastes().factors)


def test_neighbours_are_the_exact_nearest_best_first() -> None:
    drawn = np.random.default_rng(1).normal(size=(70, 4)).astype(np.float32)
    rows = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    found, scores = nearest(rows, 6, rows_at_once=16)
    close = rows @ rows.T
    np.fill_diagonal(close, -np.inf)
    np.testing.assert_array_equal(found, np.argsort(-close, axis=1)[:, :6])
    np.testing.assert_allclose(scores, -np.sort(-close, axis=1)[:, :6], rtol=1e-5)


@pytest.mark.parametrize("items", [0, 1, 2])
def test_small_catalogues_have_fewer_neighbours(items: int) -> None:
    found, scores = nearest(np.ones((items, 2), np.float32), 3)
    assert found.shape == scores.shape == (items, 3)
    assert (found >= 0).sum() == items * max(items - 1, 0)


def test_an_event_a_half_life_old_weighs_half() -> None:
    times = np.array([0, 10 * 86_400_000], np.int64)
    np.testing.assert_allclose(recency_weights(times, np.ones(2, np.float32), 10.0), [0.5, 1.0])
