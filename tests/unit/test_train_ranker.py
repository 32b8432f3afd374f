"""Rankers learn from lists, score alike once exported, and are chosen by quality within a cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jobs.ranker_onnx import ExportDiffers, check_parity
from jobs.ranking_set import Quality, RankingSet, beats, quality, reciprocal_ranks
from jobs.train_ranker import RankerSettings, TriedRanker, choose, try_rankers
from operators.onnx_scorer import OnnxScorer

SMALL = RankerSettings(
    rankers=("trees", "network"), trees=((12, 7),), networks=((8,),), least_rows_in_leaf=5, epochs=8
)


def planted_lists(lists: int, seed: int, signal: float = 2.0) -> RankingSet:
    """Lists of 40 candidates whose hit stands out in columns 1 and 2; the blend orders by column 0, noise."""
    drawn = np.random.default_rng(seed)
    rows = drawn.normal(size=(lists * 40, 4)).astype(np.float32)
    hits = np.arange(lists) * 40 + drawn.integers(0, 40, lists)
    rows[hits, 1] += signal
    rows[hits, 2] -= signal
    strict = np.arange(lists) % 3 == 0
    return RankingSet(
        rows, np.arange(lists + 1) * 40, hits, rows[:, 0].copy(), strict, lists * 2, int(strict.sum()) * 2
    )


@pytest.fixture(scope="module")
def tried() -> list[TriedRanker]:
    return try_rankers(planted_lists(400, 1), planted_lists(150, 2), SMALL)


def test_rankers_find_what_the_blend_does_not_see(tried: list[TriedRanker]) -> None:
    blend, trees, network = tried
    assert [ranker.kind for ranker in tried] == ["blend", "trees", "network"]
    assert trees.quality.mrr > 2 * blend.quality.mrr
    assert network.quality.mrr > 2 * blend.quality.mrr
    assert trees.beats_blend
    assert network.beats_blend


def test_the_same_lists_and_seed_give_the_same_graphs_scores(tried: list[TriedRanker]) -> None:
    again = try_rankers(planted_lists(400, 1), planted_lists(150, 2), SMALL)
    rows = planted_lists(20, 3).rows
    for first, second in zip(tried[1:], again[1:], strict=True):
        assert first.graph is not None
        assert second.graph is not None
        np.testing.assert_array_equal(
            OnnxScorer(first.graph, 4).score(rows), OnnxScorer(second.graph, 4).score(rows)
        )


def test_without_signal_no_ranker_is_chosen_over_the_blend() -> None:
    tried = try_rankers(planted_lists(200, 1, signal=0.0), planted_lists(150, 2, signal=0.0), SMALL)
    assert choose(tried).kind == "blend"


def test_with_no_lists_to_learn_from_the_blend_is_chosen() -> None:
    none = RankingSet(
        np.zeros((0, 4), np.float32), np.zeros(1, np.int64), np.zeros(0, np.int64),
        np.zeros(0, np.float32), np.zeros(0, np.bool_), 10, 0,
    )  # fmt: skip
    tried = try_rankers(none, none, SMALL)
    assert [ranker.kind for ranker in tried] == ["blend"]
    assert choose(tried).quality == Quality(0.0, 0.0, 0.0, 0.0)


def ranker(label: str, mrr: float, microseconds: float, beats_blend: bool = True) -> TriedRanker:
    return TriedRanker("trees", label, b"", Quality(0.1, mrr, 0.1, mrr), microseconds, beats_blend, 1.0)


@pytest.mark.parametrize(
    ("rankers", "chosen"),
    [
        ([ranker("a", 0.05, 20), ranker("b", 0.06, 79)], "b"),
        ([ranker("a", 0.05, 20), ranker("b", 0.06, 81)], "a"),
        ([ranker("a", 0.05, 20, beats_blend=False)], "blend"),
        ([ranker("a", 0.05, 200)], "blend"),
    ],
)
def test_the_best_reciprocal_rank_within_80_microseconds_is_chosen(
    rankers: list[TriedRanker], chosen: str
) -> None:
    blend = TriedRanker("blend", "blend", None, Quality(0.1, 0.04, 0.1, 0.04), 0.0, False, 0.0)
    assert choose([blend, *rankers]).label == chosen


def test_reciprocal_ranks_count_ties_against_the_hit_and_end_at_twenty() -> None:
    lists = planted_lists(3, 1)
    scores = np.zeros(120)
    scores[lists.hits[0]] = 1.0
    scores[lists.hits[1]] = 1.0
    scores[np.setdiff1d(np.arange(40, 80), lists.hits[1])[:3]] = 2.0
    np.testing.assert_allclose(reciprocal_ranks(lists, scores), [1.0, 0.25, 0.0])


def test_quality_counts_events_whose_item_was_no_candidate_as_misses() -> None:
    lists = planted_lists(3, 1)
    perfect = np.zeros(120)
    perfect[lists.hits] = 1.0
    assert quality(lists, perfect) == Quality(0.5, 0.5, 0.5, 0.5)


def test_a_gain_within_noise_does_not_beat() -> None:
    lists = planted_lists(150, 1)
    assert not beats(lists, lists.rows[:, 3], lists.blend)
    assert beats(lists, lists.rows[:, 1], lists.blend)


def test_thinning_keeps_every_hit_and_bounds_the_rest() -> None:
    lists = planted_lists(30, 1)
    thin = lists.thinned(10, seed=5)
    assert np.diff(thin.starts).tolist() == [11] * 30
    np.testing.assert_array_equal(thin.rows[thin.hits], lists.rows[lists.hits])
    assert thin.labels().sum() == 30
    np.testing.assert_array_equal(thin.rows, lists.thinned(10, seed=5).rows)


def test_an_export_that_scores_otherwise_is_named_by_row() -> None:
    with pytest.raises(ExportDiffers, match=r"1 of 3 .* row 1: 2 exported, 2\.1 in the model"):
        check_parity(np.array([1.0, 2.0, 3.0], np.float32), np.array([1.0, 2.1, 3.0]))


def test_progress_names_each_ranker_before_it_is_tried() -> None:
    heard: list[str] = []
    try_rankers(planted_lists(60, 1), planted_lists(30, 2), replace(SMALL, epochs=1), heard.append)
    assert heard == ["trees 12x7", "network 8"]
