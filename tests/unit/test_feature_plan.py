"""A ranker's features are chosen by name, and those of the profile are the profile's own values."""

from __future__ import annotations

from math import log1p

import numpy as np
import numpy.typing as npt
import pytest

from jobs.bench_events import Traffic, events_of, items_of
from jobs.plain_stream import PlainStream
from operators.attributes import AttributeField, AttributeSettings
from operators.barred_items import BarredItems
from operators.candidates import CandidateFinder, Candidates, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.feature import Kind
from operators.feature_plan import FeaturePlan, UnknownFeatures, known_features
from operators.features import FEATURES
from operators.profile_columns import PROFILE, UNKNOWN
from operators.profile_features import profile_features
from operators.user_batch import UserBatch
from operators.user_step import StepSettings
from schemas.state import UserState

FIRST_RELEASE = (
    "session_knn_score", "covisit_score", "trending_score", "category_trending_score", "factors_score",
    "session_knn_rank", "covisit_rank", "trending_rank", "category_trending_rank", "factors_rank", "sources",
    "popularity", "session_popularity", "price_gap", "price_distance",
    "category_share", "recent_category_share", "same_category_as_last", "category_affinity",
    "factor_fit", "factor_fit_last", "anchor_nearness", "anchor_age", "anchor_bought",
    "user_events", "session_depth", "idle_hours", "hour", "weekday", "device",
)  # fmt: skip
"""What bundles of the first release name: each of these stays computable as long as such bundles may be in force."""

TRAFFIC = Traffic(events=1_500, users=20, items=200, per_second=0.01)
STEP = StepSettings(session_gap=600_000)


@pytest.fixture(scope="module")
def stream() -> PlainStream:
    followed = PlainStream(items_of(TRAFFIC), STEP)
    for event in events_of(TRAFFIC):
        followed.learn(event)
    followed.catch_up()
    return followed


def found(stream: PlainStream, states: list[UserState]) -> tuple[UserBatch, Candidates]:
    shelf = stream.shelf
    users = UserBatch.of(states, shelf, [state.last for state in states])
    finder = CandidateFinder(shelf, CandidateSettings(), FactorNeighbours.none())
    return users, finder.find(users, BarredItems.of(None, [b""] * len(states), shelf))


def rows(stream: PlainStream, states: list[UserState], plan: FeaturePlan) -> npt.NDArray[np.float32]:
    users, candidates = found(stream, states)
    no_factors = np.zeros((0, 4), np.float32)
    return plan.rows(candidates, users, stream.shelf, np.zeros(0, np.int32), no_factors)


def some_states(stream: PlainStream) -> list[UserState]:
    return [*list(stream.states.values())[:6], UserState("stranger", born=0)]


def test_columns_stand_as_asked_for_and_are_the_same_whatever_stands_beside_them(stream: PlainStream) -> None:
    every = tuple(sorted(known_features(STEP)))
    whole = rows(stream, some_states(stream), FeaturePlan(every, STEP))
    asked = ("profile.order_value", "price_gap", "user_events", "session_knn_rank", "device")
    few = rows(stream, some_states(stream), FeaturePlan(asked, STEP))
    np.testing.assert_array_equal(few, whole[:, [every.index(name) for name in asked]])
    standard = rows(stream, some_states(stream), FeaturePlan(step=STEP))
    np.testing.assert_array_equal(standard, whole[:, [every.index(name) for name in FEATURES]])


def test_every_number_and_truth_value_of_the_profile_is_a_feature_with_the_profiles_own_value(
    stream: PlainStream,
) -> None:
    states = some_states(stream)
    profile = {n: f for n, f in profile_features(STEP).items() if f.kind is not Kind.TEXT}
    made = rows(stream, states, FeaturePlan([PROFILE + name for name in profile], STEP))
    start = found(stream, states)[1].start
    for k, state in enumerate(states):
        of_user = made[start[k] : start[k + 1]]
        assert len(of_user) > 0
        assert (of_user == of_user[0]).all()
        for value, feature in zip(of_user[0].tolist(), profile.values(), strict=True):
            read = feature.read(state, state.last)
            number = read if isinstance(read, bool) else log1p(float(read)) if read is not None else UNKNOWN
            assert value == pytest.approx(float(number), rel=1e-6), feature.name


def test_bundles_of_the_first_release_get_what_they_were_trained_on(stream: PlainStream) -> None:
    former = rows(stream, some_states(stream), FeaturePlan(FIRST_RELEASE, STEP))
    renamed = {"user_events": "profile.events", "session_depth": "profile.session.depth"}
    now = rows(stream, some_states(stream), FeaturePlan([renamed.get(n, n) for n in FIRST_RELEASE], STEP))
    np.testing.assert_allclose(former, now, rtol=1e-6)


def test_a_feature_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(
        UnknownFeatures, match=r"the features 'taste', 'profile.country', which are not known"
    ):
        FeaturePlan(["price_gap", "taste", "profile.country"])


def test_a_declared_number_is_a_feature_where_it_is_declared() -> None:
    declared = StepSettings(attributes=AttributeSettings(fields={"employees": AttributeField(kind="number")}))
    assert "profile.attribute.employees" in known_features(declared) - known_features()
    with pytest.raises(UnknownFeatures, match=r"profile\.attribute\.employees"):
        FeaturePlan(["profile.attribute.employees"])
