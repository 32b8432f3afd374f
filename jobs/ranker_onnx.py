"""Trained rankers as ONNX graphs that take float32[n, width] and return float32[n]."""

from __future__ import annotations

import lightgbm
import numpy as np
import numpy.typing as npt
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from jobs.listwise_network import ListwiseNetwork
from jobs.ranking_set import Scores

INPUT = "features"
OUTPUT = "score"
OPSET = 15
"""Of every ranker's graph, so that several can be added up in one."""
_IR_VERSION = 8
"""Of 2021: read by every onnxruntime since 1.10."""
PARITY = 1e-4
"""How far an exported graph's scores may be from the source model's, absolutely and relatively."""


class ExportDiffers(ValueError):  # noqa: N818 (named for what it says)
    """An exported graph does not score as the model it was made from."""


def export_trees(booster: lightgbm.Booster, width: int) -> bytes:
    """The ONNX graph of a LightGBM ranker; its scores are the booster's raw scores."""
    model = convert_lightgbm(
        _with_float_thresholds(booster),
        initial_types=[(INPUT, FloatTensorType([None, width]))],
        target_opset=OPSET,
    )
    return with_flat_output(model, model.graph.output[0].name, width)


def export_network(network: ListwiseNetwork) -> bytes:
    """The ONNX graph of a network: matrix product, addition and ReLU of each layer."""
    nodes, held = [], []
    value = INPUT
    layers = list(zip(network.weights, network.biases, strict=True))
    for layer, (weight, bias) in enumerate(layers):
        held += [
            onnx.numpy_helper.from_array(weight, f"weight_{layer}"),
            onnx.numpy_helper.from_array(bias, f"bias_{layer}"),
        ]
        nodes.append(
            onnx.helper.make_node("Gemm", [value, f"weight_{layer}", f"bias_{layer}"], [f"raw_{layer}"])
        )
        value = f"raw_{layer}"
        if layer < len(layers) - 1:
            nodes.append(onnx.helper.make_node("Relu", [value], [f"layer_{layer}"]))
            value = f"layer_{layer}"
    graph = onnx.helper.make_graph(nodes, "network", [given_rows(len(network.weights[0]))], [], held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    return with_flat_output(model, value, len(network.weights[0]))


def check_parity(exported: npt.NDArray[np.float32], source: Scores) -> None:
    """Raise `ExportDiffers` where a score of the graph is off the model's by more than `PARITY`."""
    off = ~np.isclose(exported, source, rtol=PARITY, atol=PARITY)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise ExportDiffers(
            f"{int(off.sum())} of {len(off)} exported scores are off; row {row}: "
            f"{exported[row]:.6g} exported, {source[row]:.6g} in the model"
        )


def _with_float_thresholds(booster: lightgbm.Booster) -> lightgbm.Booster:
    """The same trees for raw scores, with every threshold rounded down to float32.

    Trees compare in float64, the graph in float32. A float32 value is not above a threshold exactly when it
    is not above the greatest float32 up to it. The nearest float32 may lie above the threshold, and the
    values between would take the other branch.
    """
    lines = booster.model_to_string().split("\n")
    for place, line in enumerate(lines):
        if line.startswith("threshold="):
            exact = np.array(line.removeprefix("threshold=").split(), np.float64)
            near = exact.astype(np.float32)
            below = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
            lines[place] = "threshold=" + " ".join(repr(float(value)) for value in below)
        elif line.startswith("objective="):  # of classes, the converter would export probabilities
            lines[place] = "objective=lambdarank"
        elif line.startswith("[objective:"):
            lines[place] = "[objective: lambdarank]"
    # Sizes in bytes that no longer hold; without them the trees are read one after the other.
    kept = [line for line in lines if not line.startswith("tree_sizes=")]
    return lightgbm.Booster(model_str="\n".join(kept))


def with_flat_output(model: onnx.ModelProto, scores: str, width: int) -> bytes:
    """The model with one input of that width, and `scores`, float32[n, 1], as its one output float32[n]."""
    graph = model.graph
    graph.node.append(onnx.helper.make_node("Reshape", [scores, "flat_shape"], [OUTPUT]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1], np.int64), "flat_shape"))
    del graph.input[:], graph.output[:]
    graph.input.append(given_rows(width))
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None]))
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = max(opset.version, OPSET)
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def given_rows(width: int) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [None, width])
