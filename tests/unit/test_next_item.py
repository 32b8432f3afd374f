"""The next-item protocol: what is asked of a list, and its figures against an independent library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, Success, nDCG
from numpy.typing import NDArray

from jobs.evaluate_next import evaluate_next, sessions_of
from jobs.training_events import TrainingEvents, read_training_events
from operators.list_rules import LENGTH, BrokenList
from operators.next_item import Current, NextItem
from operators.next_item_score import next_item_score
from operators.prequential import Visit
from schemas.records import Event

SERENADE = Path(__file__).parents[2] / "data" / "serenade"
NOON = 1_600_000_000_000
GAP = 30 * 60_000
BOTH = (Current.DROP, Current.KEEP)


def session(user: str, items: Sequence[str], start: int = NOON) -> list[Event]:
    return [
        Event(event_id=f"{user}-{n}", user_id=user, type="view", time=start + 1_000 * n, item_id=item)
        for n, item in enumerate(items)
    ]


class Scripted:
    """Gives the same list whenever it is asked, and remembers what it was told."""

    name = "scripted"

    def __init__(self, made: Sequence[int], heed: bool = True) -> None:
        self.made, self.heed = list(made), heed
        self.told: list[str] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        self.told.append(f"asked {user} without {touched.tolist()}")
        return [item for item in self.made if not self.heed or item not in touched]

    def learn(self, visit: Visit) -> None:
        self.told.append(f"learned {visit.item}")

    def follow(self, visit: Visit) -> None:
        self.told.append(f"followed {visit.item}")


def judged(recommender: Scripted, tested: Sequence[Event], *ways: Current) -> NextItem:
    trial = NextItem([recommender], ways or BOTH)
    for event in session("ann", ["mug", "plate", "bowl"]):
        trial.learn(event)
    trial.judge(tested)
    return trial


def test_each_event_but_the_first_is_predicted_from_those_before_it() -> None:
    scripted = Scripted([0, 1, 2])
    trial = judged(scripted, session("bob", ["plate", "mug", "plate"]), Current.KEEP)
    assert scripted.told == [
        "learned 0", "learned 1", "learned 2",
        "followed 1", "asked 1 without []", "followed 0", "asked 1 without []", "followed 1",
    ]  # fmt: skip
    assert trial.ranks(Current.KEEP)["scripted"].tolist() == [1, 2]
    assert (trial.learned, trial.followed, trial.counting, trial.sessions) == (3, 3, 2, 1)


def test_dropped_is_the_current_item_alone_and_both_ways_are_told_apart() -> None:
    trial = judged(Scripted([0, 1, 2]), session("bob", ["plate", "mug", "plate", "plate"]))
    # From plate to mug, from mug back to plate, and once more plate, which no list without it can hold.
    assert trial.ranks(Current.DROP)["scripted"].tolist() == [1, 1, 0]
    assert trial.ranks(Current.KEEP)["scripted"].tolist() == [1, 2, 2]


def test_items_that_the_train_set_does_not_show_are_left_out() -> None:
    trial = judged(Scripted([0, 1, 2]), session("bob", ["mug", "vase", "plate"]), Current.DROP)
    assert (trial.left_out, trial.counting) == (1, 1)
    assert trial.ranks(Current.DROP)["scripted"].tolist() == [1]


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        ([0, 0], "holds an item twice"),
        (list(range(LENGTH + 1)), "holds 21 items"),
        ([7], "holds an item that the train set does not show"),
        ([0], "holds the session's current item, which is dropped"),
    ],
)
def test_a_list_that_breaks_the_rules_stops_the_run(made: list[int], wrong: str) -> None:
    with pytest.raises(BrokenList, match=f"scripted: the list of prediction 1 {wrong}"):
        judged(Scripted(made, heed=False), session("bob", ["mug", "plate"]), Current.DROP)


@given(st.lists(st.integers(0, LENGTH), min_size=1, max_size=40))
def test_the_figures_are_those_of_an_independent_library(ranks: list[int]) -> None:
    wanted = {str(k): {"wanted": 1} for k in range(len(ranks))}
    lists = {
        str(k): {
            "wanted" if place == rank else f"other{place}": float(-place) for place in range(1, LENGTH + 1)
        }
        for k, rank in enumerate(ranks)
    }
    theirs = ir_measures.calc_aggregate([Success @ LENGTH, RR @ LENGTH, nDCG @ LENGTH], wanted, lists)
    ours = next_item_score("ours", "keep", np.array(ranks, np.uint8))
    assert ours.hit_rate == pytest.approx(theirs[Success @ LENGTH])
    assert ours.mrr == pytest.approx(theirs[RR @ LENGTH])
    assert ours.ndcg == pytest.approx(theirs[nDCG @ LENGTH])


def test_nothing_of_the_test_sessions_is_learned() -> None:
    """What the first test sessions show over and over is no better known to the last of them."""
    train = TrainingEvents([*session("a", ["x", "y"]), *session("b", ["p", "q"])], [], 0)
    last = session("z", ["x", "q"], NOON + 90_000_000)
    misleading = [session(f"t{n}", ["x", "q"], NOON + 86_400_000 + 10_000 * n) for n in range(30)]
    alone, after = evaluate_next(train, [last]), evaluate_next(train, [*misleading, last])
    assert [score.mrr for score in alone.scores] == pytest.approx([score.mrr for score in after.scores])


def test_lists_may_hold_what_the_session_had() -> None:
    train = TrainingEvents([e for n in range(9) for e in session(f"u{n}", ["x", "y", "z"])], [], 0)
    done = evaluate_next(train, [session("back", ["x", "y", "x"], NOON + 60_000)], only=("headrace",))
    assert done.scores[0].hit_rate == 1.0


def test_session_knn_reproduces_the_published_protocol_on_serenades_files() -> None:
    """Another implementation of m 500, k 100, linear query weights and idf gives .6638 and .3379."""
    train, tested = (read_training_events(SERENADE / name) for name in ("train.txt.gz", "test.txt"))
    done = evaluate_next(train, sessions_of(tested.events, GAP), only=("session-knn",))
    assert (done.learned, done.items, done.sessions, done.predictions) == (113_601, 18_009, 302, 931)
    assert done.left_out == 0
    [score] = done.scores
    assert score.hit_rate == pytest.approx(0.6638, abs=0.005)
    assert score.mrr == pytest.approx(0.3379, abs=0.002)
