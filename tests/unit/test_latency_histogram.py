"""The latency histogram of `schemas.stats`: what it counts, merges and answers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.stats import BUCKETS_MS, Histogram, merged

durations = st.lists(st.floats(0, 500_000), min_size=1, max_size=200)


def of(times: list[float]) -> Histogram:
    histogram = Histogram()
    for ms in times:
        histogram.add(ms)
    return histogram


def test_bounds_grow_and_are_fine_where_the_promises_are_made() -> None:
    assert list(BUCKETS_MS) == sorted(set(BUCKETS_MS))
    widths = {upper: upper - lower for lower, upper in pairwise(BUCKETS_MS)}
    assert max(widths[bound] for bound in BUCKETS_MS if 30 < bound <= 200) <= 25


@given(durations, st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(times: list[float], q: float) -> None:
    true = float(np.quantile(times, q, method="inverted_cdf"))
    place = next(index for index, bound in enumerate(BUCKETS_MS) if true <= bound)
    lower = BUCKETS_MS[place - 1] if place else 0
    assert lower <= of(times).quantile(q) <= BUCKETS_MS[place]


@given(durations, durations)
def test_workers_add_up(one: list[float], other: list[float]) -> None:
    assert merged([of(one), of(other)]).counts == of(one + other).counts


@given(durations, durations)
def test_a_later_reading_less_an_earlier_one_is_what_came_between(
    before: list[float], after: list[float]
) -> None:
    assert of(before + after).since(of(before)).counts == of(after).counts


def test_a_worker_that_started_again_counts_as_new() -> None:
    assert of([5, 5]).since(of([5, 5, 9])).counts == of([5, 5]).counts


@given(durations)
def test_the_kept_text_reads_back(times: list[float]) -> None:
    assert Histogram.decode(of(times).encode()).counts == of(times).counts


@pytest.mark.parametrize("text", ["", "1,2,3", "x", of([1]).encode().replace("1", "-1", 1)])
def test_text_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|buckets|negative"):
        Histogram.decode(text)


def test_nothing_counted_has_no_quantile_and_overflow_has_the_last_bound() -> None:
    assert math.isnan(Histogram().quantile(0.5))
    assert of([10.0**9]).quantile(0.5) == BUCKETS_MS[-1]


def test_a_clock_that_is_ahead_counts_in_the_first_bucket() -> None:
    assert of([-20.0]).counts[0] == 1


def test_a_share_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        of([1.0]).quantile(1.5)
