"""Every source of candidates is switched off by one setting, its limit, and then says nothing at all."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.settings import load
from operators.barred_items import BarredItems
from operators.candidates import SOURCES, CandidateFinder, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items, Popularity, SessionSteps
from operators.user_batch import UserBatch
from schemas.records import Item
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000
ON = CandidateSettings(**dict.fromkeys(SOURCES, 9))


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """A shelf on which every source has something to say, and many speak for 'both'."""
    made = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    made.apply(
        Items([Item(item_id=i, title=f"red mug {i}") for i in ("seed", "alike")] + [Item(item_id="both")])
    )
    made.apply(SessionSteps([1, 1, 1], ["seed", "near", "both"], [NOW, NOW, NOW]))
    made.apply(CoVisits(["seed", "seed", "near"], ["pair", "both", "second"], [5.0, 4.0, 3.0]))
    made.apply(
        Popularity(
            ["all", "category:Toys", "category:Toys", "all"], ["hit", "toy", "both", "both"], [1.0] * 4
        )
    )
    return made


def user() -> UserState:
    made = UserState("u", born=1, n=1, last=NOW, session=Session(1, NOW, NOW, 1))
    made.recent = [RecentItem("seed", NOW - 3_600_000, "view", "Toys/Robots")]
    made.categories = {"Toys/Robots": 1.0}
    return made


def said(shelf: Shelf, settings: CandidateSettings) -> dict[str, dict[str, float]]:
    factors = FactorNeighbours(["seed", "hit"], np.array([[1], [0]]), np.array([[0.9], [0.9]]))
    finder = CandidateFinder(shelf, settings, factors)
    users = UserBatch.of([user()], shelf, [NOW])
    found = finder.find(users, BarredItems.of([["seed"]], [b""], shelf))
    rows = zip(found.item.tolist(), found.scores.tolist(), strict=True)
    return {shelf.item_id(item): dict(zip(SOURCES, row, strict=True)) for item, row in rows}


@pytest.mark.parametrize(
    "source", ["session_knn", "covisit", "trending", "category_trending", "factors", "similar"]
)
def test_a_source_speaks_until_its_limit_is_0(shelf: Shelf, source: str) -> None:
    assert any(item[source] for item in said(shelf, ON).values())
    off = said(shelf, replace(ON, **{source: 0}))
    assert off
    assert not any(item[source] for item in off.values())


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_switched_off_source_alone_named_is_no_candidate(shelf: Shelf, source: str) -> None:
    off = said(shelf, replace(ON, **{source: 0}))
    assert all(any(item.values()) for item in off.values())


def test_with_all_sources_off_the_list_is_filled_with_what_trends(shelf: Shelf) -> None:
    nothing = CandidateSettings(**dict.fromkeys(SOURCES, 0))
    assert said(shelf, nothing) == {}
    [made] = Ranker(shelf, RankSettings(length=2, candidates=nothing)).rank([user()], [NOW], [["seed"]])
    assert set(made.items) == {"hit", "both"}
    assert not made.said.any()


def test_the_list_of_a_user_tells_of_no_source_that_is_off(shelf: Shelf) -> None:
    off = RankSettings(candidates=replace(CandidateSettings(), session_knn=0))
    [made] = Ranker(shelf, off).rank([user()], [NOW])
    assert all("session_knn" not in named for named in made.sources)


def test_a_source_is_switched_off_by_a_variable() -> None:
    settings = load(variables={"HEADRACE_RANK__CANDIDATES__SIMILAR": "0"})
    assert settings.rank.candidates == replace(CandidateSettings(), similar=0)


def test_the_columns_of_sources_that_are_off_hold_nothing_however_often_one_looks(shelf: Shelf) -> None:
    off = replace(
        ON, similar=0, factors=0, bought_together=0, view_to_buy=0, again=0, new_arrivals=0, embedded=0
    )
    factors = FactorNeighbours(["seed", "hit"], np.array([[1], [0]]), np.array([[0.9], [0.9]]))
    finder = CandidateFinder(shelf, off, factors)
    users = UserBatch.of([user()] * 5, shelf, [NOW] * 5)
    barred = BarredItems.of([["seed"]] * 5, [b""] * 5, shelf)
    first = finder.find(users, barred)
    assert first.scores[:, :4].any(axis=1).all()
    assert not first.scores[:, 4:].any()
    again = finder.find(UserBatch.of([user()] * 5, shelf, [NOW] * 5), barred)
    assert again.scores.tobytes() == first.scores.tobytes()
