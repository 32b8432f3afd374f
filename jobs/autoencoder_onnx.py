"""An autoencoder's encoder as an ONNX graph that takes int32[m, L] and returns float32[m, d + 1]."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.onnx_graph import OnnxGraph
from jobs.sequence_onnx import INPUT, OUTPUT, encoder
from operators.sequence_model import NO_ITEM

Floats = npt.NDArray[np.float32]


def export_autoencoder(arrays: Mapping[str, Floats], settings: AutoencoderSettings) -> bytes:
    """The ONNX graph of `jobs.autoencoder.encode` with these parameters; it holds no row of any user."""
    taken = arrays["taken"].copy()
    taken[NO_ITEM] = 0.0
    graph = OnnxGraph(arrays)
    one, axis = graph.held("one", np.float32(1.0)), graph.held("axis", np.array([1], np.int64))
    known = graph.cast(graph.add("Greater", INPUT, graph.held("none", np.array(NO_ITEM, np.int32))))
    count = graph.add("ReduceSum", known, axis, keepdims=1)
    summed = graph.add("ReduceSum", graph.add("Gather", graph.held("taken", taken), INPUT), axis, keepdims=0)
    mean = graph.add("Div", summed, graph.add("Sqrt", graph.add("Max", count, one)))
    hidden = graph.add("Tanh", graph.add("Add", mean, graph.array("bias")))
    told = graph.add("Min", count, one)
    graph.add("Concat", graph.add("Mul", hidden, told), told, to=OUTPUT, axis=1)
    return encoder(graph, settings.length, settings.width + 1)
