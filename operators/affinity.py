"""What one user likes, learned online from their own events alone.

Per user, the model is river's `linear_model.LogisticRegression` with `optim.SGD`, or by configuration another
optimiser, another loss or a factorisation machine, on the hashed sketch of an item's category and on the item's
price in the user's own `preprocessing.StandardScaler`. An engaging event is an example with label 1, and is
paired with a contrast of label 0: a category and price drawn from the hash of the event id, so that nothing
depends on the catalogue, on other users, or on a clock. A disliking event is a single example with label 0.

`AffinityModel` is the same arithmetic on plain lists: `operators/learner.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import hypot, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from operators.contrast import contrast_of
from operators.learner import Learner, UnreadableWeights, linear_bytes
from operators.logistic import INTERCEPT, WEIGHTS, priced, sigmoid
from operators.price_scale import learn_price, log_price, price_position
from operators.sketch import SKETCH_DIM, Sketch, levels, sketch
from schemas.state import Affinity

__all__ = [
    "INTERCEPT",
    "WEIGHTS",
    "AffinityModel",
    "AffinitySettings",
    "UnreadableWeights",
    "misfit",
    "weights_of",
]

WIDEST = 30.0
"""Log odds beyond which a probability is 0 or 1."""

_NEAR = sqrt(3.0)
_LONGEST = 3.0
"""The most that the squares of an example's features sum to."""


