"""A model that is only compared: it scores candidates of lists that another one has made."""

from __future__ import annotations

import logging
import time

import numpy as np
from numpy.typing import NDArray

from operators.bundle import Bundle
from operators.bundle_manifest import BundleRefused
from operators.candidate_rows import kept_rows
from operators.candidates import Candidates
from operators.factor_fold_in import folding
from operators.factor_neighbours import FactorNeighbours
from operators.feature_plan import FeaturePlan
from operators.selection import select
from operators.shelf import Shelf
from operators.user_batch import UserBatch
from operators.user_step import StepSettings

logger = logging.getLogger(__name__)


class Shadow:
    """Compares a bundle's lists with those that serve, for a drawn share of them.

    The candidates are the serving model's own, also where the bundle's factors would have named others.
    `lists` counts the lists compared; `overlap` sums the share of items that both lists hold, `same_first` counts
    those with the same item first, and `micros` sums the µs that all of it took. `step` is how users are followed,
    and at most `folded_items` new items are folded into the bundle's factors.

    Raises `BundleRefused` for a bundle without ranker, which would score as no model does.
    """

    def __init__(
        self,
        shelf: Shelf,
        bundle: Bundle,
        share: float,
        step: StepSettings = StepSettings(),
        folded_items: int = 0,
    ) -> None:
        if not bundle.has_ranker:
            raise BundleRefused(
                f"bundle {bundle.name} carries no ranker: on the same candidates there is nothing to compare"
            )
        self.bundle = bundle
        self.share = share
        self._shelf = shelf
        self._step = step
        self._plan = FeaturePlan(bundle.features, step)
        self._factors = FactorNeighbours(
            bundle.item_ids, bundle.neighbours, bundle.neighbour_scores, bundle.factors
        )
        self._folded_items = folded_items
        self._fold_in = folding(self._factors, shelf, folded_items)
        self._drawn = np.random.default_rng()
        self.lists = 0
        self.overlap = 0.0
        self.same_first = 0
        self.micros = 0.0
        self.failed: str | None = None

    def anew(self) -> Shadow:
        """The same comparison with nothing counted, for when another model serves."""
        return Shadow(self._shelf, self.bundle, self.share, self._step, self._folded_items)

    def compare(self, users: UserBatch, candidates: Candidates, chosen: NDArray[np.int32]) -> None:
        """Compare with a batch of lists, given as rows of the candidates (-1 past the end). Hold the shelf's lock.

        It changes nothing that it is given. Where it fails it says so in `failed`, and compares no more.
        """
        if self.failed is not None:
            return
        began = time.perf_counter()
        sample = self._drawn.random(len(users)) < self.share
        if sample.any():
            try:
                self._compare(users, candidates, chosen, sample)
            except Exception as error:  # a candidate on trial must not end the lists of the one that serves
                self.failed = f"{type(error).__name__}: {error}"
                logger.exception("model %s cannot be compared", self.bundle.name)
        self.micros += (time.perf_counter() - began) * 1e6

    def _compare(
        self,
        users: UserBatch,
        candidates: Candidates,
        chosen: NDArray[np.int32],
        sample: NDArray[np.bool_],
    ) -> None:
        some = of_users(candidates, sample)
        row = self._factors.numbered(self._shelf).row
        bundle, vectors = self.bundle, self._factors.vectors
        scores = bundle.score(self._plan.rows(some, users, self._shelf, row, vectors, *bundle.models))
        own = select(self._shelf.catalogue.arrays, some.item, some.start, scores, chosen.shape[1])
        for k in np.flatnonzero(sample):
            shown = candidates.item[chosen[k][chosen[k] >= 0]]
            mine = some.item[own[k][own[k] >= 0]]
            if len(shown) and len(mine):
                both = len(np.intersect1d(shown, mine, assume_unique=True))
                self.overlap += both / max(len(shown), len(mine))
                self.same_first += int(shown[0] == mine[0])
                self.lists += 1


def of_users(candidates: Candidates, chosen: NDArray[np.bool_]) -> Candidates:
    """The rows of the chosen users (bool[m]); the others keep their place in `start`, without a row."""
    return kept_rows(candidates, chosen[candidates.user])
