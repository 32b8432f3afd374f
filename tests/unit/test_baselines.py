"""The baselines against tables worked out by hand, and session-kNN against its definition written out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.baseline_covisitation import LastItemCovisitation
from operators.baseline_popularity import Popularity
from operators.baseline_session_knn import POPULARITY_SHARE, SessionKnn, SessionKnnSettings
from operators.baseline_top import best
from operators.list_rules import LENGTH
from operators.prequential import Recommender, Visit
from schemas.records import Event

DAY = 86_400_000


def learn(recommender: Recommender, *touches: tuple[int, int, int]) -> None:
    """Touches are (user, item, time)."""
    for user, item, time in touches:
        recommender.learn(
            Visit(
                Event(event_id="", user_id=str(user), type="view", time=time, item_id=str(item)), user, item
            )
        )


def listed(recommender: Recommender, user: int = 0, touched: Sequence[int] = (), time: int = 0) -> list[int]:
    return list(recommender.recommend(user, time, np.array(touched, np.int32)))


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.5, 9.0]), min_size=1, max_size=60),
    st.lists(st.integers(0, 59), max_size=40),
    st.integers(1, 25),
)
def test_the_best_are_the_greatest_scores_that_are_not_excluded(
    scores: list[float], excluded: list[int], most: int
) -> None:
    excluded = [item for item in excluded if item < len(scores)]
    array = np.array(scores)
    wanted = sorted(
        (item for item in range(len(scores)) if scores[item] > 0 and item not in excluded),
        key=lambda item: (-scores[item], item),
    )
    assert best(array, len(scores), np.array(excluded, np.int32), most).tolist() == wanted[:most]
    assert array.tolist() == scores


def test_popularity_counts_touches_and_leaves_out_what_the_user_touched() -> None:
    popular = Popularity()
    learn(popular, (0, 7, 1), (1, 7, 2), (2, 3, 3), (2, 3, 4), (3, 3, 5), (3, 5, 6))
    assert listed(popular) == [3, 7, 5]
    assert listed(popular, touched=[3, 5]) == [7]


def test_decayed_popularity_halves_after_a_half_life() -> None:
    decayed = Popularity("decayed", half_life=3 * DAY)
    # Two touches a half-life ago weigh as much as one now; three weigh more.
    learn(decayed, (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 2, 3 * DAY))
    assert listed(decayed) == [1, 2]
    learn(decayed, (0, 2, 3 * DAY))
    assert listed(decayed) == [2, 1]


def test_decayed_popularity_keeps_its_order_over_years() -> None:
    decayed = Popularity("decayed", half_life=3 * DAY)
    for year in range(40):
        learn(decayed, (0, 1, year * 365 * DAY), (0, 2, year * 365 * DAY), (0, 2, year * 365 * DAY))
    assert listed(decayed) == [2, 1]


def test_co_visitation_lists_what_came_right_after_the_last_item_then_what_is_popular() -> None:
    pairs = LastItemCovisitation()
    learn(pairs, (1, 10, 1), (1, 11, 2), (2, 10, 3), (2, 12, 4), (3, 10, 5), (3, 12, 6))
    learn(pairs, (4, 13, 7), (5, 13, 8), (6, 13, 9), (0, 10, 10))
    # After 10 came 12 twice and 11 once; 13 is popular, yet came after nothing.
    assert listed(pairs, user=0, touched=[10]) == [12, 11, 13]
    # Nothing came after 12: popularity alone, 10 before 13.
    assert listed(pairs, user=2, touched=[12]) == [10, 13, 11]


def test_an_item_that_follows_itself_is_no_pair() -> None:
    pairs = LastItemCovisitation()
    learn(pairs, (0, 1, 1), (0, 1, 2), (0, 2, 3), (1, 1, 4))
    assert listed(pairs, user=1, touched=[]) == [2, 1]


def test_session_knn_lists_what_the_sessions_with_the_users_items_hold() -> None:
    knn = SessionKnn()
    learn(knn, (1, 10, 1), (1, 11, 2), (2, 10, 3), (2, 12, 4), (2, 11, 5), (3, 13, 6), (0, 10, 7))
    assert listed(knn, user=0, touched=[10]) == [11, 12, 13]


def test_a_quiet_spell_ends_a_session_of_the_index() -> None:
    gap = SessionKnnSettings().gap
    knn = SessionKnn()
    # 11 comes within the session of 10, 12 after it was over; 13 is more popular than both.
    learn(knn, (1, 10, 0), (1, 11, gap), (1, 12, 2 * gap + 1))
    learn(knn, *((user, 13, 3 * gap) for user in range(2, 6)), (0, 10, 3 * gap))
    assert listed(knn, user=0, touched=[10]) == [11, 13, 12]


small = SessionKnnSettings(gap=10, query=4, recent=5, neighbours=3, session_items=3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 6)), min_size=1, max_size=60))
def test_session_knn_does_what_its_definition_says(steps: list[tuple[int, int, int]]) -> None:
    knn = SessionKnn(small)
    touches: list[tuple[int, int, int]] = []
    now = 0
    for user, item, pause in steps:
        now += pause
        touches.append((user, item, now))
    learn(knn, *touches)
    for user in range(5):
        history = [i for u, i, _ in touches if u == user]
        made = listed(knn, user=user, touched=history)
        scores = written_out(touches, history, small)
        fair = [i for i in scores if i not in history]
        assert sorted(made) == sorted(fair)[:LENGTH]
        # Sums in another order differ in their last digits, so places may only be swapped within that.
        assert all(scores[a] >= scores[b] - 1e-10 for a, b in pairwise(made))


def written_out(
    touches: list[tuple[int, int, int]], history: list[int], of: SessionKnnSettings
) -> dict[int, float]:
    """The scores of session-kNN by plain loops over everything that ever happened."""
    sessions: list[dict[int, int]] = []  # item -> number of the touch that brought it
    latest: list[int] = []
    running: dict[int, tuple[int, int]] = {}
    for n, (user, item, time) in enumerate(touches):
        number, last = running.get(user, (-1, 0))
        if number < 0 or time - last > of.gap:
            number = len(sessions)
            sessions.append({})
            latest.append(n)
        running[user] = number, time
        latest[number] = n
        sessions[number].setdefault(item, n)
    asking = history[-of.query :]
    weights = {item: (place + 1) / len(asking) for place, item in enumerate(asking)}
    holders = {
        item: sorted(
            (s for s in range(len(sessions)) if item in sessions[s]), key=lambda s: sessions[s][item]
        )
        for item in {i for held in sessions for i in held}
    }
    found = {s for item in weights for s in holders[item][-of.recent :]}
    compared = sorted(found, key=lambda s: -latest[s])[: of.recent]
    alike = {s: sum(w for item, w in weights.items() if s in holders[item][-of.recent :]) for s in compared}
    nearest = sorted(compared, key=lambda s: (-round(alike[s], 9), -latest[s]))[: of.neighbours]
    touched = Counter(item for _, item, _ in touches)
    scores = {item: POPULARITY_SHARE * n / (len(touches) + 1) for item, n in touched.items()}
    for s in nearest:
        for item in sorted(sessions[s], key=lambda i: sessions[s][i])[-of.session_items :]:
            scores[item] += alike[s] * math.log(len(sessions) / len(holders[item]))
    return scores
