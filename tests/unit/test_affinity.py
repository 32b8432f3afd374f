"""What the affinity model learns of a user, and that it depends on that user's events alone."""

from __future__ import annotations

import doctest
import random
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from operators import adwin, affinity, contrast, drift, logistic, price_scale, sketch
from operators.affinity import AffinityModel, AffinitySettings, weights_of
from schemas.state import Affinity, UserState, decode_state, encode_state

MODEL = AffinityModel(AffinitySettings())
Labelled = tuple[str, float | None, str, float | None]


def learned(events: list[Labelled], name: str = "event") -> Affinity:
    user = Affinity()
    for k, (category, price, type, value) in enumerate(events):
        MODEL.learn(user, category, price, type, value, f"{name}-{k}")
    return user


@pytest.mark.parametrize("module", [adwin, affinity, contrast, drift, logistic, price_scale, sketch])
def test_the_examples_in_the_documentation_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_an_engaged_category_becomes_likelier_than_its_siblings_and_these_than_strangers() -> None:
    user = learned([("Garden/Lights", None, "click", None)] * 12)
    own, sibling, stranger = (
        MODEL.probability(user, category) for category in ("Garden/Lights", "Garden/Chairs", "Toys/Robots")
    )
    assert own > sibling > stranger


def test_a_disliked_category_falls_below_even_odds() -> None:
    user = learned([("Toys/Robots", None, "dislike", None)] * 5)
    assert MODEL.probability(user, "Toys/Robots") < 0.4


def test_buying_says_more_than_viewing() -> None:
    viewed = learned([("Garden", None, "view", None)] * 5)
    bought = learned([("Garden", None, "purchase", None)] * 5)
    assert MODEL.probability(bought, "Garden") > MODEL.probability(viewed, "Garden")


def test_a_usual_price_is_likelier_than_one_far_off() -> None:
    rng = random.Random(1)
    user = learned([("Garden", rng.lognormvariate(3, 0.3), "click", None) for _ in range(60)])
    usual = MODEL.probability(user, "Garden", 20.0)
    assert usual > MODEL.probability(user, "Garden", 200.0)
    assert usual > MODEL.probability(user, "Garden", 2.0)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("scroll", 0.9),
        ("search", None),
        ("rating", 3.0),
        ("rating", None),
        ("dwell", 2.0),
        ("impression", None),
    ],
)
def test_events_that_tell_nothing_of_taste_change_nothing(type: str, value: float | None) -> None:
    user = Affinity()
    assert MODEL.learn(user, "Garden", 5.0, type, value, "event") is None
    assert user == Affinity()


@pytest.mark.parametrize("price", [None, 0.0, -3.0, float("nan"), float("inf")])
def test_a_price_that_is_none_leaves_the_price_scale_alone(price: float | None) -> None:
    user = learned([("Garden", price, "click", None)] * 3)
    assert user.price.count == 0
    assert np.isfinite(weights_of(user)).all()


def test_the_same_events_give_the_same_record_whoever_else_was_learned_in_between() -> None:
    events: list[Labelled] = [("Garden", 5.0, "click", None), ("Toys/Robots", 50.0, "purchase", None)] * 10
    alone = learned(events)
    mixed, other = Affinity(), Affinity()
    for k, (category, price, type, value) in enumerate(events):
        MODEL.learn(other, f"Other/{k}", 1.0, "click", None, f"other-{k}")
        MODEL.learn(mixed, category, price, type, value, f"event-{k}")
    assert mixed == alone


def test_a_record_stored_in_mid_stream_goes_on_as_if_nothing_had_happened() -> None:
    events: list[Labelled] = [("Garden", 5.0, "click", None), ("Toys/Robots", 50.0, "purchase", None)] * 10
    straight = learned(events)
    state = UserState("u", born=1)
    for k, (category, price, type, value) in enumerate(events):
        state = decode_state(encode_state(state))
        MODEL.learn(state.affinity, category, price, type, value, f"event-{k}")
    assert state.affinity == straight


def test_the_weights_of_a_user_take_140_bytes_however_much_was_learned() -> None:
    user = learned([(f"A{k}/B{k}/C{k}", 1.0 + k, "click", None) for k in range(500)])
    assert len(user.weights) == 140


def test_errors_wait_for_the_detector_only_after_the_warm_up() -> None:
    user = learned([("Garden", None, "click", None)] * 20)
    assert user.labelled == 20
    assert len(user.errors) == 4


def test_the_error_is_small_for_a_settled_taste_and_large_for_a_new_one() -> None:
    user = learned([("Garden/Lights", None, "click", None), ("Music/Vinyl", None, "click", None)] * 20)
    settled = MODEL.learn(user, "Garden/Lights", None, "click", None, "settled")
    new = MODEL.learn(user, "Toys/Robots", None, "click", None, "new")
    assert settled is not None
    assert new is not None
    assert settled < 0.3 < 0.6 < new


def test_weights_stored_with_another_length_are_refused_with_a_reason() -> None:
    with pytest.raises(affinity.UnreadableWeights, match="12 bytes, not 140"):
        MODEL.learn(Affinity(weights=b"\0" * 12), "Garden", None, "click", None, "event")


def test_learning_is_faster_for_a_while_after_a_drift() -> None:
    calm, drifted = Affinity(), Affinity()
    MODEL.recalibrate(drifted, at=1)
    for k in range(5):
        for user in (calm, drifted):
            MODEL.learn(user, "Garden", None, "click", None, f"event-{k}")
    assert MODEL.probability(drifted, "Garden") > MODEL.probability(calm, "Garden")
    assert drifted.boost == AffinitySettings().boost_events - 5


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0.0), ("discount", 1.5), ("boost_events", 0), ("engaging", {"view": -1.0})],
)
def test_a_setting_out_of_its_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(AffinitySettings(), **{name: value})  # type: ignore[arg-type]
