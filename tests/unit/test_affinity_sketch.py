"""The sketch of a category is short, of norm 1, and never changes from one release to the next."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.contrast import CONTRASTS, contrast_of
from operators.logistic import PRICE
from operators.sketch import MAX_LEVELS, PLACES_PER_LEVEL, SKETCH_DIM, item_sketch, levels, sketch

paths = st.lists(st.text(max_size=12), min_size=1, max_size=12).map("/".join)


@given(paths)
def test_a_sketch_has_norm_1_and_a_few_places_a_level(category: str) -> None:
    places = [place for place, _ in sketch(category)]
    assert places == sorted(set(places))
    assert all(0 <= place < SKETCH_DIM for place in places)
    assert len(places) <= PLACES_PER_LEVEL * levels(category) <= PLACES_PER_LEVEL * MAX_LEVELS
    assert math.isclose(sum(value * value for _, value in sketch(category)), 1.0)


@given(paths)
def test_the_dense_sketch_is_the_same_vector(category: str) -> None:
    dense = item_sketch(category)
    assert dense.dtype == np.float32
    assert {int(k): float(dense[k]) for k in np.nonzero(dense)[0]} == {
        place: float(np.float32(value)) for place, value in sketch(category)
    }


def test_the_sketch_of_a_category_is_pinned_since_stored_weights_depend_on_it() -> None:
    assert sketch("Garden") == ((8, 0.5), (9, -0.5), (27, 0.5), (28, -0.5))


def test_two_paths_share_what_their_common_beginning_gives() -> None:
    lights, chairs, toys = (item_sketch(c) for c in ("Garden/Lights", "Garden/Chairs", "Toys/Lights"))
    assert lights @ chairs > 0.3
    assert abs(lights @ toys) < 0.3


@given(st.text(max_size=40), st.integers(1, MAX_LEVELS))
def test_a_contrast_is_a_category_as_deep_at_a_price_within_the_range(event_id: str, depth: int) -> None:
    example = dict(contrast_of(event_id, depth, priced=True))
    assert -1.0 < example[PRICE] < 1.0
    assert tuple(example.items())[:-2] == contrast_of(event_id, depth, priced=False)


def test_contrasts_of_consecutive_event_ids_spread_over_all_there_are() -> None:
    drawn = {contrast_of(f"event-{k}", 1, priced=False) for k in range(10 * CONTRASTS)}
    prices = [contrast_of(f"event-{k}", 1, priced=True)[-2][1] for k in range(1000)]
    assert len(drawn) > 0.95 * CONTRASTS
    assert abs(sum(prices) / len(prices)) < 0.1
