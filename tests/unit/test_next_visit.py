"""Lists for the next visit: when they are due, what they lean on, and that `evaluate` makes the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.headrace_list import HeadraceList
from jobs.plain_stream import PlainStream
from operators.candidates import SOURCES
from operators.next_visit import NextVisits, list_time
from operators.numbering import Numbering
from operators.prequential import Prequential
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf
from operators.shelf_records import CoVisits, Popularity
from operators.user_step import StepSettings
from schemas.records import Event
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000
GAP = StepSettings().session_gap
AWAY = [f"far-{k}" for k in range(30)]


def shopper(last: int = NOW) -> UserState:
    user = UserState("ann", born=1, n=1, last=last, session=Session(number=1, start=last, last=last, depth=1))
    user.recent = [RecentItem.of("mug", last, "view", "Home")]
    return user


@pytest.fixture
def shelf() -> Shelf:
    """A cup goes with the mug, and what trends has nothing to do with it."""
    shelf = Shelf()
    goes_with = ["cup", *(f"near-{k}" for k in range(14))]
    shelf.apply(CoVisits(["mug"] * 15, goes_with, [1.0 - 0.3 * k for k in range(15)]))
    shelf.apply(Popularity(["all"] * 30, AWAY, [9.0 - 0.01 * k for k in range(30)]))
    return shelf


def test_a_list_for_the_next_visit_leans_on_what_trends(shelf: Shelf) -> None:
    during, after, at_the_end = Ranker(shelf).rank([shopper()] * 3, [NOW, NOW + GAP + 1, NOW + GAP])
    first = [
        next(place for place, item in enumerate(made.items) if item in AWAY)
        for made in (during, after, at_the_end)
    ]
    assert first[1] < first[0] == first[2]
    assert "cup" in after.items  # what goes with the last visit is not forgotten


def test_a_visit_that_has_begun_without_an_item_leans_on_what_trends_too(shelf: Shelf) -> None:
    back, gone = shopper(), shopper()
    start = NOW + 10 * GAP
    back.session, back.last = Session(number=2, start=start, last=start, depth=1), start
    here, away = Ranker(shelf).rank([back, gone], [start, NOW + GAP + 1])
    assert here.items == away.items
    back.recent.append(RecentItem.of("cup", start, "view", "Home"))
    [on_it] = Ranker(shelf).rank([back], [start])
    assert on_it.said.max() == 1.0


def test_sources_that_say_what_there_is_now_say_as_much_as_before(shelf: Shelf) -> None:
    during, after = Ranker(shelf).rank([shopper()] * 2, [NOW, NOW + GAP + 1])
    covisit, trending = SOURCES.index("covisit"), SOURCES.index("trending")
    before, then = (dict(zip(made.items, made.said, strict=True)) for made in (during, after))
    assert then["cup"][covisit] == pytest.approx(RankSettings().next_visit * before["cup"][covisit])
    both = before.keys() & then.keys() & set(AWAY)
    assert both
    assert all(before[item][trending] == then[item][trending] for item in both)


def test_a_share_of_1_and_a_list_during_the_session_are_as_without_next_visits(shelf: Shelf) -> None:
    plain, off = Ranker(shelf), Ranker(shelf, replace(RankSettings(), next_visit=1.0, next_visit_past=1.0))
    [usual], [same] = plain.rank([shopper()], [NOW]), off.rank([shopper()], [NOW + GAP + 1])
    assert (usual.items, usual.scores, usual.whys) == (same.items, same.scores, same.whys)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"rank\.next_visit is .* must be from 0 to 1"):
        RankSettings(next_visit=share)
    with pytest.raises(ValueError, match=r"rank\.next_visit_past is .* must be from 0 to 1"):
        RankSettings(next_visit_past=share)


def asked_at(pause: int, ends: bool) -> int:
    """As of when `HeadraceList` makes the list by which an event after a pause is judged."""
    stream, items = PlainStream(), Numbering()
    own = HeadraceList(items, stream, ends=ends)
    times: list[int] = []
    rank = own._ranker.rank

    def told(states: list[UserState], now_ms: list[int], *rest: object) -> object:
        times.extend(now_ms)
        return rank(states, now_ms, *rest)  # type: ignore[arg-type]

    own._ranker.rank = told  # type: ignore[method-assign,assignment]
    trial = Prequential([own], items)
    for n, time in enumerate((NOW, NOW + pause)):
        trial.take(Event(event_id=str(n), user_id="ann", type="view", time=time, item_id=f"item-{n}"))
    [at] = times
    return at


@pytest.mark.parametrize(
    ("pause", "ends", "at"),
    [
        (GAP, True, NOW),
        (GAP + 1, True, NOW + GAP + 1),
        (90 * GAP, True, NOW + GAP + 1),
        (90 * GAP, False, NOW),
    ],
)
def test_evaluate_takes_the_list_that_the_job_made_last(pause: int, ends: bool, at: int) -> None:
    assert asked_at(pause, ends) == at


@given(pauses=st.lists(st.integers(0, 3 * GAP), min_size=1, max_size=20))
def test_timers_make_one_list_for_every_session_end_at_the_time_that_evaluate_takes(
    pauses: list[int],
) -> None:
    """A user's events with pauses: the timer chain of the user step, by event time."""
    visits, made, expected = NextVisits(GAP, followed=10), [], []
    user = shopper()
    timer = visits.next_due(user, user.last)
    for pause in [*pauses, 10 * GAP]:
        time = user.last + pause
        if (at := list_time(user, time, GAP)) != user.last:
            expected.append(at)
        while timer is not None and timer <= time:
            made += [timer] * (visits.take(user, timer) + visits.take(user, timer))
            timer = visits.next_due(user, timer)
        start = time if pause > GAP else user.session.start
        user.session = Session(number=user.session.number + (pause > GAP), start=start, last=time)
        user.last = time
        timer = timer if timer is not None else visits.next_due(user, time)
    assert made == expected


def test_an_end_that_one_clock_told_is_not_due_again_by_the_other() -> None:
    visits, user = NextVisits(GAP, followed=10), shopper()
    end = NOW + GAP + 1
    assert not visits.take_over(user, end - 1)
    assert visits.next_due(user, NOW) == end
    assert visits.take_over(user, end + 5)
    assert visits.next_due(user, NOW) is None
    assert not visits.take(user, end)
    assert not NextVisits(0, followed=10).take_over(user, end)


def test_an_event_that_asks_for_a_list_makes_the_end_due_again_though_the_session_is_no_longer() -> None:
    visits, user = NextVisits(GAP, followed=10), shopper()
    end = NOW + GAP + 1
    assert visits.take(user, end)
    visits.replaced(user.uid)
    assert visits.next_due(user, NOW) == end
    assert visits.take(user, end)


def test_a_bot_and_a_user_without_items_need_no_list_for_the_next_visit() -> None:
    visits, bot, newcomer = NextVisits(GAP, followed=10), shopper(), shopper()
    bot.traffic.marks, newcomer.recent = 1, []
    for user in (bot, newcomer):
        assert visits.next_due(user, NOW) is None
        assert not visits.take(user, NOW + GAP + 1)


def test_of_ends_a_bounded_number_is_remembered() -> None:
    visits = NextVisits(GAP, followed=3)
    for k in range(100):
        user = shopper()
        user.uid = f"user-{k}"
        assert visits.take(user, NOW + GAP + 1)
    assert len(visits._made) == 3
