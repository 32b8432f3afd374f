"""The prequential protocol: which events count, in which order things happen, and what a list may hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.list_rules import LENGTH, BrokenList
from operators.numbering import Numbering
from operators.prequential import Prequential, Visit
from schemas.records import Event


class Scripted:
    """Gives the lists it is told to, in turn, and remembers what it was asked and shown."""

    def __init__(self, lists: Iterable[Sequence[int]] = (), name: str = "scripted") -> None:
        self.name = name
        self._lists = iter(lists)
        self.diary: list[tuple[str, int]] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        self.diary.append(("asked", time))
        return next(self._lists, [])

    def learn(self, visit: Visit) -> None:
        self.diary.append(("shown", visit.event.time))


class Newest:
    """Lists the items of the newest events it was shown, whoever's they were."""

    name = "newest"

    def __init__(self) -> None:
        self._shown: list[int] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        return [item for item in dict.fromkeys(reversed(self._shown)) if item not in touched][:LENGTH]

    def learn(self, visit: Visit) -> None:
        if visit.item >= 0:
            self._shown.append(visit.item)


def event(user: str, item: str | None, time: int, kind: str = "view") -> Event:
    return Event(event_id=f"{user}-{item}-{time}", user_id=user, type=kind, time=time, item_id=item)


def run(trial: Prequential, *events: Event) -> Prequential:
    for each in events:
        trial.take(each)
    return trial


def test_an_event_counts_when_its_user_is_known_and_takes_the_item_for_the_first_time() -> None:
    trial = Prequential([], Numbering())
    counted = []
    for each in (
        event("ann", "mug", 10),  # first of its user
        event("bob", "mug", 11),  # first of its user
        event("ann", "bowl", 20),  # counts
        event("ann", "mug", 30),  # touched before
        event("ann", "bowl", 40),  # touched before
        event("bob", "bowl", 50),  # counts: new to bob
    ):
        before = trial.counting
        trial.take(each)
        counted.append(trial.counting > before)
    assert counted == [False, False, True, False, False, True]


def test_strict_events_are_those_later_than_the_users_own_previous_event() -> None:
    trial = Prequential([], Numbering())
    run(
        trial,
        event("ann", "mug", 10),
        event("ann", "bowl", 10),  # the same moment
        event("bob", "jug", 15),
        event("ann", "mug", 20),  # touched before: does not count, yet is ann's previous event
        event("ann", "plate", 20),  # the same moment as that
        event("ann", "spoon", 21),  # strict
    )
    assert (trial.counting, trial.strict) == (3, 1)


def test_events_that_touch_no_item_are_learned_from_and_neither_count_nor_make_a_user_known() -> None:
    recommender = Scripted()
    trial = run(
        Prequential([recommender], Numbering()),
        event("ann", "mug", 10, "refund"),
        event("ann", None, 11, "search"),
        event("ann", "mug", 12, "purchase"),
        event("ann", "bowl", 13, "impression"),
        event("ann", "bowl", 14, "purchase"),
    )
    assert (trial.events, trial.touching, trial.counting) == (5, 2, 1)
    assert [time for what, time in recommender.diary if what == "shown"] == [10, 11, 12, 13, 14]


def test_figures_agree_with_a_table_worked_out_by_hand() -> None:
    items = Numbering(["a", "b", "c", "d"])
    lists = [
        [1, 2],  # ann takes b: rank 1, same moment
        [3, 2],  # ann takes c: rank 2, strict
        [3],  # bob takes c: not listed, strict
        [1, 2, 0, 3],  # cid takes d: rank 4, same moment
    ]
    trial = run(
        Prequential([Scripted(lists)], items),
        event("ann", "a", 1),
        event("ann", "b", 1),
        event("ann", "c", 5),
        event("bob", "a", 6),
        event("bob", "c", 7),
        event("cid", "e", 8),
        event("cid", "d", 8),
    )
    [score] = trial.scores()
    assert score.hit_rate == 3 / 4
    assert score.mrr == pytest.approx((1 + 1 / 2 + 0 + 1 / 4) / 4)
    assert score.strict_hit_rate == 1 / 2
    assert score.strict_mrr == pytest.approx((1 / 2 + 0) / 2)
    # a, b, c, d were listed; a, b, c, d, e were touched.
    assert score.coverage == 4 / 5
    assert trial.ranks()["scripted"].tolist() == [1, 2, 0, 4]


