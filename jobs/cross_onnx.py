"""A deep-and-cross network as an ONNX graph, made without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from jobs.cross_settings import CrossSettings
from jobs.onnx_graph import OnnxGraph
from jobs.ranker_onnx import INPUT, OPSET, given_rows, with_flat_output

Floats = npt.NDArray[np.float32]


def export_cross(arrays: Mapping[str, Floats], settings: CrossSettings) -> bytes:
    """The ONNX graph of `jobs.cross_network.FittedCross.score` with these arrays: float32[n, F] to float32[n].

    Heads of several experts are one matrix whose blocks stand on the diagonal, so that what each expert says to a
    task is one product.
    """
    graph = OnnxGraph(arrays)
    first = graph.add("Add", graph.add("Mul", INPUT, graph.array("scale")), graph.array("shift"))
    x = first
    for k in range(settings.crosses):
        narrow = graph.add("MatMul", x, graph.array(f"narrow_{k}"))
        x = graph.add("Add", graph.add("Mul", first, _gemm(graph, narrow, f"wide_{k}")), x)
    for k in range(len(settings.layers)):
        x = graph.add("Relu", _gemm(graph, x, f"hidden_{k}"))
    weights = (1.0, settings.bought_weight)[: settings.tasks]
    said = [
        _task(graph, arrays, task, weight, first, x, settings.experts)
        for task, weight in enumerate(weights)
        if weight or task == 0
    ]
    score = said[0] if len(said) == 1 else graph.add("Add", *said)
    width = len(arrays["scale"])
    model = graph.made("cross", [given_rows(width)], [], OPSET)
    return with_flat_output(model, score, width)


def _gemm(graph: OnnxGraph, value: str, name: str) -> str:
    return graph.add("Gemm", value, graph.array(name), graph.array(f"{name}_bias"))


def _task(
    graph: OnnxGraph, arrays: Mapping[str, Floats], task: int, weight: float, first: str, x: str, experts: int
) -> str:
    """float32[n, 1] scores of one task, times its weight."""
    head = np.float32(weight) * arrays[f"head_{task}"]
    blocks = np.kron(np.eye(experts, dtype=np.float32), head[:, None]).astype(np.float32)
    said = graph.add("MatMul", x, graph.held(f"heads_{task}", blocks))
    if experts == 1:
        return said
    gate = graph.add("Softmax", graph.add("MatMul", first, graph.array(f"gate_{task}")), axis=1)
    axis = graph.held("experts", np.array([1], np.int64))
    return graph.add("ReduceSum", graph.add("Mul", said, gate), axis, keepdims=1)
