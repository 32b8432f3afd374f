"""How likely a user's next engaging event is in a category, by a boosted model of a bundle: `boosted_category`.

Unlike the calibrated affinity (operators/calibrated_affinity.py), which reads the user's record alone, it reads the
shelf too. It holds nothing of any user and of any category.
"""

from __future__ import annotations

from pathlib import Path

from operators.affinity_columns import CategoryProbability
from operators.boosted_columns import distinct_categories
from operators.boosted_features import INPUTS, boosted_rows
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import BOOSTED, BOOSTED_GOLDEN, BundleRefused
from operators.candidates import Candidates
from operators.feature_columns import Floats, Ints
from operators.golden_scores import golden_scorer
from operators.onnx_scorer import OnnxScorer
from operators.shelf import Shelf
from operators.user_batch import UserBatch


class BoostedAffinity:
    """Probabilities from a scorer that takes float32[r, len(INPUTS)] and returns float32[r], each in [0, 1]."""

    def __init__(self, scorer: OnnxScorer) -> None:
        self._scorer = scorer

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
    names = held["names"]
    if names.tolist() != list(INPUTS):
        other = sorted(set(map(str, names.tolist())) ^ set(INPUTS)) or ["another order"]
        raise BundleRefused(
            f"{folder}/{BOOSTED_GOLDEN}: its inputs are not those of this release ({', '.join(other)}); train the"
            " bundle again"
        )
    return BoostedAffinity(golden_scorer(folder / BOOSTED, folder / BOOSTED_GOLDEN, held, len(INPUTS)))
