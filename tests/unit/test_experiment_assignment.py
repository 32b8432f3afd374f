"""Who is in an experiment is drawn evenly, independently between experiments, and moves no more users than it must."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, chisquare

from operators.assignment import draw, takes_part, variant_for
from schemas.pseudonym import Pseudonym

USERS = 20_000
LEAST_P = 1e-3
"""The draws are fixed, so a test always passes or never; chance gives less than this once in a thousand."""


@pytest.fixture(scope="module")
def uids() -> list[str]:
    pseudonym = Pseudonym(b"a fixed secret")
    return [pseudonym.of(f"user-{k}") for k in range(USERS)]


def counts(uids: list[str], salt: str, weights: dict[str, float]) -> dict[str, int]:
    found = dict.fromkeys(weights, 0)
    for uid in uids:
        found[variant_for(salt, weights, uid)] += 1
    return found


def test_draws_are_spread_evenly(uids: list[str]) -> None:
    drawn = np.array([draw("a-salt", uid) for uid in uids])
    assert 0.0 < drawn.min() < 1e-3
    assert 1.0 - 1e-3 < drawn.max() < 1.0
    assert chisquare(np.histogram(drawn, 100, (0, 1))[0]).pvalue > LEAST_P


@pytest.mark.parametrize(
    "weights", [{"a": 1.0, "b": 1.0}, {"a": 7.0, "b": 2.0, "c": 1.0}, {"x": 0.2, "y": 0.6}]
)
@pytest.mark.parametrize("salt", ["checkout", "quiet", "a"])
def test_variants_are_as_frequent_as_their_weights(
    uids: list[str], salt: str, weights: dict[str, float]
) -> None:
    found = counts(uids, salt, weights)
    total = sum(weights.values())
    expected = [USERS * weight / total for weight in weights.values()]
    assert chisquare(list(found.values()), expected).pvalue > LEAST_P


def test_experiments_are_independent_of_each_other(uids: list[str]) -> None:
    """Of 28 pairs of experiments no table of variants by variants leans, by Bonferroni's correction."""
    weights = {"a": 1.0, "b": 2.0, "c": 1.0}
    salts = [f"experiment-{k}" for k in range(8)]
    rows = {salt: [variant_for(salt, weights, uid) for uid in uids] for salt in salts}
    least = 1.0
    for i, one in enumerate(salts):
        for other in salts[:i]:
            table = np.zeros((3, 3))
            for a, b in zip(rows[one], rows[other], strict=True):
                table["abc".index(a), "abc".index(b)] += 1
            least = min(least, chi2_contingency(table).pvalue)
    assert least > LEAST_P / 28


def test_who_takes_part_says_nothing_of_the_variant(uids: list[str]) -> None:
    weights = {"a": 1.0, "b": 1.0}
    table = np.zeros((2, 2))
    for uid in uids:
        table[int(takes_part("one", uid, 0.5)), "ab".index(variant_for("one", weights, uid))] += 1
    assert chi2_contingency(table).pvalue > LEAST_P


def test_a_greater_share_takes_no_one_out_and_shares_that_lie_apart_have_no_user_in_common(
    uids: list[str],
) -> None:
    shares = [{uid for uid in uids if takes_part("layer", uid, share)} for share in (0.1, 0.3, 0.9, 1.0)]
    assert all(small < great for small, great in pairwise(shares))
    assert len(shares[-1]) == USERS
    assert abs(len(shares[1]) / USERS - 0.3) < 4 * math.sqrt(0.3 * 0.7 / USERS)
    rest = {uid for uid in uids if takes_part("layer", uid, 0.7, 0.3)}
    assert shares[1].isdisjoint(rest)
    assert shares[1] | rest == set(uids)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 2.0, "b": 1.0, "c": 1.0}),  # a grows
        ({"a": 2.0, "b": 1.0, "c": 1.0}, {"a": 0.5, "b": 1.0, "c": 1.0}),  # a shrinks
        ({"b": 1.0, "c": 1.0}, {"b": 1.0, "c": 1.0, "a": 1.0}),  # a comes
        ({"b": 1.0, "c": 3.0, "a": 1.0}, {"b": 1.0, "c": 3.0}),  # a goes
    ],
)
def test_a_weight_that_changes_moves_users_to_or_from_its_variant_and_no_others(
    uids: list[str], before: dict[str, float], after: dict[str, float]
) -> None:
    moved = {
        (was, now)
        for uid in uids
        if (was := variant_for("s", before, uid)) != (now := variant_for("s", after, uid))
    }
    assert moved
    grows = after.get("a", 0.0) / sum(after.values()) > before.get("a", 0.0) / sum(before.values())
    assert all((now == "a") if grows else (was == "a") for was, now in moved)


def test_weights_that_are_all_multiplied_move_nobody(uids: list[str]) -> None:
    few = uids[:2_000]
    assert [variant_for("s", {"a": 1.0, "b": 2.0}, uid) for uid in few] == [
        variant_for("s", {"a": 50.0, "b": 100.0}, uid) for uid in few
    ]


def test_nobody_is_in_a_variant_of_weight_0(uids: list[str]) -> None:
    assert counts(uids[:2_000], "s", {"a": 0.0, "b": 1.0}) == {"a": 0, "b": 2_000}


def test_the_order_in_which_variants_are_written_says_nothing(uids: list[str]) -> None:
    few = uids[:2_000]
    assert [variant_for("s", {"a": 1.0, "b": 2.0}, uid) for uid in few] == [
        variant_for("s", {"b": 2.0, "a": 1.0}, uid) for uid in few
    ]


def test_the_measure_of_evenness_would_find_a_lean_of_two_in_a_hundred() -> None:
    leaning = [USERS * 0.52, USERS * 0.48]
    assert chisquare(leaning).pvalue < LEAST_P
    assert chi2.sf(chisquare(leaning).statistic, 1) < LEAST_P
