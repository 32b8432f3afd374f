"""Every learner that can be configured is river's, step for step, and its stored bytes say which it is."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.facto import FMClassifier
from river.linear_model import LinearRegression, LogisticRegression
from river.optim import SGD, AdaGrad, Adam
from river.optim.losses import Hinge, Log
from river.optim.schedulers import Constant

from operators import factorised, learner, losses, optimisers
from operators.affinity import AffinityModel, AffinitySettings, weights_of
from operators.learner import Learner, UnreadableWeights
from operators.logistic import INTERCEPT, WEIGHTS
from schemas.state import Affinity, UserState, encode_state

RIVERS = {"sgd": SGD, "adagrad": AdaGrad, "adam": Adam}
LEARNERS = [Learner(optimiser, loss) for optimiser in RIVERS for loss in losses.LOSSES]
FACTORISED = [Learner(loss=loss, factors=factors) for loss in ("log", "hinge") for factors in (1, 3)]

examples = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, INTERCEPT - 1), st.floats(-1, 1), min_size=1, max_size=12),
        st.sampled_from([0, 1]),
        st.sampled_from([0.5, 1.0, 1.5]),
        st.sampled_from([0.05, 0.25, 0.5]),
    ),
    max_size=30,
)


def name(one: Learner) -> str:
    return f"{one.optimiser}-{one.loss}-{one.factors}"


@pytest.mark.parametrize("module", [factorised, learner, losses, optimisers])
def test_the_examples_in_the_documentation_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("one", LEARNERS, ids=name)
@settings(max_examples=40, deadline=None)
@given(stream=examples, l2=st.sampled_from([0.0, 0.01]))
def test_a_linear_learner_is_rivers_to_a_billionth(
    one: Learner, stream: list[tuple[dict[int, float], int, float, float]], l2: float
) -> None:
    optimiser = RIVERS[one.optimiser](0.1)
    if one.loss == "squared":
        river = LinearRegression(optimizer=optimiser, l2=l2)
    else:
        river = LogisticRegression(optimizer=optimiser, l2=l2, loss=Hinge() if one.loss == "hinge" else Log())
    cells = one.unpack(b"")
    for example, label, weight, rate in stream:
        # river's Adam loses the weights of features that an example does not name.
        x = dict.fromkeys(range(INTERCEPT), 0.0) | example if one.optimiser == "adam" else example
        optimiser.lr, river.intercept_lr = Constant(rate), Constant(0.2 * rate)
        river.learn_one(x, 2 * label - 1 if one.loss == "squared" else label, w=weight)
        one.step(cells, tuple(x.items()), label, weight, rate, 0.2 * rate, l2)
        assert cells[INTERCEPT] == pytest.approx(river.intercept, rel=1e-9, abs=1e-9)
        for place, value in river.weights.items():
            assert cells[place] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("one", FACTORISED, ids=name)
@settings(max_examples=40, deadline=None)
@given(stream=examples, l2=st.sampled_from([0.0, 0.01]))
def test_the_factorised_learner_is_rivers_to_a_billionth(
    one: Learner, stream: list[tuple[dict[int, float], int, float, float]], l2: float
) -> None:
    optimiser, latent = SGD(0.1), SGD(0.1)
    river = FMClassifier(
        one.factors, optimiser, latent, Hinge() if one.loss == "hinge" else Log(), l2_weight=l2, l2_latent=l2
    )
    cells = one.unpack(b"")
    for place in range(INTERCEPT):
        at = WEIGHTS + place * one.factors
        river.latents[place] = np.array(cells[at : at + one.factors])
    for x, label, weight, rate in stream:
        optimiser.lr, latent.lr, river.intercept_lr = Constant(rate), Constant(rate), Constant(0.2 * rate)
        assert one.raw(cells, tuple(x.items())) == pytest.approx(river._raw_dot(x), rel=1e-9, abs=1e-9)
        river.learn_one(x, label, w=weight)
        one.step(cells, tuple(x.items()), label, weight, rate, 0.2 * rate, l2)
        assert cells[INTERCEPT] == pytest.approx(river.intercept, rel=1e-9, abs=1e-9)
        for place in x:
            assert cells[place] == pytest.approx(river.weights[place], rel=1e-9, abs=1e-9)
            at = WEIGHTS + place * one.factors
            assert cells[at : at + one.factors] == pytest.approx(
                list(river.latents[place]), rel=1e-9, abs=1e-9
            )


@pytest.mark.parametrize("one", LEARNERS + FACTORISED, ids=name)
def test_stored_cells_come_back_and_the_first_release_is_140_bytes(one: Learner) -> None:
    cells = [float(np.float32(k / 7)) for k in range(len(one.unpack(b"")))]
    stored = one.pack(cells)
    assert one.unpack(stored) == cells
    assert len(stored) == one.size
    assert weights_of(Affinity(weights=stored)).tolist() == cells[:WEIGHTS]
    assert (one.size == 140) == (name(one) == "sgd-log-0")


@pytest.mark.parametrize("before", LEARNERS + FACTORISED, ids=name)
@pytest.mark.parametrize("after", LEARNERS + FACTORISED, ids=name)
def test_weights_of_another_learner_go_on_with_the_same_loss_and_else_begin_anew(
    before: Learner, after: Learner
) -> None:
    stored = before.pack([0.5] * len(before.unpack(b"")))
    cells, new = after.unpack(stored), after.unpack(b"")
    assert len(cells) == len(new)
    if name(before) == name(after):
        assert cells == [0.5] * len(new)
    elif before.loss == after.loss:
        assert cells == [0.5] * WEIGHTS + new[WEIGHTS:]
    else:
        assert cells == new


@pytest.mark.parametrize(
    "stored", [b"\1" * 12, bytes(141), bytes(140) + b"\3", bytes(140) + b"\x50" + bytes(9)]
)
def test_bytes_of_no_learner_are_refused(stored: bytes) -> None:
    for one in LEARNERS + FACTORISED:
        with pytest.raises(UnreadableWeights, match="bytes, not"):
            one.unpack(stored)


def settings_of(one: Learner) -> AffinitySettings:
    rate = {"sgd": 0.05 if one.loss == "squared" else 0.5, "adagrad": 0.3, "adam": 0.05}[one.optimiser]
    return AffinitySettings(
        learning_rate=rate,
        optimiser=one.optimiser,  # type: ignore[arg-type]
        loss=one.loss,  # type: ignore[arg-type]
        factors=one.factors,
    )


@pytest.mark.parametrize("one", LEARNERS + FACTORISED, ids=name)
def test_each_learner_learns_a_taste_follows_a_change_and_stays_bounded(one: Learner) -> None:
    model, user = AffinityModel(settings_of(one)), Affinity()
    for k in range(2_000):
        taste = ("Garden/Lights", "Music/Vinyl") if k < 1_000 else ("Toys/Robots", "Wine/Red")
        if k == 1_020:
            model.recalibrate(user, at=k)
        price = math.exp(k % 7 - 3.0)
        model.learn(user, taste[k % 2], price, "purchase", None, f"event-{k}")
        if k == 999:
            assert (
                model.probability(user, "Garden/Lights") > 0.6 > 0.5 > model.probability(user, "Toys/Robots")
            )
    assert model.probability(user, "Toys/Robots") > 0.6
    assert model.probability(user, "Toys/Robots") > model.probability(user, "Garden/Lights")
    assert np.abs(weights_of(user)).max() < 20
    assert np.isfinite(one.unpack(user.weights)).all()
    assert len(user.weights) == one.size


@pytest.mark.parametrize("one", LEARNERS + FACTORISED, ids=name)
def test_the_largest_learner_leaves_room_in_a_users_record(one: Learner) -> None:
    assert one.size <= 700
    assert len(encode_state(UserState("u", born=1, affinity=Affinity(weights=bytes(one.size))))) < 800


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimiser": "newton"}, "optimiser is 'newton'; known: sgd, adagrad, adam"),
        ({"loss": "absolute"}, "loss is 'absolute'; known: log, hinge, squared"),
        ({"factors": 9}, "factors is 9; it must be from 0"),
        ({"factors": 2, "optimiser": "adam"}, "factors learn by 'sgd'"),
        ({"factors": 2, "loss": "squared", "learning_rate": 0.01}, "factors learn by 'sgd'"),
        ({"loss": "squared"}, "learning_rate is 0.5 with the squared loss"),
    ],
)
def test_a_learner_that_is_none_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(AffinitySettings(), **change)  # type: ignore[arg-type]


def test_a_factorised_user_may_like_cheap_toys_and_dear_wine() -> None:
    errors = {}
    for factors in (0, 2):
        model, user = AffinityModel(AffinitySettings(factors=factors)), Affinity()
        for k in range(600):
            likes = k % 2 == 0
            toys = k % 4 < 2
            price = (3.0 if likes else 300.0) if toys else (300.0 if likes else 3.0)
            model.learn(
                user,
                "Toys/Robots" if toys else "Wine/Red",
                price,
                "like" if likes else "dislike",
                None,
                f"e-{k}",
            )
        errors[factors] = (
            model.probability(user, "Toys/Robots", 300.0)
            + model.probability(user, "Wine/Red", 3.0)
            - model.probability(user, "Toys/Robots", 3.0)
            - model.probability(user, "Wine/Red", 300.0)
        )
    assert errors[2] < -0.4
    assert errors[2] < errors[0]
