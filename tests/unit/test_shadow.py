"""A model that is only compared: of whose candidates, and at no one's cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators import feature_columns
from operators.bundle import load_bundle
from operators.candidates import SOURCES, Candidates
from operators.ranker import Ranker
from operators.shadow import Shadow, of_users
from operators.shelf import Shelf
from operators.shelf_records import Popularity
from operators.warming import warm
from schemas.state import UserState
from tests.small_bundles import write_network


def batch(counts: list[int]) -> Candidates:
    """A batch of users with so many candidates each; every row is told apart by its item."""
    rows = sum(counts)
    return Candidates(
        np.repeat(np.arange(len(counts)), counts).astype(np.int32),
        np.arange(rows, dtype=np.int32),
        np.arange(rows * len(SOURCES), dtype=np.float32).reshape(rows, len(SOURCES)),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        np.zeros(rows, np.int8),
        np.full(rows, -1, np.int32),
    )


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=12))
def test_chosen_users_keep_their_rows_and_their_place_and_others_have_none(
    users: list[tuple[int, bool]],
) -> None:
    whole = batch([count for count, _ in users])
    some = of_users(whole, np.array([chosen for _, chosen in users]))
    assert some.start.dtype == np.int32
    assert len(some.start) == len(whole.start)
    for k, (_, chosen) in enumerate(users):
        before = whole.item[whole.start[k] : whole.start[k + 1]]
        after = some.item[some.start[k] : some.start[k + 1]]
        np.testing.assert_array_equal(after, before if chosen else before[:0])
    np.testing.assert_array_equal(some.scores, whole.scores[some.item])


def test_a_batch_of_no_candidate_or_of_one_makes_nobody_wait_for_a_compiler(tmp_path: Path) -> None:
    bundle = load_bundle(write_network(tmp_path / "shop" / "1", seed=1))
    warm(bundle)
    known = {name: len(loop.signatures) for name, loop in loops()}
    shelf = Shelf()
    ranker, user = Ranker(shelf, bundle=bundle), UserState("ann", born=0, n=1)
    for items in ([], ["mug"], ["bowl"]):
        shelf.apply(Popularity(["all"] * len(items), items, [1.0] * len(items)))
        ranker.rank([user], [5], compare=Shadow(shelf, bundle, 1.0).compare)
    assert {name: len(loop.signatures) for name, loop in loops()} == known


def loops() -> list[tuple[str, Any]]:
    """The compiled loops of the features that are called from outside their module."""
    return [(name, loop) for name, loop in vars(feature_columns).items() if name.startswith("fill_")]
