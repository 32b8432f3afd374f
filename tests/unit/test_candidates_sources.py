"""Candidates: every source speaks for its items, within its limit."""

import numpy as np
import pytest

from operators.barred_items import BarredItems
from operators.candidates import SOURCES, CandidateFinder, Candidates, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.item_step import session_key
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Popularity, SessionSteps
from operators.user_batch import UserBatch
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000


@pytest.fixture
def shelf() -> Shelf:
    made = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    made.apply(SessionSteps([1, 1, 2, 2, 3, 3], ["seed", "near", "seed", "near", "far", "other"], [NOW] * 6))
    made.apply(CoVisits(["seed", "seed"], ["pair", "weaker"], [5.0, 4.0]))
    made.apply(Popularity(["all", "country:GB", "category:Toys"], ["hit", "british", "toy"], [1.0, 1.0, 1.0]))
    return made


def user() -> UserState:
    made = UserState("u", born=1, n=1, last=NOW, country="GB", session=Session(1, NOW, NOW, 1))
    made.recent = [RecentItem("seed", NOW - 3_600_000, "view", "Toys/Robots")]
    made.categories = {"Toys/Robots": 1.0}
    return made


def find(
    shelf: Shelf,
    state: UserState,
    settings: CandidateSettings | None = None,
    factors: FactorNeighbours | None = None,
) -> tuple[Candidates, dict[str, dict[str, float]]]:
    finder = CandidateFinder(shelf, settings or CandidateSettings(), factors or FactorNeighbours.none())
    users = UserBatch.of([state], shelf, [NOW])
    found = finder.find(users, BarredItems.of(None, [b""], shelf))
    said = {
        shelf.item_id(item): {name: value for name, value in zip(SOURCES, row, strict=True) if value}
        for item, row in zip(found.item.tolist(), found.scores.tolist(), strict=True)
    }
    return found, said


def test_each_source_names_its_items_and_its_best_has_one(shelf: Shelf) -> None:
    factors = FactorNeighbours(["seed", "alike"], np.array([[1], [0]]), np.array([[0.9], [0.9]]))
    shelf.apply(Popularity(["country:FR"], ["alike"], [1.0]))
    found, said = find(shelf, user(), factors=factors)
    assert said["near"]["session_knn"] == 1.0
    assert said["pair"]["covisit"] == 1.0
    assert 0.0 < said["weaker"]["covisit"] < 1.0
    assert said["british"]["trending"] == 1.0
    assert 0.0 < said["hit"]["trending"] <= 0.5
    assert said["toy"]["category_trending"] == 1.0
    assert said["alike"]["factors"] == 1.0
    assert "far" not in said
    assert found.start.tolist() == [0, len(found)]
    assert shelf.scopes.names[found.scope[list(said).index("british")]] == "country:GB"
    assert found.anchor[list(said).index("pair")] == 0


def test_a_users_own_session_is_no_neighbour(shelf: Shelf) -> None:
    mine = session_key("u", 1)
    shelf.apply(SessionSteps([mine, mine], ["seed", "my-own"], [NOW, NOW]))
    _, said = find(shelf, user())
    assert "my-own" not in said


def test_older_sessions_vote_less(shelf: Shelf) -> None:
    old = NOW - 120 * 86_400_000
    shelf.apply(SessionSteps([8, 8, 9, 9], ["seed", "old", "seed", "new"], [old, old, NOW, NOW]))
    _, said = find(shelf, user(), CandidateSettings(session_half_life=60.0))
    assert said["old"]["session_knn"] == pytest.approx(said["new"]["session_knn"] / 4)


def test_sources_keep_to_their_limits() -> None:
    shelf = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    ids = [f"i{k}" for k in range(400)]
    shelf.apply(
        SessionSteps(
            [k // 20 for k in range(400)],
            [i for k in range(20) for i in ["seed", *ids[k * 19 : k * 19 + 19]]],
            [NOW] * 400,
        )
    )
    shelf.apply(CoVisits(["seed"] * 400, ids, [float(k) for k in range(400)]))
    shelf.apply(Popularity(["all"] * 400, ids[::-1], [float(k) for k in range(400)]))
    shelf.apply(Popularity(["category:Toys"] * 400, ids, [float(k % 37) for k in range(400)]))
    settings = CandidateSettings(session_knn=7, covisit=6, trending=5, category_trending=4)
    found, said = find(shelf, user(), settings)
    assert len(found) <= 7 + 6 + 5 + 4
    assert len(said) == len(found)
    assert max(settings.most, len(found)) == settings.most


def test_the_factor_source_follows_items_that_come_later() -> None:
    shelf = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    factors = FactorNeighbours(["alike", "seed"], np.array([[1], [0]]), np.array([[0.9], [0.9]]))
    shelf.apply(Popularity(["all"], ["hit"], [1.0]))
    assert factors.numbered(shelf).row[:1].tolist() == [-1]
    shelf.apply(Popularity(["all", "all"], ["seed", "alike"], [1.0, 1.0]))
    _, said = find(shelf, user(), factors=factors)
    assert said["alike"]["factors"] == 1.0


def test_a_batch_tells_the_users_recent_items_newest_first(shelf: Shelf) -> None:
    state = user()
    state.recent = [
        RecentItem("near", NOW - 7_200_000, "purchase", "?"),
        RecentItem("not on the shelf", NOW - 5, "view", "?"),
        RecentItem("seed", NOW, "view", "?"),
    ]
    users = UserBatch.of([state, UserState("nobody", born=NOW)], shelf, [NOW, NOW])
    assert [shelf.item_id(item) for item in users.recent[0, :2]] == ["seed", "near"]
    assert users.recent[0, 2] == users.recent[1, 0] == -1
    assert users.age_hours[0, :2].tolist() == [0.0, 2.0]
    assert users.in_session[0, :2].tolist() == [True, False]
    assert users.purchased[0, :2].tolist() == [False, True]
    assert users.age_hours[1].tolist() == [0.0] * 20
