"""Figures of ranked lists: against an independent library, and by hand."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, P, R, Success, nDCG

from operators.list_metrics import ACCURACY

MEASURES = {"hr": Success, "precision": P, "recall": R, "ndcg": nDCG, "mrr": RR}
CUTOFFS = (5, 10, 20)
LENGTH = 20

lists = st.lists(
    st.tuples(st.lists(st.integers(0, 40), max_size=LENGTH, unique=True), st.sets(st.integers(0, 60), min_size=1)),
    min_size=1,
    max_size=8,
)  # fmt: skip


def hits_of(made: list[tuple[list[int], set[int]]]) -> tuple[np.ndarray, np.ndarray]:
    hits = np.zeros((len(made), LENGTH), np.bool_)
    for row, (listed, wanted) in enumerate(made):
        hits[row, : len(listed)] = [item in wanted for item in listed]
    return hits, np.array([len(wanted) for _, wanted in made])


@given(lists)
def test_every_figure_is_that_of_ir_measures(made: list[tuple[list[int], set[int]]]) -> None:
    wanted = {str(n): {str(item): 1 for item in relevant} for n, (_, relevant) in enumerate(made)}
    # A list that is empty is given an item that nobody wants: the library leaves queries without a list out.
    run = {
        str(n): {str(item): float(-place) for place, item in enumerate(listed)} or {"none": 0.0}
        for n, (listed, _) in enumerate(made)
    }
    hits, relevant = hits_of(made)
    theirs = {
        (str(each.measure), each.query_id): each.value
        for each in ir_measures.iter_calc(
            [measure @ k for measure in MEASURES.values() for k in CUTOFFS], wanted, run
        )
    }
    for name, measure in MEASURES.items():
        for k in CUTOFFS:
            ours = ACCURACY[name](hits, relevant, k)
            assert ours == pytest.approx([theirs[str(measure @ k), str(n)] for n in range(len(made))])


@given(lists)
def test_figures_lie_between_0_and_1_and_longer_lists_hit_no_less(
    made: list[tuple[list[int], set[int]]],
) -> None:
    hits, relevant = hits_of(made)
    for name, figure in ACCURACY.items():
        short, long = figure(hits, relevant, 5), figure(hits, relevant, 20)
        assert ((short >= 0.0) & (long <= 1.0 + 1e-12)).all()
        if name in ("hr", "recall", "mrr"):
            assert (short <= long).all()


def test_a_perfect_list_has_a_gain_of_1_however_many_items_are_wanted() -> None:
    hits = np.ones((2, LENGTH), np.bool_)
    assert ACCURACY["ndcg"](hits, np.array([20, 70]), 20) == pytest.approx([1.0, 1.0])
    assert ACCURACY["recall"](hits, np.array([20, 80]), 20) == pytest.approx([1.0, 0.25])
