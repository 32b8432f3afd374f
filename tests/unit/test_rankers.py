"""Each ranker that `train` can try learns what lists show, and scores once exported as it did before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest

from jobs import ranker_xgboost
from jobs.list_losses import Loss, class_weighted_loss, focal_loss, softmax_loss
from jobs.ranker_onnx import INPUT
from jobs.ranker_recipes import (
    COMBINED,
    SINGLE,
    NetworkSettings,
    RankerSettings,
    UnknownRanker,
    recipes,
    refuse_unknown_rankers,
)
from jobs.ranker_search import search
from jobs.ranker_sum import equal_votes, stacked_votes, sum_graph
from jobs.ranker_trees import TreeSettings, trees_until_no_better
from jobs.ranking_set import ListsOutOfOrder, Quality, RankingSet, quality
from jobs.train_ranker import TriedRanker, choose, try_rankers
from operators.onnx_scorer import OnnxScorer

SMALL = RankerSettings(
    trees=((8, 7),), networks=((6,),), least_rows_in_leaf=5, epochs=6, rankers=SINGLE, most_trees=30, bag=2
)


def planted(lists: int, seed: int, signal: float = 2.0, of: int = 20) -> RankingSet:
    """Lists whose hit stands out in columns 1 and 2; the blend orders by column 0, noise."""
    drawn = np.random.default_rng(seed)
    rows = drawn.normal(size=(lists * of, 4)).astype(np.float32)
    hits = np.arange(lists) * of + drawn.integers(0, of, lists)
    rows[hits, 1] += signal
    rows[hits, 2] -= signal
    strict = np.arange(lists) % 3 == 0
    times = 1_000 + np.arange(lists) // 4
    return RankingSet(
        rows, np.arange(lists + 1) * of, hits, rows[:, 0].copy(), strict, lists, int(strict.sum()), times
    )


@pytest.fixture(scope="module")
def tried() -> dict[str, TriedRanker]:
    settings = replace(SMALL, rankers=(*SINGLE, *COMBINED))
    return {ranker.label: ranker for ranker in try_rankers(planted(240, 1), planted(120, 2), settings)}


def test_every_ranker_is_in_the_table_and_beats_the_blend(tried: dict[str, TriedRanker]) -> None:
    found = list(tried)
    stopped = next(label for label in found if label.endswith("stopped early"))
    assert found[:9] == [
        "blend", "trees 8x7", stopped, "trees 8x7 class-weighted", "network 6", "network 6 focal",
        "network 6 class-weighted", "2 networks 6", "xgboost 8x7",
    ]  # fmt: skip
    assert [label.partition(":")[0] for label in found[9:]] == ["vote", "stack"]
    for label, ranker in tried.items():
        assert label == "blend" or ranker.beats_blend, label
        assert label == "blend" or ranker.microseconds > 0.0


def test_sums_name_their_members_and_are_one_graph_each(tried: dict[str, TriedRanker]) -> None:
    sums = [ranker for ranker in tried.values() if ranker.kind == "stack"]
    assert len(sums) == 3
    for ranker in sums:
        assert ranker.graph is not None
        graph = onnx.load_from_string(ranker.graph).graph
        assert [value.name for value in graph.input] == [INPUT]
    vote = next(label for label in tried if label.startswith("vote: "))
    assert len(vote.removeprefix("vote: ").split(" + ")) >= 2


def test_the_same_lists_give_the_same_graphs(tried: dict[str, TriedRanker]) -> None:
    rows = planted(20, 3).rows
    again = try_rankers(planted(240, 1), planted(120, 2), replace(SMALL, rankers=("bagged", "xgboost")))
    for ranker in again[1:]:
        before = tried[ranker.label].graph
        assert ranker.graph is not None
        assert before is not None
        np.testing.assert_array_equal(
            OnnxScorer(ranker.graph, 4).score(rows), OnnxScorer(before, 4).score(rows)
        )


def test_a_sum_of_graphs_scores_the_weighted_sum() -> None:
    lists = planted(60, 1)
    fitted = [
        recipe.fit(lists) for recipe in recipes(replace(SMALL, rankers=("trees", "network")), lists, lists)
    ]
    graph = sum_graph([graph for graph, _ in fitted], [0.5, 2.0], 4)
    expected = 0.5 * np.asarray(fitted[0][1](lists.rows)) + 2.0 * np.asarray(fitted[1][1](lists.rows))
    np.testing.assert_allclose(OnnxScorer(graph, 4).score(lists.rows), expected, rtol=1e-4, atol=1e-4)


def test_votes_put_scores_on_one_scale_and_weigh_what_helps() -> None:
    lists = planted(200, 4)
    good, noise = 100.0 * lists.rows[:, 1], lists.rows[:, 3]
    alike = equal_votes([good, noise])
    assert np.std(alike[0] * good) == pytest.approx(np.std(alike[1] * noise))
    weights = stacked_votes(lists, [good, noise])
    assert weights[0] * np.std(good) > 5 * weights[1] * np.std(noise) >= 0.0
    better = quality(lists, weights[0] * good + weights[1] * noise).mrr
    assert better > quality(lists, alike[0] * good + alike[1] * noise).mrr


def loss_value(kind: str) -> Callable[[np.ndarray], float]:
    """The loss whose slope is tested, of two lists of 3 and 4 rows with hits at 1 and 5."""

    def value(scores: np.ndarray) -> float:
        total = 0.0
        for low, high, hit in ((0, 3, 1), (3, 7, 2)):
            part = scores[low:high]
            if kind == "weighted":
                away = np.delete(part, hit)
                total += 0.5 * np.log1p(np.exp(-part[hit])) + 0.5 * np.log1p(np.exp(away)).mean()
                continue
            p = np.exp(part[hit]) / np.exp(part).sum()
            total -= (1.0 - p) ** (2.0 if kind == "focal" else 0.0) * np.log(p)
        return total / 2

    return value


@pytest.mark.parametrize(
    ("kind", "loss"),
    [("softmax", softmax_loss), ("focal", focal_loss(2.0)), ("weighted", class_weighted_loss)],
)
def test_a_loss_has_the_slope_of_its_value(kind: str, loss: Loss) -> None:
    scores = np.random.default_rng(5).normal(size=7)
    value, step = loss_value(kind), 1e-5
    expected = [
        (value(scores + step * unit) - value(scores - step * unit)) / (2 * step) for unit in np.eye(7)
    ]
    found = loss(scores.astype(np.float32), np.array([0, 3]), np.array([1, 5]))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_xgboost_leaves_missing_values_and_thresholds_where_they_were() -> None:
    lists = planted(80, 6)
    lists.rows[::7, 1] = np.nan
    booster = ranker_xgboost.fit_xgboost(lists, TreeSettings(6, 7, 0.3), 7)
    rows = lists.rows.copy()
    # Values exactly on thresholds, where a rounded comparison would take the other branch.
    splits = booster.trees_to_dataframe().query("Feature == 'f2'")["Split"].to_numpy(np.float32)
    rows[: len(splits), 2] = splits
    scores = OnnxScorer(ranker_xgboost.export_xgboost(booster, 4), 4).score(rows)
    np.testing.assert_allclose(scores, ranker_xgboost.xgboost_scores(booster, rows), rtol=1e-4, atol=1e-4)


def test_early_stopping_ends_where_later_lists_are_ordered_no_better() -> None:
    settings = TreeSettings(60, 7, 0.3, 5)
    assert trees_until_no_better(planted(60, 1), planted(60, 2, signal=0.0), settings, 7) < 60


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("forest",), "no ranker 'forest'; known: trees, early"),
        (("vote",), "name some beside them"),
    ],
)
def test_a_ranker_that_cannot_be_tried_is_refused(names: tuple[str, ...], why: str) -> None:
    with pytest.raises(UnknownRanker, match=why):
        try_rankers(planted(8, 1), planted(8, 2), replace(SMALL, rankers=names))


def test_xgboost_is_asked_for_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unknown_rankers(("xgboost",))
    monkeypatch.setattr("jobs.ranker_recipes.installed", lambda: False)
    with pytest.raises(UnknownRanker, match=r"headrace\[xgboost\]"):
        refuse_unknown_rankers(("xgboost",))


def test_lists_are_parted_between_times_and_every_list_is_in_one_part() -> None:
    lists = planted(50, 1)
    early, late = lists.parted(0.7)
    assert early.times[-1] < late.times[0]
    assert early.lists + late.lists == 50
    assert early.lists == 32  # the 35th list is of the time of the 33rd
    np.testing.assert_array_equal(np.concatenate([early.rows, late.rows]), lists.rows)
    np.testing.assert_array_equal(late.rows[late.hits], lists.rows[lists.hits[32:]])


def test_lists_out_of_order_are_refused_since_a_part_would_know_the_future_of_another() -> None:
    lists = planted(50, 1)
    times = lists.times.copy()
    times[20] = times[40]
    with pytest.raises(ListsOutOfOrder, match="list 21 is of an event"):
        try_rankers(replace(lists, times=times), planted(9, 2), SMALL)


def candidate(label: str, ranks: list[float], microseconds: float) -> TriedRanker:
    mrr = float(np.mean(ranks))
    return TriedRanker(
        "trees", label, b"", Quality(0.1, mrr, 0.1, mrr), microseconds, True, 1.0, np.array(ranks)
    )


def test_the_cheapest_of_those_as_good_as_the_best_is_chosen() -> None:
    blend = TriedRanker("blend", "blend", None, Quality(0.1, 0.04, 0.1, 0.04), 0.0, False, 0.0)
    noise = [0.5, 0.25, 0.0, 1.0] * 25
    best = candidate("best", [*noise[1:], 1.0], 70)
    alike = candidate("alike", noise, 20)
    worse = candidate("worse", [rank / 2 for rank in noise], 4)
    assert choose([blend, best, alike, worse]).label == "alike"
    assert choose([blend, best, worse]).label == "best"


def test_a_found_network_is_tried_with_its_own_loss() -> None:
    lists = planted(60, 1)
    [plain, focal] = [
        recipe.fit(lists)[0]
        for gamma in (0.0, 2.0)
        for recipe in recipes(
            replace(SMALL, rankers=(), found=(NetworkSettings((6,), 2, gamma=gamma),)), lists, lists
        )
    ]
    assert plain != focal


def test_a_search_takes_nothing_worse_than_what_is_tried_first_and_sees_no_later_list() -> None:
    train = planted(120, 1, signal=1.0)
    settings = replace(SMALL, rankers=("trees", "network"))
    heard: list[tuple[str, int]] = []
    found = search(train, settings, 60.0, 4, lambda kind, trials: heard.append((kind, trials)))
    assert heard == [(kind, n) for kind in ("trees", "network") for n in (1, 2, 3, 4)]
    assert found.trials == (4, 4)
    early, late = train.parted(settings.kept_share)
    thinned = early.thinned(settings.negatives, settings.seed)
    for recipe, mrr in zip(recipes(settings, thinned, late), found.mrr, strict=True):
        scores = OnnxScorer(recipe.fit(thinned)[0], 4).score(late.rows)
        assert mrr >= quality(late, scores).mrr
    tried = try_rankers(train, planted(60, 2), replace(settings, rankers=(), found=found.found))
    assert all(ranker.label.endswith("searched") for ranker in tried[1:])
    assert search(train, settings, 60.0, 4).found == found.found


def test_a_search_takes_nothing_above_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.ranker_cost.MOST_MICROSECONDS", 0.0)
    assert search(planted(40, 1), SMALL, 60.0, 2).found == ()
