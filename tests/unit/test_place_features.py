"""Features of the place: the local clock, and what is wanted in a country more than elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from operators.barred_items import BarredItems
from operators.candidates import CandidateFinder, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.feature_plan import FeaturePlan
from operators.features import FEATURES
from operators.place_columns import PLACE
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Popularity
from operators.user_batch import UserBatch
from schemas.state import UserState

NOON = 1_323_432_000_000
"""Friday 2011-12-09, 12:00 UTC."""


def features(states: list[UserState]) -> list[dict[str, list[float]]]:
    """Of every user, by item the place features, for items of which tea is wanted in Japan alone."""
    shelf = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    shelf.apply(Popularity(["all"] * 3, ["mug", "tea", "pan"], [2.0, 2.0 + np.log(0.25), 2.0 + np.log(0.5)]))
    shelf.apply(Popularity(["country:JP"] * 2, ["tea", "mug"], [1.0, 1.0 + np.log(0.5)]))
    users = UserBatch.of(states, shelf, [NOON] * len(states))
    finder = CandidateFinder(shelf, CandidateSettings(), FactorNeighbours.none())
    found = finder.find(users, BarredItems.of(None, [b""] * len(states), shelf))
    no_factors = np.zeros(0, np.int32), np.zeros((0, 4), np.float32)
    rows = FeaturePlan(PLACE).rows(found, users, shelf, *no_factors)
    ids = shelf.index.ids_of(found.item)
    return [
        dict(zip(ids[a:b], rows[a:b].tolist(), strict=True))
        for a, b in zip(found.start[:-1].tolist(), found.start[1:].tolist(), strict=True)
    ]


def test_the_clock_is_local_and_the_lift_compares_the_country_with_everywhere() -> None:
    japan, nowhere, unheard = features([
        UserState("a", born=0, country="JP"), UserState("b", born=0), UserState("c", born=0, country="FR"),
    ])  # fmt: skip
    assert japan["tea"] == pytest.approx([21.0, 4.0, 0.75])
    assert japan["mug"] == pytest.approx([21.0, 4.0, -0.5])
    assert japan["pan"] == pytest.approx([21.0, 4.0, -0.5])
    assert set(map(tuple, nowhere.values())) == {(12.0, 4.0, 0.0)}
    assert set(map(tuple, unheard.values())) == {(13.0, 4.0, 0.0)}


def test_features_of_the_place_are_asked_for_by_name() -> None:
    assert set(PLACE).isdisjoint(FEATURES)
    assert FeaturePlan([*FEATURES, *PLACE]).names[-3:] == PLACE