def test_every_list_is_made_before_anybody_is_shown_the_event() -> None:
    first, second = Scripted(name="first"), Scripted(name="second")
    first.diary = second.diary  # one diary for both
    run(Prequential([first, second], Numbering()), event("ann", "mug", 1), event("ann", "bowl", 2))
    assert first.diary == [("shown", 1), ("shown", 1), ("asked", 2), ("asked", 2), ("shown", 2), ("shown", 2)]


def test_a_recommender_cannot_profit_from_the_event_it_is_judged_by() -> None:
    # Every item comes once: only one who saw the event before making the list could name it.
    events = [event("ann", f"item-{n}", n) for n in range(50)]
    trial = run(Prequential([Newest()], Numbering([e.item_id or "" for e in events])), *events)
    assert trial.counting == 49
    assert trial.scores()[0].hit_rate == 0.0


def test_a_recommender_that_saw_the_event_before_the_list_is_caught() -> None:
    class Foresighted(Newest):
        """Was shown the events ahead of the run."""

        def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
            return [time]  # item n comes at time n

    events = [event("ann", f"item-{n}", n) for n in range(3)]
    with pytest.raises(BrokenList, match="it has seen the future"):
        run(Prequential([Foresighted()], Numbering()), *events)


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (list(range(1, LENGTH + 2)), "holds 21 items"),
        ([1, 2, 1], "holds an item twice"),
        ([1, 0], "holds an item that the user touched"),
        ([99], "seen the future"),
        ([-1], "seen the future"),
    ],
)
def test_a_list_that_breaks_the_rules_stops_the_run_and_names_its_maker(made: list[int], wrong: str) -> None:
    trial = Prequential([Scripted([made])], Numbering([f"item-{n}" for n in range(50)]))
    trial.take(event("ann", "item-0", 1))
    with pytest.raises(BrokenList, match=f"^scripted: the list of user ann .*{wrong}"):
        trial.take(event("ann", "item-5", 2))


def test_events_before_the_start_are_learned_from_and_do_not_count() -> None:
    recommender = Scripted()
    events = [event("ann", f"item-{n}", n) for n in range(5)]
    trial = run(Prequential([recommender], Numbering(), count_from=3), *events)
    assert trial.counting == 2
    assert [time for what, time in recommender.diary if what == "asked"] == [3, 4]
    assert [time for what, time in recommender.diary if what == "shown"] == [0, 1, 2, 3, 4]


def test_events_out_of_order_are_refused() -> None:
    trial = run(Prequential([], Numbering()), event("ann", "mug", 5))
    with pytest.raises(ValueError, match="sort by time"):
        trial.take(event("ann", "bowl", 4))


def test_without_a_counting_event_there_are_no_figures_rather_than_zeros() -> None:
    [score] = run(Prequential([Newest()], Numbering()), event("ann", "mug", 5)).scores()
    assert (score.hit_rate, score.mrr, score.strict_hit_rate, score.strict_mrr) == (None,) * 4


moments = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=60
)


@given(moments)
def test_figures_are_bounded_and_strict_events_are_some_of_the_counting_ones(
    steps: list[tuple[int, int, int]],
) -> None:
    trial = Prequential([Newest()], Numbering())
    now = 0
    for user, item, pause in steps:
        now += pause
        trial.take(event(str(user), str(item), now))
    [score] = trial.scores()
    assert 0 <= trial.strict <= trial.counting < trial.touching == len(steps)
    assert 0.0 <= score.coverage <= 1.0
    for hits, reciprocal in ((score.hit_rate, score.mrr), (score.strict_hit_rate, score.strict_mrr)):
        if hits is not None and reciprocal is not None:
            assert hits / LENGTH <= reciprocal <= hits <= 1.0


@given(moments)
def test_a_perfect_list_scores_one(steps: list[tuple[int, int, int]]) -> None:
    items = Numbering(str(item) for item in range(13))
    known: set[int] = set()
    taken: set[tuple[int, int]] = set()
    wanted = []
    for user, item, _ in steps:
        if user in known and (user, item) not in taken:
            wanted.append([item])
        known.add(user)
        taken.add((user, item))
    trial = Prequential([Scripted(wanted)], items)
    run(trial, *(event(str(user), str(item), n) for n, (user, item, _) in enumerate(steps)))
    [score] = trial.scores()
    assert trial.counting == len(wanted)
    assert {score.hit_rate, score.mrr} == ({1.0} if wanted else {None})