@dataclass(frozen=True)
class AffinitySettings:
    """How fast, by which learner and from what a user's affinities are learned.

    `engaging` and `disliking` give the weight of an example by event type; types in neither are not labelled.
    A type in `least_value` is engaging only from that value on (seconds of a dwell, stars of a rating), one
    in `most_disliked_value` disliking only up to it. After a drift the weights are multiplied by `discount`,
    and the learning rate starts at `boost_factor` times its value and falls back linearly over `boost_events`
    labelled events. `counter_discount` is what the user step multiplies the decayed counters by. With
    `factors` above 0 the model is a factorisation machine with so many latent factors.
    Raises `ValueError` for a value out of its range.
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
    discount: float = 0.2
    counter_discount: float = 0.5
    optimiser: Literal["sgd", "adagrad", "adam"] = "sgd"
    loss: Literal["log", "hinge", "squared"] = "log"
    factors: int = 0

    def __post_init__(self) -> None:
        # With sketches of norm 1 and example weights near 1, greater rates make the weights swing.
        ranges = {
            "learning_rate": (0.001, 2.0),
            "intercept_rate": (0.0, 2.0),
            "l2": (0.0, 0.05),
            "warm_up": (0, 1000),
            "boost_factor": (1.0, 10.0),
            "boost_events": (1, 1000),
            "discount": (0.0, 1.0),
            "counter_discount": (0.0, 1.0),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from {least} to {most}")
        for name in ("engaging", "disliking"):
            for type, weight in getattr(self, name).items():
                if not 0.0 < weight <= 10.0:
                    raise ValueError(f"{name}.{type} is {weight}; a weight must lie between 0 and 10")
        self.learner()
        if self.loss == "squared" and self.optimiser == "sgd":
            # An example's norm is at most that of category, price and price squared: beyond, steps overshoot.
            heaviest = max((*self.engaging.values(), *self.disliking.values()), default=1.0)
            most = 1.0 / (heaviest * self.boost_factor * _LONGEST)
            if self.learning_rate > most:
                raise ValueError(
                    f"learning_rate is {self.learning_rate} with the squared loss and SGD; with these weights"
                    f" and this boost it must be at most {most:.3f}"
                )

    def learner(self) -> Learner:
        """The learner of these settings."""
        return Learner(self.optimiser, self.loss, self.factors)


class AffinityModel:
    """Learns and answers from the `Affinity` part of a user record; no answer depends on what it was asked before.

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
        self._learner = settings.learner()
        self._unpacked: tuple[bytes, list[float]] = b"", []

    def classes(self) -> list[str]:
        """The river classes whose arithmetic is in use, with their settings, for the profile.

        >>> AffinityModel(AffinitySettings()).classes()[0]
        'river.linear_model.LogisticRegression(l2=0.001, intercept_lr=0.1)'
        """
        s = self._settings
        model, optimiser, *loss = self._learner.classes()
        return [
            f"{model}(l2={s.l2:g}, intercept_lr={s.intercept_rate:g})",
            f"{optimiser}(lr={s.learning_rate:g})",
            *loss,
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

        The error is in [0, 1], see `misfit`; of a disliking event it is 1 less that. None when the type is
        not labelled. After the first `warm_up` labelled events, errors also wait in `affinity.errors`.
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
        learner = self._learner
        step = learner.step
        weights = learner.unpack(affinity.weights)
        example = sketch(category)
        error = misfit(weights, example)
        x = log_price(price)
        if weight > 0.0:
            if x is not None:
                learn_price(affinity.price, x)
                example = priced(example, price_position(affinity.price, x))
            contrast = contrast_of(event_id, levels(category), x is not None)
            step(weights, example, 1, weight, rate, intercept_rate, settings.l2)
            step(weights, contrast, 0, weight, rate, intercept_rate, settings.l2)
        else:
            if x is not None:
                example = priced(example, price_position(affinity.price, x))
            error = 1.0 - error
            step(weights, example, 0, -weight, rate, intercept_rate, settings.l2)
        affinity.weights = learner.pack(weights)
        affinity.labelled += 1
        if affinity.labelled > settings.warm_up:
            affinity.errors.append(error)
        return error

    def probability(self, affinity: Affinity, category: str, price: float | None = None) -> float:
        """How likely the user is to engage with a category (at a price), in [0, 1]; 0.5 when unknown.

        >>> AffinityModel(AffinitySettings()).probability(Affinity(), "Garden")
        0.5
        """
        if not affinity.weights:
            return 0.5
        example = sketch(category)
        x = log_price(price)
        if x is not None:
            example = priced(example, price_position(affinity.price, x))
        return sigmoid(self._learner.raw(self._learner.unpack(affinity.weights), example))

    def log_odds(self, affinity: Affinity, category: str) -> float:
        """The log odds of `probability` for a category, within ±30; 0 where nothing is learned.

        >>> AffinityModel(AffinitySettings()).log_odds(Affinity(), "Garden")
        0.0
        """
        stored = affinity.weights
        if not stored:
            return 0.0
        learner = self._learner
        # Many rules and many categories ask of one record: it is unpacked for the first of them.
        held, cells = self._unpacked
        if held is not stored:
            cells = learner.unpack(stored)
            self._unpacked = stored, cells
        raw = learner.raw(cells, sketch(category))
        return WIDEST if raw > WIDEST else -WIDEST if raw < -WIDEST else raw

    def recalibrate(self, affinity: Affinity, at: int) -> None:
        """After a drift at time `at` (ms): discount what was learned, and learn faster for a while.

        >>> user = Affinity(weights=Learner().pack([1.0] * WEIGHTS))
        >>> AffinityModel(AffinitySettings()).recalibrate(user, at=7)
        >>> round(weights_of(user)[0].item(), 3), user.boost, user.drifts, user.drifted_at
        (0.2, 24, 1, 7)
        """
        settings = self._settings
        learner = self._learner
        affinity.weights = learner.pack(
            learner.discounted(learner.unpack(affinity.weights), settings.discount)
        )
        affinity.boost = settings.boost_events
        affinity.drifts += 1
        affinity.drifted_at = at


def weights_of(affinity: Affinity) -> NDArray[np.float32]:
    """The stored weights of the linear part as float32 of shape (`WEIGHTS`,), zeros for a user without labelled events.

    >>> weights_of(Affinity()).shape
    (35,)
    """
    return np.frombuffer(linear_bytes(affinity.weights), dtype="<f4")


def misfit(weights: list[float], category: Sketch) -> float:
    """How badly a category fits the learned weights, in [0, 1].

    1 less the geometric margin (the cosine of weights and sketch) in units of what each of three equal tastes
    has: so 0 for the user's own categories and 1 for any other, however large the weights have grown. The
    logistic error has no such contrast, since a model that learns fast is never wrong for long:
    docs/decisions/0004-affinity-and-drift.md has the figures.

    >>> misfit([2.0] + [0.0] * (WEIGHTS - 1), ((0, 1.0),)), misfit([0.0] * WEIGHTS, ((0, 1.0),))
    (0.0, 1.0)
    """
    norm = hypot(*weights[:SKETCH_DIM])
    if norm == 0.0:
        return 1.0
    margin = 0.0
    for place, value in category:
        margin += weights[place] * value
    return max(0.0, min(1.0, 1.0 - _NEAR * margin / norm))
