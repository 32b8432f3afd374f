"""Gradient-boosted trees by XGBoost, where it is installed (`pip install 'headrace[xgboost]'`), as an ONNX graph."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import onnx

from jobs.ranker_onnx import INPUT, with_flat_output
from jobs.ranker_trees import TreeSettings
from jobs.ranking_set import RankingSet
from schemas.errors import HeadraceError


class NotInstalled(HeadraceError):  # noqa: N818 (named for what it says)
    """A ranker whose library is not there."""


def installed() -> bool:
    """Whether XGBoost can be imported."""
    return importlib.util.find_spec("xgboost") is not None


def fit_xgboost(lists: RankingSet, settings: TreeSettings, seed: int) -> Any:
    """An `xgboost.Booster` of the lists, by rank:ndcg. Raises `NotInstalled`."""
    if not installed():
        raise NotInstalled("the ranker xgboost needs XGBoost: pip install 'headrace[xgboost]'")
    import xgboost

    learned = xgboost.DMatrix(lists.rows, lists.labels(), group=np.diff(lists.starts))
    parameters = {
        "objective": "rank:ndcg",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": settings.truncation,
        "eta": settings.learning_rate,
        "max_leaves": settings.leaves,
        "max_depth": 0,
        "grow_policy": "lossguide",
        "tree_method": "hist",
        "colsample_bytree": settings.columns,
        "nthread": 1,
        "seed": seed,
        "verbosity": 0,
    }
    return xgboost.train(parameters, learned, settings.trees)


def xgboost_scores(booster: Any, rows: Any) -> Any:
    """float32[n]: the booster's raw scores."""
    return booster.inplace_predict(rows, predict_type="margin")


def export_xgboost(booster: Any, width: int) -> bytes:
    """The ONNX graph of a booster with one score a row.

    Written from the model itself: the public converters know XGBoost's regressors and classifiers, no rankers.
    """
    model = json.loads(bytes(booster.save_raw("json")))["learner"]
    trees = model["gradient_booster"]["model"]["trees"]
    base = float(str(model["learner_model_param"]["base_score"]).strip("[]"))
    node: dict[str, list[Any]] = {name: [] for name in _NODE}
    leaf: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for number, tree in enumerate(trees):
        for place, left in enumerate(tree["left_children"]):
            ends = left < 0
            told = (
                number, place, "LEAF" if ends else "BRANCH_LT", 0 if ends else tree["split_indices"][place],
                0.0 if ends else tree["split_conditions"][place], 0 if ends else left,
                0 if ends else tree["right_children"][place], 0 if ends else int(tree["default_left"][place]),
            )  # fmt: skip
            for name, value in zip(_NODE, told, strict=True):
                node[name].append(value)
            if ends:
                for name, value in zip(
                    leaf, (number, place, 0, tree["split_conditions"][place]), strict=True
                ):
                    leaf[name].append(value)
    made = onnx.helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=1,
        base_values=[base],
        post_transform="NONE",
        aggregate_function="SUM",
        **{f"nodes_{name}": values for name, values in node.items()},
        **{f"target_{name}": values for name, values in leaf.items()},
    )
    graph = onnx.helper.make_graph([made], "xgboost", [], [])
    opsets = [onnx.helper.make_opsetid("ai.onnx.ml", 1), onnx.helper.make_opsetid("", 15)]
    return with_flat_output(onnx.helper.make_model(graph, opset_imports=opsets), "raw", width)


_NODE = (
    "treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids",
    "missing_value_tracks_true",
)  # fmt: skip
