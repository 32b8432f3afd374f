"""The affinity model is river's logistic regression, SGD and scaler, event for event."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.linear_model import LogisticRegression
from river.optim import SGD
from river.optim.schedulers import Constant
from river.preprocessing import StandardScaler

from operators.affinity import AffinityModel, AffinitySettings, weights_of
from operators.contrast import contrast_of
from operators.logistic import INTERCEPT, WEIGHTS, sgd_step, sigmoid
from operators.price_scale import learn_price, price_position
from operators.sketch import levels, sketch
from schemas.state import Affinity, PriceScale

rates = st.sampled_from([0.05, 0.25, 1.0])
examples = st.tuples(
    st.dictionaries(st.integers(0, INTERCEPT - 1), st.floats(-3, 3), min_size=1, max_size=12),
    st.sampled_from([0, 1]),
    st.sampled_from([0.5, 1.0, 1.5]),
    rates,
)


def set_rates(river: LogisticRegression, rate: float, intercept_rate: float) -> None:
    river.optimizer.lr = Constant(rate)
    river.intercept_lr = Constant(intercept_rate)


@settings(max_examples=100, deadline=None)
@given(stream=st.lists(examples, max_size=60), intercept_rate=rates, l2=st.sampled_from([0.0, 0.001, 0.1]))
def test_steps_are_rivers_to_a_billionth_while_the_rates_change(
    stream: list[tuple[dict[int, float], int, float, float]], intercept_rate: float, l2: float
) -> None:
    river = LogisticRegression(optimizer=SGD(), l2=l2)
    weights = [0.0] * WEIGHTS
    for x, label, weight, rate in stream:
        set_rates(river, rate, intercept_rate * rate)
        raw = weights[INTERCEPT] + sum(weights[place] * value for place, value in x.items())
        assert sigmoid(raw) == pytest.approx(river.predict_proba_one(x)[True], abs=1e-9)
        river.learn_one(x, label, w=weight)
        sgd_step(weights, tuple(x.items()), label, weight, rate, intercept_rate * rate, l2)
        assert weights[INTERCEPT] == pytest.approx(river.intercept, abs=1e-9)
        for place, value in river.weights.items():
            assert weights[place] == pytest.approx(value, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(prices=st.lists(st.floats(-10, 10), max_size=100))
def test_the_price_scale_is_rivers_standard_scaler(prices: list[float]) -> None:
    river, scale = StandardScaler(), PriceScale()
    for x in prices:
        river.learn_one({"x": x})
        learn_price(scale, x)
        z = river.transform_one({"x": x})["x"]
        assert price_position(scale, x) == pytest.approx(max(-1.0, min(1.0, z / 3)), abs=1e-9)
        assert scale.count == river.counts["x"]
        assert scale.mean == pytest.approx(river.means["x"], abs=1e-9)
        assert scale.variance == pytest.approx(river.vars["x"], abs=1e-9)


events = st.tuples(
    st.sampled_from(["Garden/Lights", "Garden/Chairs", "Toys", "A/B/C", "?"]),
    st.one_of(st.none(), st.floats(0.01, 1000)),
    st.sampled_from(["view", "click", "purchase", "dislike", "refund", "scroll"]),
)


@settings(max_examples=100, deadline=None)
@given(stream=st.lists(events, max_size=60), drift_at=st.integers(0, 60))
def test_a_stored_record_is_rivers_model_rounded_to_float32_after_every_event(
    stream: list[tuple[str, float | None, str]], drift_at: int
) -> None:
    chosen = AffinitySettings()
    model, user = AffinityModel(chosen), Affinity()
    river = LogisticRegression(optimizer=SGD(), l2=chosen.l2)
    scaler = StandardScaler()
    for k, (category, price, type) in enumerate(stream):
        if k == drift_at:
            model.recalibrate(user, at=k)
        stored = weights_of(user).tolist()
        river._weights.clear()
        river._weights.update(dict(enumerate(stored[:INTERCEPT])))
        river.intercept = stored[INTERCEPT]
        boost = 1 + (chosen.boost_factor - 1) * user.boost / chosen.boost_events
        set_rates(river, chosen.learning_rate * boost, chosen.intercept_rate * boost)
        weight = model.label(type, None)
        error = model.learn(user, category, price, type, None, f"event-{k}")
        assert (error is None) == (weight == 0.0)
        if weight == 0.0:
            continue
        x = dict(sketch(category))
        if price is not None:
            if weight > 0:
                scaler.learn_one({"log price": math.log(price)})
            z = scaler.transform_one({"log price": math.log(price)})["log price"]
            position = max(-1.0, min(1.0, z / 3))
            x |= {INTERCEPT - 2: position, INTERCEPT - 1: position * position}
        river.learn_one(x, int(weight > 0), w=abs(weight))
        if weight > 0:
            river.learn_one(dict(contrast_of(f"event-{k}", levels(category), price is not None)), 0, w=weight)
        for place, value in enumerate(weights_of(user).tolist()):
            exact = river.intercept if place == INTERCEPT else river.weights.get(place, 0.0)
            assert value == pytest.approx(to_float32(exact), rel=2e-7, abs=1e-9)


def to_float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
