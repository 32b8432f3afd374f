"""Features compare a candidate with the user's others and with the user, alike for one user and for many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from operators.affinity import AffinityModel, AffinitySettings
from operators.calibrated_affinity import CalibratedAffinity
from operators.candidates import SOURCES, Candidates
from operators.feature_plan import FeaturePlan
from operators.features import FEATURES
from operators.shelf import Shelf
from operators.shelf_records import Items, Popularity, SessionSteps
from operators.user_batch import UserBatch
from schemas.records import Item
from schemas.state import RecentItem, Session, UserState

HOUR = 3_600_000
NOW = 1_323_432_000_000  # Friday 2011-12-09, 12:00 UTC

CATALOGUE = [
    Item(item_id="mug", category="Kitchen/Mugs", price=4.0),
    Item(item_id="cup", category="Kitchen/Mugs", price=8.0),
    Item(item_id="pan", category="Kitchen/Pans", price=16.0),
    Item(item_id="robot", category="Toys/Robots"),
    Item(item_id="thing"),
]


def stocked_shelf() -> Shelf:
    shelf = Shelf()
    shelf.apply(Items(CATALOGUE))
    shelf.apply(Popularity(["all"] * 3, ["mug", "cup", "pan"], [10.0, 9.0, -50.0]))
    shelf.apply(SessionSteps([1, 2, 3, 1], ["cup", "cup", "cup", "pan"], [1, 2, 3, 4]))
    return shelf


def shopper() -> UserState:
    """Bought a mug two hours ago and looked at a thing an hour ago."""
    return UserState(
        "u",
        born=0,
        n=7,
        last=NOW - HOUR,
        session=Session(number=1, start=NOW - 2 * HOUR, last=NOW - HOUR, depth=2),
        categories={"Kitchen/Mugs": 3.0, "Toys/Robots": 1.0},
        recent=[
            RecentItem("mug", NOW - 2 * HOUR, "purchase", "Kitchen/Mugs"),
            RecentItem("thing", NOW - HOUR, "view", "?"),
        ],
        device="mobile",
    )


def candidates_of(shelf: Shelf, lists: list[dict[str, tuple[float, ...]]], anchor: int = -1) -> Candidates:
    user = [k for k, scored in enumerate(lists) for _ in scored]
    ids = [item_id for scored in lists for item_id in scored]
    return Candidates(
        np.array(user, np.int32),
        np.array([shelf.number(item_id) for item_id in ids], np.int32),
        np.array([scores for scored in lists for scores in scored.values()], np.float32).reshape(
            -1, len(SOURCES)
        ),
        np.concatenate(([0], np.cumsum([len(scored) for scored in lists]))).astype(np.int32),
        np.full(len(ids), anchor, np.int8),
        np.full(len(ids), -1, np.int32),
    )


NONE = (0.0,) * len(SOURCES)
EVERY = {"cup": NONE, "pan": NONE, "robot": NONE, "thing": NONE}


def table(
    state: UserState | None = None,
    scored: dict[str, tuple[float, ...]] | None = None,
    factors: npt.NDArray[np.float32] | None = None,
    anchor: int = -1,
) -> dict[str, list[float]]:
    """The features of one user's candidates by name."""
    shelf = stocked_shelf()
    made = FeaturePlan().rows(
        candidates_of(shelf, [scored or EVERY], anchor),
        UserBatch.of([state or shopper()], shelf, [NOW]),
        shelf,
        np.arange(len(CATALOGUE), dtype=np.int32),
        np.zeros((len(CATALOGUE), 2), np.float32) if factors is None else factors,
    )
    return {name: made[:, column].tolist() for column, name in enumerate(FEATURES)}


def test_a_source_gives_its_score_and_the_place_among_what_it_names() -> None:
    knn = {"cup": 1.0, "pan": 0.5, "robot": 0.2, "thing": 0.0}
    made = table(scored={item: (score, *NONE[1:5], score, *NONE[6:]) for item, score in knn.items()})
    assert made["session_knn_score"] == pytest.approx([1.0, 0.5, 0.2, 0.0])
    assert made["session_knn_rank"] == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])
    assert made["covisit_rank"] == [0.0] * 4
    assert made["sources"] == [2.0, 2.0, 2.0, 0.0]


def test_popularity_is_measured_from_the_users_most_popular_candidate() -> None:
    made = table()
    assert made["popularity"] == pytest.approx([0.0, -12.0, -12.0, -12.0])
    assert made["session_popularity"][:2] == pytest.approx([0.0, np.log(1) - np.log(3)])


def test_price_is_measured_from_the_users_recent_prices_and_a_missing_one_says_nothing() -> None:
    made = table()
    assert made["price_gap"] == pytest.approx([np.log(2), np.log(4), 0.0, 0.0])
    assert made["price_distance"] == pytest.approx(made["price_gap"])


