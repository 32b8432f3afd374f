"""Trained rankers as ONNX graphs that take float32[n, width] and return float32[n]."""

from __future__ import annotations

import lightgbm
import numpy as np
import numpy.typing as npt
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

INPUT = "features"
OUTPUT = "score"
_OPSET = 15
PARITY = 1e-4
"""How far an exported graph's scores may be from the source model's, absolutely and relatively."""


class ExportDiffers(ValueError):
    """An exported graph does not score as the model it was made from."""


def export_trees(booster: lightgbm.Booster, width: int) -> bytes:
    """The ONNX graph of a LightGBM ranker; its scores are the booster's raw scores."""
    model = convert_lightgbm(
        booster, initial_types=[(INPUT, FloatTensorType([None, width]))], target_opset=_OPSET
    )
    return _with_flat_output(model, model.graph.output[0].name, width)


def export_network(pipeline: Pipeline, width: int) -> bytes:
    """The ONNX graph of a scaler and an `MLPClassifier`; its scores are log-odds.

    The graph is cut before the last sigmoid: the order is the same, float32 keeps the tails apart, and
    the nodes that would name classes are saved.
    """
    if not isinstance(pipeline[-1], MLPClassifier):
        raise TypeError(f"a pipeline that ends in MLPClassifier is needed, not {type(pipeline[-1]).__name__}")
    model = to_onnx(
        pipeline,
        np.zeros((1, width), np.float32),
        options={MLPClassifier: {"zipmap": False}},
        target_opset=_OPSET,
    )
    sigmoid = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    return _with_flat_output(select_model_inputs_outputs(model, sigmoid.input[0]), sigmoid.input[0], width)


def check_parity(exported: npt.NDArray[np.float32], source: npt.NDArray[np.float64]) -> None:
    """Raise `ExportDiffers` where a score of the graph is off the model's by more than `PARITY`."""
    off = ~np.isclose(exported, source, rtol=PARITY, atol=PARITY)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise ExportDiffers(
            f"{int(off.sum())} of {len(off)} exported scores are off; row {row}: "
            f"{exported[row]:.6g} exported, {source[row]:.6g} in the model"
        )


def _with_flat_output(model: onnx.ModelProto, scores: str, width: int) -> bytes:
    graph = model.graph
    given = graph.input[0].name
    graph.node.append(onnx.helper.make_node("Reshape", [scores, "flat_shape"], [OUTPUT]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1], np.int64), "flat_shape"))
    if given != INPUT:
        graph.node.insert(0, onnx.helper.make_node("Identity", [INPUT], [given]))
    del graph.input[:], graph.output[:]
    graph.input.append(onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [None, width]))
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [None]))
    default = next(opset for opset in model.opset_import if opset.domain == "")
    default.version = max(default.version, 13)
    model.ir_version = 8
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
