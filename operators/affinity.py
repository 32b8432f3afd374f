"""What one user likes, learned online from their own events alone.

Per user, the model is river's `linear_model.LogisticRegression` with `optim.SGD`, on the hashed sketch of an
item's category and on the item's price in the user's own `preprocessing.StandardScaler`. An engaging event is
an example with label 1, and is paired with a contrast of label 0: a category and price drawn from the hash of
the event id, so that nothing depends on the catalogue, on other users, or on a clock. A disliking event is a
single example with label 0.

`AffinityModel` is the same arithmetic on plain lists, because river's dictionaries cost ten times as much on
35 weights; `tests/unit/test_affinity_river.py` holds it to river's own classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp
from struct import Struct
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from operators.price_scale import learn_price, log_price, price_position
from operators.sketch import SKETCH_DIM, Sketch, levels, sketch
from schemas.state import Affinity, PriceScale

PRICE = SKETCH_DIM
PRICE_SQUARED = SKETCH_DIM + 1
INTERCEPT = SKETCH_DIM + 2
WEIGHTS = SKETCH_DIM + 3
"""Layout of the stored weights: the sketch's places, price, squared price, intercept."""

_STORED = Struct(f"<{WEIGHTS}f")
_NONE = _STORED.pack(*[0.0] * WEIGHTS)
_CONTRASTS = 1024
_STEEP = 18.0


@dataclass(frozen=True)
class AffinitySettings:
    """How fast and from what a user's affinities are learned.

    `engaging` and `disliking` give the weight of an example by event type; types in neither are not labelled.
    A type in `least_value` is engaging only from that value on, one in `most_disliked_value` disliking only up
    to it. After a drift the learning rate starts at `boost_factor` times its value and falls back linearly
    over `boost_events` labelled events; weights are multiplied by `discount`, and decayed counters by
    `counter_discount`.
    """

    learning_rate: float = 0.5
    intercept_rate: float = 0.1
    l2: float = 0.001
    engaging: Mapping[str, float] = field(
        default_factory=lambda: {
            "view": 0.5,
            "click": 0.7,
            "dwell": 0.5,
            "like": 1.0,
            "rating": 1.0,
            "add_to_cart": 1.2,
            "purchase": 1.5,
        }
    )
    disliking: Mapping[str, float] = field(
        default_factory=lambda: {"dislike": 1.5, "rating": 1.0, "remove_from_cart": 0.7, "refund": 1.0}
    )
    least_value: Mapping[str, float] = field(default_factory=lambda: {"dwell": 10.0, "rating": 4.0})
    most_disliked_value: Mapping[str, float] = field(default_factory=lambda: {"rating": 2.0})
    warm_up: int = 16
    boost_factor: float = 3.0
    boost_events: int = 24
    discount: float = 0.3
    counter_discount: float = 0.5


class AffinityModel:
    """Learns and answers from the `Affinity` part of a user record; holds nothing of any user itself.

    >>> model = AffinityModel(AffinitySettings())
    >>> user = Affinity()
    >>> for k in range(20):
    ...     error = model.learn(user, "Garden/Lights", 9.9, "click", None, f"event-{k}")
    >>> model.probability(user, "Garden/Lights") > 0.7 > model.probability(user, "Toys/Robots")
    True
    >>> user.labelled, len(user.weights)
    (20, 140)
    """

    def __init__(self, settings: AffinitySettings) -> None:
        self._settings = settings
        self._engaging = dict(settings.engaging)
        self._disliking = dict(settings.disliking)
        self._least = dict(settings.least_value)
        self._most_disliked = dict(settings.most_disliked_value)

    def classes(self) -> list[str]:
        """The river classes whose arithmetic is in use, with their settings, for the profile.

        >>> AffinityModel(AffinitySettings()).classes()[0]
        'river.linear_model.LogisticRegression(l2=0.001, intercept_lr=0.1)'
        """
        s = self._settings
        return [
            f"river.linear_model.LogisticRegression(l2={s.l2:g}, intercept_lr={s.intercept_rate:g})",
            f"river.optim.SGD(lr={s.learning_rate:g})",
            "river.preprocessing.StandardScaler",
        ]

    def label(self, type: str, value: float | None) -> float:
        """The signed weight of an example: positive when engaging, negative when disliking, 0 when neither.

        >>> model = AffinityModel(AffinitySettings())
        >>> model.label("rating", 5.0), model.label("rating", 3.0), model.label("rating", 1.0)
        (1.0, 0.0, -1.0)
        """
        weight = self._engaging.get(type)
        if weight is not None:
            least = self._least.get(type)
            if least is None or (value is not None and value >= least):
                return weight
        weight = self._disliking.get(type)
        if weight is not None:
            most = self._most_disliked.get(type)
            if most is None or (value is not None and value <= most):
                return -weight
        return 0.0

    def learn(
        self,
        affinity: Affinity,
        category: str,
        price: float | None,
        type: str,
        value: float | None,
        event_id: str,
    ) -> float | None:
        """Learn from one item-bound event, in place. Returns the prediction error made before learning.

        The error is in [0, 1]: of an engaging event the chance that the model would have preferred the
        contrast, of a disliking one the probability it gave to the item. None when the type is not labelled.
        From the `warm_up`-th labelled event on, errors are also appended to `affinity.errors`.
        """
        weight = self.label(type, value)
        if weight == 0.0:
            return None
        settings = self._settings
        rate = settings.learning_rate
        intercept_rate = settings.intercept_rate
        if affinity.boost > 0:
            boost = 1.0 + (settings.boost_factor - 1.0) * affinity.boost / settings.boost_events
            rate *= boost
            intercept_rate *= boost
            affinity.boost -= 1
        weights = list(_STORED.unpack(affinity.weights or _NONE))
        example = sketch(category)
        x = log_price(price)
        if weight > 0.0:
            hashed = crc32(event_id.encode())
            contrast = _contrast(hashed & 1023, levels(category))
            if x is not None:
                learn_price(affinity.price, x)
                example = _with_price(example, price_position(affinity.price, x))
                contrast = _with_price(contrast, _CONTRAST_POSITIONS[hashed >> 22])
            error = 1.0 - sigmoid(_raw(weights, example) - _raw(weights, contrast))
            sgd_step(weights, example, 1, weight, rate, intercept_rate, settings.l2)
            sgd_step(weights, contrast, 0, weight, rate, intercept_rate, settings.l2)
        else:
            if x is not None:
                example = _with_price(example, price_position(affinity.price, x))
            error = sigmoid(_raw(weights, example))
            sgd_step(weights, example, 0, -weight, rate, intercept_rate, settings.l2)
        affinity.weights = _STORED.pack(*weights)
        affinity.labelled += 1
        if affinity.labelled > settings.warm_up:
            affinity.errors.append(error)
        return error

    def probability(self, affinity: Affinity, category: str, price: float | None = None) -> float:
        """How likely the user is to engage with a category (at a price), in [0, 1]; 0.5 when nothing is known.

        >>> AffinityModel(AffinitySettings()).probability(Affinity(), "Garden")
        0.5
        """
        if not affinity.weights:
            return 0.5
        example = sketch(category)
        x = log_price(price)
        if x is not None:
            example = _with_price(example, price_position(affinity.price, x))
        return sigmoid(_raw(_STORED.unpack(affinity.weights), example))

    def recalibrate(self, affinity: Affinity, at: int) -> None:
        """After a drift at time `at` (ms): discount what was learned, and learn faster for a while.

        >>> user = Affinity(weights=_STORED.pack(*[1.0] * WEIGHTS))
        >>> AffinityModel(AffinitySettings()).recalibrate(user, at=7)
        >>> round(weights_of(user)[0].item(), 3), user.boost, user.drifts, user.drifted_at
        (0.3, 24, 1, 7)
        """
        settings = self._settings
        factor = settings.discount
        affinity.weights = _STORED.pack(*[factor * w for w in _STORED.unpack(affinity.weights or _NONE)])
        affinity.boost = settings.boost_events
        affinity.drifts += 1
        affinity.drifted_at = at


