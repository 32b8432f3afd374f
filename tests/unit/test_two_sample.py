"""The two tests agree with scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from operators.two_sample import SAME, chi_squared, kolmogorov_smirnov

COUNTS = st.lists(st.integers(100, 2_000), min_size=2, max_size=20)


@given(COUNTS, st.data())
def test_kolmogorov_and_smirnov_agree_with_scipy(before: list[int], data: st.DataObject) -> None:
    after = data.draw(st.lists(st.integers(100, 2_000), min_size=len(before), max_size=len(before)))
    values = np.arange(len(before))
    theirs = stats.ks_2samp(np.repeat(values, before), np.repeat(values, after), method="asymp")
    ours = kolmogorov_smirnov(before, after)
    assert ours.distance == pytest.approx(theirs.statistic, abs=1e-12)
    # scipy's asymptotic form carries a correction for small samples.
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.05)


@given(COUNTS, st.data())
def test_chi_squared_agrees_with_scipy(before: list[int], data: st.DataObject) -> None:
    after = data.draw(st.lists(st.integers(100, 2_000), min_size=len(before), max_size=len(before)))
    expected = stats.contingency.expected_freq([before, after])
    assume(expected.min() >= 5)
    theirs = stats.chi2_contingency([before, after], correction=False)
    named = [{str(k): count for k, count in enumerate(counts)} for counts in (before, after)]
    assert chi_squared(*named).p == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-12)


def test_rare_names_count_together_and_do_not_decide() -> None:
    before = {"common": 10_000} | {f"rare {k}": 1 for k in range(3)}
    after = {"common": 10_000} | {f"other {k}": 1 for k in range(3)}
    assert chi_squared(before, after).p > 0.9


def test_of_no_events_nothing_is_said() -> None:
    assert chi_squared({}, {"a": 5}) == kolmogorov_smirnov([0, 0], [3, 4]) == SAME