def test_categories_count_by_share_and_an_unknown_one_is_like_no_other() -> None:
    made = table()
    assert made["category_share"] == pytest.approx([0.75, 0.75, 0.25, 0.0])
    assert made["recent_category_share"] == pytest.approx([0.5, 0.0, 0.0, 0.0])
    assert made["same_category_as_last"] == [0.0] * 4
    mugs = shopper()
    mugs.recent.pop()
    assert table(mugs)["same_category_as_last"] == [1.0, 0.5, 0.0, 0.0]


def test_the_probability_of_a_category_is_the_one_that_rules_and_the_profile_read() -> None:
    state, model = shopper(), AffinityModel(AffinitySettings())
    for k in range(12):
        model.learn(state.affinity, "Toys/Robots", None, "click", None, f"event-{k}")
    expected = [CalibratedAffinity().probability(state, item.category) for item in CATALOGUE[1:]]
    assert table(state)["category_probability"] == pytest.approx(expected, rel=1e-5)
    assert expected[0] > expected[2] > 0.05 > expected[1]
    stranger = table(UserState("v", born=0))["category_probability"]
    assert stranger == pytest.approx([CalibratedAffinity().probability(UserState("v", born=0), "Pans")] * 4)


def test_factors_fold_the_user_in_from_recent_items_with_the_newest_weighing_most() -> None:
    factors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8], [0, 1]], np.float32)
    made = table(factors=factors)
    user = np.array([0.9, 1.0]) / np.hypot(0.9, 1.0)  # the mug, newest but one, and the thing
    assert made["factor_fit"] == pytest.approx((factors[1:] @ user).tolist())
    assert made["factor_fit_last"] == pytest.approx([0.0, 1.0, 0.8, 1.0])


def test_the_anchor_gives_its_nearness_age_and_whether_it_was_bought() -> None:
    made = table(anchor=1)
    assert made["anchor_nearness"] == [0.5] * 4
    assert made["anchor_age"] == pytest.approx([np.log(3)] * 4)
    assert made["anchor_bought"] == [1.0] * 4
    assert table()["anchor_nearness"] == [0.0] * 4


def test_what_is_known_of_the_user_is_the_same_for_every_candidate() -> None:
    made = table()
    assert made["profile.events"] == pytest.approx([np.log(8)] * 4)
    assert made["profile.session.depth"] == pytest.approx([np.log(3)] * 4)
    assert made["idle_hours"] == pytest.approx([np.log(2)] * 4)
    assert made["hour"] == [12.0] * 4
    assert made["weekday"] == [4.0] * 4
    assert made["device"] == [1.0] * 4


def test_a_user_of_whom_nothing_is_known_has_finite_features() -> None:
    stranger = table(UserState("v", born=0))
    assert np.isfinite(list(stranger.values())).all()
    assert stranger["idle_hours"] == [9.0] * 4


def random_batch(users: int, each: int) -> tuple[Candidates, list[UserState], Shelf]:
    drawn = np.random.default_rng(8)
    shelf = Shelf()
    ids = [f"item-{i}" for i in range(2_000)]
    shelf.apply(
        Items(
            [Item(item_id=i, category=f"C{k % 40}/D{k % 7}", price=1.0 + k % 90) for k, i in enumerate(ids)]
        )
    )
    shelf.apply(Popularity(["all"] * len(ids), ids, drawn.normal(size=len(ids)).tolist()))
    states = [
        UserState(
            f"user-{k}", born=0, n=9, last=NOW,
            recent=[RecentItem(ids[drawn.integers(2_000)], NOW - 5, "view", "?") for _ in range(20)],
        )
        for k in range(users)
    ]  # fmt: skip
    lists = []
    for _ in range(users):
        chosen = drawn.choice(2_000, each, replace=False)
        scores = drawn.random((each, len(SOURCES))) * (drawn.random((each, len(SOURCES))) < 0.4)
        lists.append({ids[i]: tuple(row) for i, row in zip(chosen, scores.tolist(), strict=True)})
    return candidates_of(shelf, lists, anchor=3), states, shelf


def test_a_users_features_do_not_depend_on_the_rest_of_the_batch() -> None:
    plan = FeaturePlan([*FEATURES, "profile.price_level"])
    made, states, shelf = random_batch(6, 30)
    rows = np.arange(2_000, dtype=np.int32)
    factors = np.random.default_rng(1).normal(size=(2_000, 8)).astype(np.float32)
    together = plan.rows(made, UserBatch.of(states, shelf, [NOW] * 6), shelf, rows, factors)
    for k, state in enumerate(states):
        own = slice(30 * k, 30 * k + 30)
        alone = Candidates(
            np.zeros(30, np.int32), made.item[own], made.scores[own], np.array([0, 30], np.int32),
            made.anchor[own], made.scope[own],
        )  # fmt: skip
        users = UserBatch.of([state], shelf, [NOW])
        np.testing.assert_array_equal(plan.rows(alone, users, shelf, rows, factors), together[own])


def test_no_candidates_have_no_features() -> None:
    shelf = stocked_shelf()
    users = UserBatch.of([], shelf, [])
    made = FeaturePlan().rows(
        candidates_of(shelf, []), users, shelf, np.zeros(0, np.int32), np.zeros((0, 4), np.float32)
    )
    assert made.shape == (0, len(FEATURES))
