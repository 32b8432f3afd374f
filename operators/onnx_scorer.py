"""Scoring of candidates by an ONNX graph, on one thread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.onnx_session import UnusableGraph, open_session

__all__ = ["OnnxScorer", "UnusableGraph"]


class OnnxScorer:
    """A ranker as an ONNX graph: float32[n, width] in, float32[n] out, higher is better.

    Runs on the calling thread alone: rank workers are scaled by processes, and a pool of threads per
    worker would fight for the same cores. Raises `UnusableGraph` for a graph of any other shape.
    """

    def __init__(self, graph: bytes, width: int) -> None:
        self._session = open_session(graph)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2 or inputs[0].shape[1] != width:
            raise UnusableGraph(
                f"the graph takes {inputs[0].type} of shape {inputs[0].shape}; float32[n, {width}] is needed"
            )
        if outputs[0].type != "tensor(float)" or len(outputs[0].shape) != 1:
            raise UnusableGraph(
                f"the graph returns {outputs[0].type} of shape {outputs[0].shape}; float32[n] is needed"
            )
        self._input: str = inputs[0].name
        self.width = width

    def score(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32[n] scores of float32[n, width] feature rows; no rows give no scores."""
        if len(rows) == 0:
            return np.zeros(0, np.float32)
        scores: npt.NDArray[np.float32] = self._session.run(None, {self._input: rows})[0]
        return scores
