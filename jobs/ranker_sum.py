"""Several rankers as one: their scores, each on the same scale, added up in one ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from scipy.optimize import minimize

from jobs.list_losses import softmax_loss
from jobs.ranker_onnx import INPUT, OUTPUT, with_flat_output
from jobs.ranking_set import RankingSet, Scores

Floats = npt.NDArray[np.float64]


def equal_votes(scores: Sequence[Scores]) -> Floats:
    """float64[k]: weights by which each ranker's scores spread alike, so that each has one vote."""
    return np.array([1.0 / max(float(np.std(scored)), 1e-9) / len(scores) for scored in scores])


def stacked_votes(lists: RankingSet, scores: Sequence[Scores], towards_equal: float = 0.02) -> Floats:
    """float64[k]: weights, none below 0, by which the summed scores make the items that came most probable.

    `lists` are of events that none of the rankers learned from, `scores` theirs of their rows. How much the weights
    on the common scale differ from each other costs `towards_equal` times its square.
    """
    scale = np.array([1.0 / max(float(np.std(scored)), 1e-9) for scored in scores])
    common = np.stack([scored * by for scored, by in zip(scores, scale, strict=True)], axis=1)
    bounds, sizes = lists.starts[:-1], np.diff(lists.starts)

    def loss(weights: Floats) -> tuple[float, Floats]:
        summed = common @ weights
        most = np.maximum.reduceat(summed, bounds)
        total = np.add.reduceat(np.exp(summed - np.repeat(most, sizes)), bounds)
        missed = float(np.mean(most + np.log(total) - summed[lists.hits]))
        slope = common.T @ softmax_loss(summed.astype(np.float32), bounds, lists.hits).astype(np.float64)
        apart = weights - weights.mean()
        return missed + towards_equal * float(apart @ apart), slope + 2.0 * towards_equal * apart

    start = np.full(len(scores), 1.0 / len(scores))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(scores))
    weights: Floats = found.x * scale
    return weights


def sum_graph(graphs: Sequence[bytes], weights: Sequence[float], width: int) -> bytes:
    """One graph whose score is the weighted sum of those of `graphs`, each float32[n, width] to float32[n]."""
    nodes, held, terms = [], [], []
    opsets: dict[str, int] = {}
    for place, (graph, weight) in enumerate(zip(graphs, weights, strict=True)):
        prefix = f"ranker_{place}_"
        model = onnx.compose.add_prefix(onnx.load_from_string(graph), prefix)
        for opset in model.opset_import:
            if opsets.setdefault(opset.domain, opset.version) != opset.version:
                raise ValueError(f"ranker {place} needs opset {opset.version}, those before {opsets}")
        for node in model.graph.node:
            node.input[:] = [INPUT if name == prefix + INPUT else name for name in node.input]
            nodes.append(node)
        held += [*model.graph.initializer]
        held.append(onnx.numpy_helper.from_array(np.array(weight, np.float32), prefix + "weight"))
        nodes.append(onnx.helper.make_node("Mul", [prefix + OUTPUT, prefix + "weight"], [prefix + "vote"]))
        terms.append(prefix + "vote")
    nodes.append(onnx.helper.make_node("Sum", terms, ["votes"]))
    made = onnx.helper.make_graph(nodes, "votes", [], [], held)
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return with_flat_output(onnx.helper.make_model(made, opset_imports=imports), "votes", width)
