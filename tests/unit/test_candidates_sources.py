"""Candidates: every source speaks for its items, within its limit."""

import numpy as np
import pytest

from operators.barred_items import BarredItems
from operators.candidates import SOURCES, CandidateFinder, Candidates, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.item_step import session_key
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Arrivals, CoVisits, Items, Popularity, PurchaseScores, SessionSteps
from operators.user_batch import UserBatch
from schemas.records import Item
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
    may_return: bool = False,
) -> tuple[Candidates, dict[str, dict[str, float]]]:
    finder = CandidateFinder(shelf, settings or CandidateSettings(), factors or FactorNeighbours.none())
    users = UserBatch.of([state], shelf, [NOW])
    touched = [entry.item_id for entry in state.recent]
    found = finder.find(users, BarredItems.of([[] if may_return else touched], [b""], shelf))
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


def test_sessions_vote_less_for_what_came_longer_before_or_after_the_shared_item(shelf: Shelf) -> None:
    items = ["before", "seed", "next", "later", "last"]
    shelf.apply(SessionSteps([8] * 5, items, [NOW + k for k in range(5)]))
    shelf.apply(SessionSteps([9] * 3, ["seed", "same order", "same order too"], [NOW] * 3))
    _, said = find(shelf, user(), CandidateSettings(session_reach=2.0, session_half_life=1e9))
    votes = {
        item: said[item]["session_knn"] for item in (*items, "same order", "same order too") if item != "seed"
    }
    assert votes["before"] == votes["next"] == votes["same order"] == votes["same order too"]
    assert votes["later"] == pytest.approx(votes["next"] * np.exp(-1 / 2))
    assert votes["last"] == pytest.approx(votes["next"] * np.exp(-2 / 2))


def test_items_of_one_time_ask_alike_and_older_ones_less(shelf: Shelf) -> None:
    state = user()
    state.recent = [
        RecentItem(item, NOW - at, "view", "?") for item, at in (("older", 5), ("a", 0), ("b", 0))
    ]
    state.session = Session(1, NOW - 10, NOW, 3)
    asked = [("older", "by older"), ("a", "by a"), ("b", "by b")]
    for key, (item, by) in enumerate(asked, start=20):
        shelf.apply(SessionSteps([key, key], [item, by], [NOW, NOW]))
    _, said = find(shelf, state, CandidateSettings(query_decay=0.5))
    assert said["by a"]["session_knn"] == pytest.approx(said["by b"]["session_knn"])
    assert said["by older"]["session_knn"] == pytest.approx(0.5 * said["by a"]["session_knn"])


def test_a_touched_item_that_may_return_speaks_for_itself(shelf: Shelf) -> None:
    state = user()
    _, once = find(shelf, state, CandidateSettings(returning=1.0), may_return=True)
    _, thrice = find(shelf, state, CandidateSettings(returning=3.0), may_return=True)
    assert once["seed"]["session_knn"] == once["near"]["session_knn"] == 1.0
    assert thrice["seed"]["session_knn"] == 1.0
    assert thrice["near"]["session_knn"] == pytest.approx(1 / 3)


def test_where_little_came_up_what_goes_with_it_is_named_too(shelf: Shelf) -> None:
    shelf.apply(CoVisits(["pair", "pair", "near"], ["beyond", "seed", "far off"], [5.0, 5.0, 1.0]))
    found, said = find(shelf, user(), CandidateSettings(second_hop_weight=0.4))
    assert max(said["beyond"]["covisit"], said["far off"]["covisit"]) == pytest.approx(0.4)
    assert said["pair"]["covisit"] == 1.0
    # The reason is the user's own item that led to the one that led there.
    assert found.anchor[list(said).index("beyond")] == 0
    _, known_enough = find(shelf, user(), CandidateSettings(second_hop_below=3))
    assert "beyond" not in known_enough
    _, without = find(shelf, user(), CandidateSettings(second_hop_weight=0.0))
    assert "beyond" not in without


def test_a_session_without_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="session_reach of 0"):
        CandidateSettings(session_reach=0.0)


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


def bought(shelf: Shelf) -> Shelf:
    shelf.apply(PurchaseScores("together", ["seed", "seed"], ["mate", "rarer"], [5.0, 4.0]))
    shelf.apply(PurchaseScores("then_bought", ["seed"], ["instead"], [5.0]))
    return shelf


def test_what_is_bought_together_and_after_a_look_are_sources_of_their_own(shelf: Shelf) -> None:
    _, said = find(bought(shelf), user(), CandidateSettings(bought_together=5, view_to_buy=5))
    assert said["mate"] == {"bought_together": 1.0}
    assert 0.0 < said["rarer"]["bought_together"] < 1.0
    assert said["instead"] == {"view_to_buy": 1.0}


def test_after_a_purchase_nobody_is_shown_what_others_bought_instead(shelf: Shelf) -> None:
    buyer = user()
    buyer.recent = [RecentItem.of("seed", NOW - 3_600_000, "purchase", "Toys/Robots")]
    _, said = find(bought(shelf), buyer, CandidateSettings(bought_together=5, view_to_buy=5))
    assert "mate" in said
    assert "instead" not in said


def test_new_arrivals_are_of_favourite_categories_and_the_newer_the_better(shelf: Shelf) -> None:
    new = [("fresh", "Toys/Robots"), ("week", "Toys/Dolls"), ("other", "Garden"), ("future", "Toys/Dolls")]
    shelf.apply(Items([Item(item_id=item, category=category) for item, category in new]))
    shelf.apply(Popularity(["category:Toys"], ["toy"], [1.0]))
    ages = {"fresh": 0, "week": 7, "other": 0, "future": -3}
    shelf.apply(Arrivals(list(ages), [NOW - days * 86_400_000 for days in ages.values()]))
    _, said = find(shelf, user(), CandidateSettings(new_arrivals=5))
    assert said["fresh"]["new_arrivals"] == pytest.approx(1.0)
    assert said["week"]["new_arrivals"] == pytest.approx(0.5)
    assert "other" not in said
    assert "future" not in said


def test_novelty_lifts_what_trends_and_came_lately(shelf: Shelf) -> None:
    ids = [f"old-{number}" for number in range(6)] + ["new"]
    scores = [3.0 - 0.1 * number for number in range(len(ids))]
    shelf.apply(Popularity(["all"] * len(ids), ids, scores))
    shelf.apply(Arrivals(["new"], [NOW]))
    stranger = UserState("u", born=1, n=1, last=NOW)
    _, plain = find(shelf, stranger, CandidateSettings(trending=3))
    assert list(plain) == ["old-0", "old-1", "old-2"]
    _, boosted = find(shelf, stranger, CandidateSettings(trending=3, novelty=2.0))
    assert boosted["new"]["trending"] == 1.0
    assert boosted["old-1"]["trending"] < boosted["old-0"]["trending"] < 1.0


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_whose_limit_is_0_says_nothing(shelf: Shelf, source: str) -> None:
    every = dict.fromkeys(SOURCES, 20)
    shelf.apply(Items([Item(item_id=item, category="Toys") for item in ("toy", "near", "pair")]))
    shelf.apply(Arrivals(["near"], [NOW]))
    _, said = find(bought(shelf), user(), CandidateSettings(**{**every, source: 0}))
    assert said
    assert not [item for item, told in said.items() if source in told]