def weights_of(affinity: Affinity) -> NDArray[np.float32]:
    """The stored weights as float32 of shape (`WEIGHTS`,), zeros for a user without labelled events.

    >>> weights_of(Affinity()).shape
    (35,)
    """
    return np.frombuffer(affinity.weights or _NONE, dtype="<f4")


def sigmoid(raw: float) -> float:
    """The logistic function, saturated outside ±30 as river's.

    >>> sigmoid(0.0), sigmoid(-31.0)
    (0.5, 0.0)
    """
    if raw < -30.0:
        return 0.0
    if raw > 30.0:
        return 1.0
    return 1.0 / (1.0 + exp(-raw))


def sgd_step(
    weights: list[float],
    example: Sketch,
    label: int,
    weight: float,
    rate: float,
    intercept_rate: float,
    l2: float,
) -> None:
    """One `learn_one` of river's logistic regression with SGD, on a list of weights, in place.

    As in river, l2 pulls only on the weights of the example's own features.

    >>> weights = [0.0] * WEIGHTS
    >>> sgd_step(weights, ((0, 1.0),), 1, weight=1.0, rate=0.5, intercept_rate=0.1, l2=0.0)
    >>> weights[0], weights[INTERCEPT]
    (0.25, 0.05)
    """
    raw = _raw(weights, example)
    if -_STEEP <= raw <= _STEEP:
        gradient = (1.0 / (1.0 + exp(-raw)) - label) * weight
    else:
        gradient = _steep_gradient(raw, label) * weight
    weights[INTERCEPT] -= intercept_rate * gradient
    for place, value in example:
        weights[place] -= rate * (gradient * value + l2 * weights[place])


def _raw(weights: list[float] | tuple[float, ...], example: Sketch) -> float:
    raw = weights[INTERCEPT]
    for place, value in example:
        raw += weights[place] * value
    return raw


def _steep_gradient(raw: float, label: int) -> float:
    """river's gradient of the log loss where it no longer evaluates the logistic function."""
    sign = 1.0 if label else -1.0
    margin = raw * sign
    return -sign * exp(-margin) if margin > 0 else -sign


def _with_price(example: Sketch, position: float) -> Sketch:
    return (*example, (PRICE, position), (PRICE_SQUARED, position * position))


# Contrast prices lie evenly over the whole range, the user's own bunch around its middle.
_CONTRAST_POSITIONS = tuple(2.0 * (k + 0.5) / _CONTRASTS - 1.0 for k in range(_CONTRASTS))


@lru_cache(maxsize=_CONTRASTS * 8)
def _contrast(index: int, depth: int) -> Sketch:
    """The sketch of a made-up category as deep as the real one, so that both have norm 1 over as many levels."""
    return sketch("/".join([f"\x00{index}"] * depth))


__all__ = [
    "INTERCEPT",
    "PRICE",
    "PRICE_SQUARED",
    "WEIGHTS",
    "AffinityModel",
    "AffinitySettings",
    "PriceScale",
    "sgd_step",
    "sigmoid",
    "weights_of",
]
