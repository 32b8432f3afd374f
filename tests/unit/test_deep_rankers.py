"""A deep-and-cross ranker learns products of features, and two tasks learn what is looked at and what is bought."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pytest

from jobs.bought_times import bought_times
from jobs.cross_onnx import export_cross
from jobs.cross_settings import CrossSettings
from jobs.deep_recipes import DEEP, deep_recipes, left_out
from jobs.listwise_network import fit_listwise
from jobs.ranker_recipes import RankerSettings, UnknownRanker, refuse_unknown_rankers
from jobs.ranking_set import NEVER, RankingSet, quality, reciprocal_ranks
from jobs.train_ranker import try_rankers
from operators.onnx_scorer import OnnxScorer
from schemas.records import Event
from tests.unit.made_lists import crossed, drawn_lists, of_two_kinds

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the extra deep is not installed: pip install 'headrace[deep]'"
)
SMALL = CrossSettings(crosses=1, rank=4, layers=(8, 8), epochs=12, rate=1e-2, lists_at_once=32)
TWO = replace(SMALL.of_two_tasks(), bought_weight=0.5)
Floats = npt.NDArray[np.float32]


def drawn_arrays(settings: CrossSettings, width: int) -> dict[str, Floats]:
    """Parameters of every name that jobs/cross_network.py trains."""
    drawn, (first, last) = np.random.default_rng(1), settings.layers
    shapes: dict[str, tuple[int, ...]] = {
        "scale": (width,),
        "shift": (width,),
        "hidden_0": (width, first),
        "hidden_0_bias": (first,),
        "hidden_1": (first, last * settings.experts),
        "hidden_1_bias": (last * settings.experts,),
    }
    for k in range(settings.crosses):
        shapes |= {f"narrow_{k}": (width, settings.rank), f"wide_{k}": (settings.rank, width)}
        shapes |= {f"wide_{k}_bias": (width,)}
    for task in range(settings.tasks):
        shapes |= {f"head_{task}": (last,), f"gate_{task}": (width, settings.experts)}
    return {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def by_hand(held: dict[str, Floats], settings: CrossSettings, row: Floats) -> float:
    """The score of one row, expert after expert."""
    first = row * held["scale"] + held["shift"]
    x = first
    for k in range(settings.crosses):
        x = first * (held[f"wide_{k}"].T @ (held[f"narrow_{k}"].T @ x) + held[f"wide_{k}_bias"]) + x
    x = np.maximum(x @ held["hidden_0"] + held["hidden_0_bias"], 0.0)
    score, size = 0.0, settings.layers[1]
    for task, weight in zip(range(settings.tasks), (1.0, settings.bought_weight), strict=False):
        gate = np.exp(first @ held[f"gate_{task}"])
        for expert in range(settings.experts):
            part = slice(expert * size, (expert + 1) * size)
            own = np.maximum(x @ held["hidden_1"][:, part] + held["hidden_1_bias"][part], 0.0)
            score += weight * gate[expert] / gate.sum() * float(own @ held[f"head_{task}"])
    return score


@pytest.mark.parametrize("settings", [SMALL, replace(SMALL, crosses=2), TWO], ids=["one", "deeper", "two"])
def test_the_graph_is_the_network_of_the_papers(settings: CrossSettings) -> None:
    held, rows = drawn_arrays(settings, 4), drawn_lists(3, 2).rows
    found = OnnxScorer(export_cross(held, settings), 4).score(rows)
    expected = [by_hand(held, settings, row) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_without_torch_the_way_out_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.ranker_recipes.torch_installed", lambda: False)
    for name in DEEP:
        with pytest.raises(UnknownRanker, match=rf"{name} needs torch: pip install 'headrace\[deep\]'"):
            refuse_unknown_rankers(("trees", name))
    refuse_unknown_rankers(("trees", "network"))


def test_where_all_or_nothing_is_bought_two_tasks_are_left_out_and_the_reason_is_said() -> None:
    looked, taken = of_two_kinds(200, 1, bought=0.0), of_two_kinds(200, 1, bought=1.0)
    assert "of 160 lists, the item of 0 was put in the cart or bought" in left_out(DEEP, *looked.parted(0.8))
    assert "of 160 lists, the item of 160 was" in left_out(DEEP, *taken.parted(0.8))
    assert "30 are needed" in left_out(DEEP, of_two_kinds(400, 1), of_two_kinds(60, 2))
    assert left_out(DEEP, of_two_kinds(400, 1), of_two_kinds(400, 2)) == ""
    assert left_out(("cross",), *looked.parted(0.8)) == ""
    assert deep_recipes(("two-task",), SMALL, 7, *looked.parted(0.8)) == []
    assert "the item of 0 was" in left_out(DEEP, drawn_lists(50, 1))


def test_what_is_bought_after_the_last_list_is_not_known_to_the_lists() -> None:
    lists = drawn_lists(8, 1)  # at 1000 and 1001 ms, four each
    bought_at = np.array([1_000, 1_001, 1_002, NEVER, 1_001, 1_002, NEVER, NEVER])
    lists = replace(lists, bought_at=bought_at)
    assert lists.bought().tolist() == [True, True, False, False, True, False, False, False]
    early, late = lists.parted(0.5)
    assert early.bought().tolist() == [True, False, False, False]
    assert late.bought().tolist() == [True, False, False, False]
    assert lists.thinned(5, 1).bought().tolist() == lists.bought().tolist()


def test_a_purchase_answers_for_every_earlier_event_of_its_user_and_item() -> None:
    seen = [
        Event(event_id="", user_id=user, type=kind, time=time, item_id=item)
        for user, kind, time, item in (
            ("ann", "view", 1, "mug"),
            ("bob", "view", 2, "mug"),
            ("ann", "add_to_cart", 3, "mug"),
            ("ann", "purchase", 4, "mug"),
            ("ann", "view", 5, "mug"),
            ("bob", "search", 6, None),
        )
    ]
    assert bought_times(seen).tolist() == [3, NEVER, 3, 4, NEVER, NEVER]


def test_the_order_of_what_was_bought_is_measured_where_some_was_and_some_was_not() -> None:
    lists = of_two_kinds(300, 3)
    found = quality(lists, lists.rows[:, 2])
    assert found.mrr_bought == pytest.approx(reciprocal_ranks(lists, lists.rows[:, 2])[lists.bought()].mean())
    assert found.mrr_bought > 2 * found.mrr
    assert quality(of_two_kinds(50, 3, bought=1.0), lists.rows[:1_000, 2]).mrr_bought == 0.0


@needs_torch
def test_a_cross_network_learns_a_product_and_is_exported_as_it_is() -> None:
    learned, later = crossed(400, 1), crossed(150, 2)
    settings = RankerSettings(rankers=DEEP, cross=SMALL, negatives=19)
    blend, *tried = try_rankers(learned, later, settings)  # refuses a graph that is off by 1e-4
    assert [ranker.label for ranker in tried] == ["cross 1x4 8-8"]  # nothing is bought: no second task
    assert tried[0].beats_blend
    linear = fit_listwise(learned, (), 10, 7)
    assert tried[0].quality.mrr > 2 * quality(later, linear.score(later.rows)).mrr
    assert tried[0].quality.mrr > 2 * blend.quality.mrr
    again = try_rankers(learned, later, settings)[1]
    assert again.graph == tried[0].graph


@needs_torch
def test_training_stops_where_later_lists_are_ordered_no_better() -> None:
    from jobs.cross_network import fit_cross

    found = fit_cross(crossed(200, 1), replace(SMALL, epochs=40, patience=2), 7, drawn_lists(100, 2))
    assert len(found.found) < 40
    assert len(found.found) == found.best_epoch + 2


@needs_torch
def test_two_tasks_order_what_is_bought_better_than_one_and_what_is_looked_at_nearly_as_well() -> None:
    from jobs.cross_network import combined, fit_cross

    learned, later = of_two_kinds(900, 1), of_two_kinds(600, 5)
    bought = later.bought()
    one = fit_cross(learned, SMALL, 7)
    two = fit_cross(learned, SMALL.of_two_tasks(), 7)
    tasks = two.tasks(later.rows)
    own = reciprocal_ranks(later, one.score(later.rows))
    looked, taken = (reciprocal_ranks(later, tasks[:, task]) for task in (0, 1))
    assert taken[bought].mean() > own[bought].mean() + 0.1
    assert looked[~bought].mean() > own[~bought].mean() - 0.05
    both = reciprocal_ranks(later, combined(tasks, 0.5))
    assert both[bought].mean() > own[bought].mean()


@needs_torch
def test_the_weight_of_what_is_bought_is_the_best_for_it_that_costs_nothing_that_can_be_told_from_noise() -> (
    None
):
    from jobs.cross_network import FittedCross, combined, with_weight

    later = of_two_kinds(600, 5)

    class Known(FittedCross):
        def tasks(self, rows: Floats) -> Floats:
            return rows[:, 1:3]

    known = Known({}, TWO)
    weights = (0.0, 0.05, 0.1, 2.0)
    chosen = with_weight(known, later, weights)

    def mrr(weight: float, lists: RankingSet = later) -> npt.NDArray[np.float64]:
        return reciprocal_ranks(lists, combined(later.rows[:, 1:3], weight))

    best = max((mrr(weight) for weight in weights), key=lambda found: float(found.mean()))
    lost = best - mrr(chosen)
    assert lost.mean() <= lost.std(ddof=1) / np.sqrt(len(lost))
    assert chosen != 2.0  # the best for what is bought, at a price for all
    assert mrr(2.0)[later.bought()].mean() > mrr(chosen)[later.bought()].mean()


@needs_torch
def test_two_tasks_are_in_the_table_where_both_kinds_are_there() -> None:
    settings = RankerSettings(rankers=("cross", "two-task", "vote"), cross=SMALL, negatives=19)
    _, one, two, vote = try_rankers(of_two_kinds(700, 1, 0.3), of_two_kinds(300, 5, 0.3), settings)
    assert two.label.startswith("two-task 8-8, click · buy^")
    assert two.beats_blend
    assert two.quality.mrr_bought > one.quality.mrr_bought - 0.05
    assert vote.label.startswith("vote: ")
