"""A scorer of a bundle, held to the scores that it gave where it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.bundle_manifest import BundleRefused
from operators.onnx_scorer import OnnxScorer, UnusableGraph

GOLDEN_TOLERANCE = 1e-4
"""How far a golden score or vector may be off, absolutely and relatively: float32 kernels differ between processors."""


def golden_scorer(graph: Path, golden: Path, held: dict[str, npt.NDArray[Any]], width: int) -> OnnxScorer:
    """The scorer of the ONNX file `graph`, which gives the golden scores here as it did.

    `held` are the arrays of the file `golden`: `inputs` float32[g, width] and `outputs` float32[g].

    Raises `BundleRefused` where the graph does not load, takes other rows, or scores one otherwise.
    """
    try:
        scorer = OnnxScorer(graph.read_bytes(), width)
    except UnusableGraph as error:
        raise BundleRefused(f"{graph}: {error}; train the bundle again") from error
    inputs, expected = held["inputs"], held["outputs"]
    if inputs.dtype != np.float32 or inputs.shape != (len(expected), width) or len(expected) == 0:
        raise BundleRefused(f"{golden}: inputs of shape {inputs.shape}; train the bundle again")
    found = scorer.score(inputs)
    wrong = ~np.isclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BundleRefused(
            f"{graph}: golden row {row} scores {found[row]:.6g} here, {expected[row]:.6g} where it was trained;"
            " train the bundle again here"
        )
    return scorer
