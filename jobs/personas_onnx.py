"""The arithmetic of personas as an ONNX graph: scaler, PCA and the nearest centroid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from operators.persona_arithmetic import Floats, PersonaArithmetic

INPUT = "vector"
OUTPUTS = ("persona", "distance")
_OPSET = 15
_IR_VERSION = 8
"""Of 2021: read by every onnxruntime since 1.10."""

Constants = dict[str, npt.NDArray[Any]]


def export(arithmetic: PersonaArithmetic) -> bytes:
    """float32[n, d] vectors in, NaN for an unknown; `persona` int64[n] and `distance` float32[n, c] out.

    The distance is Euclidean among the principal components, or 1 - cosine. `persona` is the place of the least.
    """
    d, c = len(arithmetic.mean), len(arithmetic.centroids)
    held: Constants = {
        "mean": arithmetic.mean,
        "scale": arithmetic.scale,
        "low": np.array(-arithmetic.limit),
        "high": np.array(arithmetic.limit),
        "centre": arithmetic.centre,
        "components": arithmetic.components,
        "centroids": arithmetic.centroids,
    }
    steps = [
        ("IsNaN", [INPUT], "unknown"),
        ("Where", ["unknown", "mean", INPUT], "filled"),
        ("Sub", ["filled", "mean"], "off_mean"),
        ("Div", ["off_mean", "scale"], "standardised"),
        ("Clip", ["standardised", "low", "high"], "limited"),
        ("Sub", ["limited", "centre"], "centred"),
        ("MatMul", ["centred", "components"], "projected"),
    ]
    nodes = [helper.make_node(kind, given, [made]) for kind, given, made in steps]
    nodes += _cosine_distance(held) if arithmetic.metric == "cosine" else _euclidean_distance(held)
    nodes.append(helper.make_node("ArgMin", ["distance"], ["persona"], axis=1, keepdims=0))
    graph = helper.make_graph(
        nodes,
        "personas",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, d])],
        [
            helper.make_tensor_value_info("persona", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, [None, c]),
        ],
        [_constant(array, name) for name, array in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def run(graph: bytes, vectors: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """What an exported graph answers: `persona` and `distance`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    persona, distance = session.run(list(OUTPUTS), {INPUT: vectors.astype(np.float32)})
    return persona, distance


def _euclidean_distance(held: Constants) -> list[onnx.NodeProto]:
    held["cluster_axis"] = np.array([1], np.int64)
    return [
        helper.make_node("Unsqueeze", ["projected", "cluster_axis"], ["rows"]),
        helper.make_node("Sub", ["rows", "centroids"], ["differences"]),
        helper.make_node("ReduceL2", ["differences"], ["distance"], axes=[2], keepdims=0),
    ]


def _cosine_distance(held: Constants) -> list[onnx.NodeProto]:
    held["least_length"] = np.array(1e-12)
    held["one"] = np.array(1.0)
    held["by_component"] = held.pop("centroids").T.copy()
    return [
        helper.make_node("ReduceL2", ["projected"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "least_length"], ["safe_length"]),
        helper.make_node("Div", ["projected", "safe_length"], ["direction"]),
        helper.make_node("MatMul", ["direction", "by_component"], ["cosine"]),
        helper.make_node("Sub", ["one", "cosine"], ["distance"]),
    ]


def _constant(array: npt.NDArray[Any], name: str) -> onnx.TensorProto:
    kept = array if array.dtype == np.int64 else array.astype(np.float32)
    return numpy_helper.from_array(np.asarray(kept), name)
