"""Opening an ONNX graph on one thread."""

from __future__ import annotations

from typing import Any

import onnxruntime


class UnusableGraph(ValueError):  # noqa: N818 (named for what it says)
    """An ONNX graph that does not load, or does not take and return what is needed."""


def open_session(graph: bytes) -> Any:
    """An `onnxruntime.InferenceSession` of a graph that takes one array and returns one.

    It runs on the calling thread alone: rank workers are scaled by processes, and a pool of threads per worker
    would fight for the same cores. Raises `UnusableGraph` for any other graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types, which share no base but Exception
        raise UnusableGraph(f"onnxruntime cannot load the graph: {error}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnusableGraph(f"{len(inputs)} inputs and {len(outputs)} outputs; one of each is needed")
    return session
