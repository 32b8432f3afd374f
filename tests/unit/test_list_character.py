"""Coverage, evenness, novelty, serendipity and variety of lists, by hand and by what must always hold."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.list_variety import by_audience, by_category, by_text, variety
from operators.list_character import exposures, gini, self_information, unexpected
from operators.numbering import Numbering
from schemas.records import Item

GOODS = [
    Item(item_id="red-mug", title="red enamel mug", category="Kitchen/Mugs"),
    Item(item_id="blue-mug", title="blue enamel mug", category="Kitchen/Mugs"),
    Item(item_id="owl", title="felt owl cushion", category="Home/Cushions"),
    Item(item_id="plain", title="", category="?"),
]
NUMBERS = Numbering(item.item_id for item in GOODS)
KINDS = (by_category(GOODS, NUMBERS), by_text(GOODS, NUMBERS))
COSINES = {id(vectors): (vectors @ vectors.T).toarray() for vectors in KINDS}
ALL_PAIRS = np.array([[a, b] for a, b in combinations(range(4), 2)], np.int32)


def by_pairs(counts: list[int]) -> float:
    """The Gini coefficient as half the relative mean absolute difference of all pairs."""
    values = np.array(counts, np.float64)
    return float(np.abs(values[:, None] - values[None, :]).mean() / (2.0 * values.mean()))


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=40).filter(any))
def test_gini_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    assert gini(np.array(counts)) == pytest.approx(by_pairs(counts), abs=1e-12)


def test_gini_counts_the_items_that_no_list_holds() -> None:
    lists = np.array([[0, 1], [0, 1]], np.int32)
    assert gini(exposures(lists, items=2, k=2)) == pytest.approx(0.0)
    assert gini(exposures(lists, items=4, k=2)) == pytest.approx(0.5)
    assert gini(exposures(np.full((3, 2), -1, np.int32), items=4, k=2)) is None


def test_exposures_are_of_the_first_k_places_and_no_gap_counts() -> None:
    lists = np.array([[0, 1, 2], [2, -1, -1]], np.int32)
    assert exposures(lists, 4, 1).tolist() == [1, 0, 1, 0]
    assert exposures(lists, 4, 3).tolist() == [1, 1, 2, 0]


def test_novelty_knows_the_touches_before_the_moment_and_no_later_ones() -> None:
    lists = np.array([[[0, -1], [0, -1], [0, 1]]], np.int32)
    touches = np.array([0, 0, 0, 1], np.int32)
    told = self_information(lists, np.array([0, 1, 4]), touches, 2, 2)
    # One touch is added to each of the two items.
    assert told[0, 0] == pytest.approx(1.0)
    assert told[0, 1] == pytest.approx(-math.log2(2 / 3))
    assert told[0, 2] == pytest.approx((-math.log2(4 / 6) - math.log2(2 / 6)) / 2)


def test_novelty_of_an_empty_list_is_nothing_and_a_cut_off_cuts() -> None:
    lists = np.array([[[-1, -1], [0, 1]]], np.int32)
    touches = np.array([0, 0, 0], np.int32)
    told = self_information(lists, np.array([3, 3]), touches, 2, 1)
    assert np.isnan(told[0, 0])
    assert told[0, 1] == pytest.approx(-math.log2(4 / 5))


def test_a_hit_that_popularity_foresaw_is_not_serendipitous() -> None:
    lists = np.array([[5, 6, 7], [5, 6, 7]], np.int32)
    popular = np.array([[7, 5, 1], [1, 2, 6]], np.int32)
    hits = np.array([[True, False, True], [False, True, False]])
    assert unexpected(hits, lists, popular, 3).tolist() == [0.0, 0.0]
    # Among its first two popularity does not hold 6, and 7 is not among our first two.
    assert unexpected(hits, lists, popular, 2).tolist() == [0.0, 1.0]


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=4, unique=True), min_size=1, max_size=5))
def test_variety_is_the_mean_over_all_pairs(made: list[list[int]]) -> None:
    lists = np.array([each + [-1] * (4 - len(each)) for each in made], np.int32)
    for vectors in KINDS:
        alike = COSINES[id(vectors)]
        pairs = [[1.0 - alike[a, b] for a, b in combinations(each, 2)] for each in made]
        assert variety(lists, vectors, 4) == pytest.approx([np.mean(each) for each in pairs], abs=1e-9)


def test_variety_by_category_says_how_many_pairs_differ() -> None:
    vectors = by_category(GOODS, NUMBERS)
    # Of red mug, blue mug and owl, one pair of three is of one category; an item without one is unlike all.
    assert variety(np.array([[0, 1, 2]], np.int32), vectors, 3) == pytest.approx([2 / 3])
    assert variety(np.array([[0, 3, -1]], np.int32), vectors, 3) == pytest.approx([1.0])


def test_variety_by_text_finds_two_mugs_more_alike_than_a_mug_and_an_owl() -> None:
    apart = dict(
        zip(map(tuple, ALL_PAIRS.tolist()), variety(ALL_PAIRS, by_text(GOODS, NUMBERS), 2), strict=True)
    )
    assert apart[0, 1] < apart[0, 2] == pytest.approx(1.0)


def test_variety_by_audience_is_one_less_the_cosine_of_the_sets_of_users() -> None:
    user = np.array([0, 0, 1, 1, 1, 2], np.int32)
    item = np.array([0, 1, 0, 1, 1, 1], np.int32)
    vectors = by_audience(user, item, 4)
    assert variety(np.array([[0, 1]], np.int32), vectors, 2) == pytest.approx([1.0 - 2 / math.sqrt(2 * 3)])


def test_a_list_of_one_item_has_no_variety_to_speak_of() -> None:
    assert np.isnan(variety(np.array([[0, -1]], np.int32), by_category(GOODS, NUMBERS), 2)).all()


def test_a_catalogue_that_says_nothing_gives_no_variety() -> None:
    silent = [Item(item_id="plain")]
    assert by_category(silent, NUMBERS) is None
    assert by_text([], NUMBERS) is None
