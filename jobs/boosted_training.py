"""A boosted model of the next category: LightGBM, log loss, calibrated after Platt, as an ONNX graph.

Nothing else is needed for probabilities: boosting by the gradient of the log loss is maximum likelihood of a Bernoulli
distribution, the one-parameter case of NGBoost (Duan et al., "NGBoost: Natural Gradient Boosting for Probabilistic
Prediction", ICML 2020), and the trees' sums are its log odds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import onnx

from jobs.boosted_settings import BoostedSettings
from jobs.category_examples import CategoryExamples
from jobs.ranker_onnx import OUTPUT, check_parity, export_trees
from jobs.training_events import NothingToLearnError
from operators.boosted_affinity import BoostedAffinity
from operators.boosted_features import INPUTS
from operators.bundle_manifest import BOOSTED, BOOSTED_GOLDEN
from operators.calibration import LEAST_SHARE, fit
from operators.logistic import sigmoids
from operators.onnx_scorer import OnnxScorer
from operators.reliability import Reliability, reliability_of

LEAST_EVENTS = 200
"""Events without which no model is trained."""

GOLDEN_ROWS = 64
_PATIENCE = 10
_NO_SHARE = 1.0
"""The share whose logarithm is 0, for a curve over log odds alone."""

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExportedBoosted:
    """A boosted model as a bundle holds it, with golden rows float32[g, len(INPUTS)] and their probabilities
    float32[g]."""

    graph: bytes
    golden_rows: npt.NDArray[np.float32]
    golden: npt.NDArray[np.float32]

    def model(self) -> BoostedAffinity:
        """The model as the job loads it."""
        return BoostedAffinity(OnnxScorer(self.graph, len(INPUTS)))

    def save(self, folder: Path) -> None:
        """Write the two files of a bundle."""
        (folder / BOOSTED).write_bytes(self.graph)
        np.savez(
            folder / BOOSTED_GOLDEN,
            names=np.array(INPUTS, np.str_),
            inputs=self.golden_rows,
            outputs=self.golden,
        )


@dataclass(frozen=True, eq=False)
class TrainedBoosted:
    """An exported model, what its feature costs a user, and how far its probabilities can be taken at their word on
    later events, beside others': by the set of categories that are asked for."""

    exported: ExportedBoosted
    microseconds: float
    judged: dict[str, list[Reliability]] = field(default_factory=dict)


def fit_boosted(examples: CategoryExamples, settings: BoostedSettings) -> ExportedBoosted:
    """A model of `examples`, which are in order of time, exported and held to its source.

    Raises `NothingToLearnError` where there are too few, or a part of them holds only one outcome, and `ExportDiffers`.
    """
    fitted, stopping, curve = (
        examples.between(first, end)
        for first, end in (
            (0.0, settings.fitted),
            (settings.fitted, settings.stopped),
            (settings.stopped, 1.0),
        )
    )
    told = [part.came.mean() if len(part.came) else 0.0 for part in (fitted, stopping, curve)]
    if examples.events < LEAST_EVENTS or not all(0.0 < share < 1.0 for share in told):
        raise NothingToLearnError(
            f"--boosted: {examples.events} events say which category came next; {LEAST_EVENTS} are needed, and of some"
            " users' candidates' categories that came, and of some that did not: train without it"
        )
    booster = _grown(fitted, stopping, settings)

    def raw(rows: npt.NDArray[np.float32]) -> Probabilities:
        return np.asarray(booster.predict(rows, raw_score=True), np.float64)

    found = fit(raw(curve.rows).tolist(), [_NO_SHARE] * len(curve.rows), curve.came.tolist())
    rows = curve.rows[np.linspace(0, len(curve.rows) - 1, GOLDEN_ROWS).astype(np.int64)]
    source = sigmoids(found.intercept + found.model * raw(rows))
    made = ExportedBoosted(_exported(booster, found.model, found.intercept), rows, source.astype(np.float32))
    check_parity(made.model().of_rows(rows), source)
    return made


def judge_boosted(
    model: BoostedAffinity, examples: CategoryExamples, earlier: CategoryExamples, settings: BoostedSettings
) -> dict[str, list[Reliability]]:
    """What `model` says of `examples`, beside the calibrated affinity as it is, and beside the same with its curve
    fitted anew to those `earlier` examples that the model's own curve is fitted to.

    By the categories asked for: all, and those that the profile shows. Sets without rows are left out.
    """
    curve = earlier.between(settings.stopped, 1.0)
    anew = fit(_log_odds(curve), _shares(curve), curve.came.tolist())
    odds = np.array(_log_odds(examples)) * anew.model + np.log(_shares(examples)) * anew.share
    said = {
        "category_probability": examples.rows[:, INPUTS.index("category_probability")].astype(np.float64),
        "fitted anew": sigmoids(anew.intercept + odds),
        "boosted_category": model.of_rows(examples.rows).astype(np.float64),
    }
    sets = {"candidates": np.ones(len(examples.own), np.bool_), "the user's own": examples.own}
    return {
        name: [reliability_of(label, p[chosen], examples.came[chosen]) for label, p in said.items()]
        for name, chosen in sets.items()
        if chosen.any()
    }


def _grown(
    fitted: CategoryExamples, stopping: CategoryExamples, settings: BoostedSettings
) -> lightgbm.Booster:
    parameters: dict[str, Any] = {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_rows_in_leaf,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": settings.seed,
        "verbose": -1,
    }
    learned = lightgbm.Dataset(fitted.rows, fitted.came)
    judged = lightgbm.Dataset(stopping.rows, stopping.came, reference=learned)
    booster = lightgbm.train(
        parameters,
        learned,
        settings.trees,
        valid_sets=[judged],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    # What comes after the best tree is not exported.
    kept = booster.model_to_string(num_iteration=max(1, booster.best_iteration))
    return lightgbm.Booster(model_str=kept)


def _exported(booster: lightgbm.Booster, slope: float, intercept: float) -> bytes:
    """The graph of the probability: the trees' log odds, brought onto the curve."""
    model = onnx.load_from_string(export_trees(booster, len(INPUTS)))
    graph = model.graph
    graph.name = "categories"  # the converter draws one
    graph.node[-1].output[0] = "raw"
    for name, value in (("slope", slope), ("intercept", intercept)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), name))
    graph.node.extend(
        [
            onnx.helper.make_node("Mul", ["raw", "slope"], ["scaled"]),
            onnx.helper.make_node("Add", ["scaled", "intercept"], ["log_odds"]),
            onnx.helper.make_node("Sigmoid", ["log_odds"], [OUTPUT]),
        ]
    )
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _log_odds(examples: CategoryExamples) -> list[float]:
    """The user's own models', as the calibrated affinity takes them."""
    p = np.clip(examples.rows[:, INPUTS.index("liking")].astype(np.float64), 1e-9, 1.0 - 1e-9)
    found: list[float] = np.log(p / (1.0 - p)).tolist()
    return found


def _shares(examples: CategoryExamples) -> list[float]:
    shares = np.exp(examples.rows[:, INPUTS.index("log_share")].astype(np.float64))
    found: list[float] = np.maximum(shares, LEAST_SHARE).tolist()
    return found
