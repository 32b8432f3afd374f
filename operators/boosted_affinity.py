"""How likely a user's next engaging event is in a category, by a boosted model of a bundle: `boosted_category`.

Unlike the calibrated affinity (operators/calibrated_affinity.py), which reads the user's record alone, it reads the
shelf too. It holds nothing of any user and of any category.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from operators.affinity_columns import CategoryProbability
from operators.boosted_columns import distinct_categories
from operators.boosted_features import INPUTS, boosted_rows
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import BOOSTED, BOOSTED_GOLDEN, BundleRefused
from operators.candidates import Candidates
from operators.feature_columns import Floats, Ints
from operators.onnx_scorer import OnnxScorer, UnusableGraph
from operators.shelf import Shelf
from operators.user_batch import UserBatch

GOLDEN_TOLERANCE = 1e-4
"""How far a golden probability may be off, absolutely and relatively."""


class BoostedAffinity:
    """Probabilities from an ONNX graph that takes float32[r, len(INPUTS)] and returns float32[r], each in [0, 1].

    Raises `UnusableGraph` for a graph of another shape.
    """

    def __init__(self, graph: bytes) -> None:
        self._scorer = OnnxScorer(graph, len(INPUTS))

    def of_rows(self, rows: Floats) -> Floats:
        """float32[r] of rows as `boosted_rows` makes them."""
        return self._scorer.score(rows)

    def of_categories(
        self, begin: Ints, asked: Ints, users: UserBatch, shelf: Shelf, probability: CategoryProbability
    ) -> Floats:
        """float32[r]: the probability that the next engaging event of a user is in each category asked of them.

        `begin` and `asked` as in `boosted_rows`. Hold the shelf's lock.
        """
        return self.of_rows(boosted_rows(begin, asked, users, shelf, probability))

    def fill(
        self,
        found: Candidates,
        users: UserBatch,
        shelf: Shelf,
        probability: CategoryProbability,
        out: Floats,
    ) -> None:
        """Write float32[n, 1]: the probability of every candidate's category. Hold the shelf's lock."""
        catalogue = shelf.catalogue
        begin, asked, place = distinct_categories(
            found.item, found.start, catalogue.arrays.category, len(catalogue.sketches)
        )
        out[:, 0] = self.of_categories(begin, asked, users, shelf, probability)[place]


def load_boosted(folder: Path) -> BoostedAffinity:
    """The boosted model of the bundle in `folder`, its golden probabilities checked.

    Raises `BundleRefused` where it does not load, takes other inputs, or does not give them.
    """
    held = read_arrays(folder / BOOSTED_GOLDEN, "names", "inputs", "outputs")
    names, inputs, expected = held["names"], held["inputs"], held["outputs"]
    if names.tolist() != list(INPUTS):
        other = sorted(set(map(str, names.tolist())) ^ set(INPUTS)) or ["another order"]
        raise BundleRefused(
            f"{folder}/{BOOSTED_GOLDEN}: its inputs are not those of this release ({', '.join(other)}); train the"
            " bundle again"
        )
    try:
        model = BoostedAffinity((folder / BOOSTED).read_bytes())
    except UnusableGraph as error:
        raise BundleRefused(f"{folder}/{BOOSTED}: {error}; train the bundle again") from error
    fits = inputs.dtype == np.float32 and inputs.shape == (len(expected), len(INPUTS)) and len(expected)
    if not fits:
        raise BundleRefused(
            f"{folder}/{BOOSTED_GOLDEN}: golden inputs of shape {inputs.shape}; train the bundle again"
        )
    found = model.of_rows(inputs)
    off = ~np.isclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise BundleRefused(
            f"{folder}/{BOOSTED}: golden row {row} gets {found[row]:.6g} here, {expected[row]:.6g} where it was"
            " trained; train the bundle again here"
        )
    return model
