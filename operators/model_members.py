"""The members of a stream model's ensemble: river's learners behind one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import AdaGrad
from river.tree import HoeffdingAdaptiveTreeClassifier

from operators.logistic import sigmoid

_EDGE = 0.01
"""No member is ever surer than this: a leaf that saw one class alone would be infinitely wrong once."""


@dataclass(frozen=True)
class View:
    """A user and a category as members see them: scaled numbers, plain numbers, hashed tokens."""

    scaled: Mapping[str, float]
    plain: Mapping[str, float]
    tokens: list[str]


class Linear:
    """river's logistic regression with AdaGrad, on scaled numbers and tokens."""

    def __init__(self, seed: int) -> None:
        self._model: Any = LogisticRegression(optimizer=AdaGrad(0.1), l2=1e-5)

    def predict(self, view: View) -> float:
        """The probability of label 1."""
        return sigmoid(self._model._raw_dot_one(self._features(view)))

    def learn(self, view: View, label: int) -> None:
        """Learn from one example."""
        self._model.learn_one(self._features(view), label)

    def _features(self, view: View) -> dict[str, float]:
        return dict(view.scaled) | dict.fromkeys(view.tokens, 1.0)


class Tree:
    """river's Hoeffding adaptive tree: it replaces branches that have become worse (Bifet and Gavaldà, 2009)."""

    def __init__(self, seed: int) -> None:
        self._model: Any = HoeffdingAdaptiveTreeClassifier(
            delta=1e-3, tau=0.1, grace_period=50, max_depth=6, leaf_prediction="mc", seed=seed
        )

    def predict(self, view: View) -> float:
        """The probability of label 1."""
        return float(self._model.predict_proba_one(view.plain).get(1, 0.5))

    def learn(self, view: View, label: int) -> None:
        """Learn from one example."""
        self._model.learn_one(view.plain, label)


class Forest(Tree):
    """river's adaptive random forest: trees that are replaced when they drift (Gomes et al., 2017)."""

    def __init__(self, seed: int) -> None:
        self._model: Any = ARFClassifier(
            n_models=3, grace_period=100, max_depth=6, leaf_prediction="mc", seed=seed
        )


Member = Linear | Tree | Forest

MEMBERS: Mapping[str, Callable[[int], Member]] = {"linear": Linear, "tree": Tree, "forest": Forest}
"""By name in the settings."""


def bounded(probability: float) -> float:
    """A probability off the edges.

    >>> bounded(0.0), bounded(0.5)
    (0.01, 0.5)
    """
    return max(_EDGE, min(1.0 - _EDGE, probability))
