"""Which features a ranker takes, chosen by name: only their columns are computed, in the order asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.affinity_columns import CategoryProbability
from operators.boosted_affinity import BoostedAffinity
from operators.candidates import Candidates
from operators.features import BLOCKS, FEATURES, Scene
from operators.profile_columns import profile_block, readable
from operators.sequence_model import SequenceModel
from operators.shelf import Shelf
from operators.user_batch import UserBatch
from operators.user_step import StepSettings
from schemas.errors import HeadraceError


class UnknownFeatures(HeadraceError):  # noqa: N818 (named like the other refusals)
    """Features that this release, or these settings, cannot compute; the message names them."""


def known_features(step: StepSettings = StepSettings()) -> frozenset[str]:
    """Every feature that a ranker may take, where users are followed with `step`.

    >>> {"price_gap", "profile.order_value"} < known_features()
    True
    """
    return frozenset(name for block in BLOCKS for name in block.names).union(readable(step))


def refuse_unknown(names: Sequence[str], known: Collection[str], asked_by: str) -> None:
    """Raise `UnknownFeatures` for names that are not known; `asked_by` says who wants them.

    >>> refuse_unknown(["price_gap", "taste"], {"price_gap"}, "models/shop/1")
    Traceback (most recent call last):
    operators.feature_plan.UnknownFeatures: models/shop/1 wants the feature 'taste', which is not known here
    """
    if missing := [name for name in names if name not in known]:
        listed = ", ".join(map(repr, missing))
        text = f"feature {listed}, which is" if len(missing) == 1 else f"features {listed}, which are"
        raise UnknownFeatures(f"{asked_by} wants the {text} not known here")


class FeaturePlan:
    """Computes the features `names`, in their order, for users followed with `step`.

    Raises `UnknownFeatures` for a name that is none.

    >>> FeaturePlan(["price_gap", "profile.order_value"]).names
    ('price_gap', 'profile.order_value')
    """

    def __init__(self, names: Sequence[str] = FEATURES, step: StepSettings = StepSettings()) -> None:
        refuse_unknown(names, known_features(step), "the ranker")
        self.names = tuple(names)
        self._probability = CategoryProbability(step)
        wanted = frozenset(names)
        self._blocks = [block for block in BLOCKS if not wanted.isdisjoint(block.names)]
        profile = readable(step)
        if own := {name: profile[name] for name in self.names if name in profile}:
            self._blocks.append(profile_block(own))
        computed = [name for block in self._blocks for name in block.names]
        self._width = len(computed)
        # Most bundles take whole blocks in their order: nothing has to be moved for them.
        self._take = None if tuple(computed) == self.names else [computed.index(name) for name in self.names]

    def rows(
        self,
        candidates: Candidates,
        users: UserBatch,
        shelf: Shelf,
        factor_row: NDArray[np.int32],
        factors: NDArray[np.float32],
        sequence: SequenceModel | None = None,
        autoencoder: SequenceModel | None = None,
        boosted: BoostedAffinity | None = None,
    ) -> NDArray[np.float32]:
        """float32[n, len(names)] of n candidates; a row depends on its own user and their candidates alone.

        `factors` float32[n, F] are a bundle's item factors and `factor_row` int32[I] the row of each item
        number (-1, or beyond its end: none), as in `FactorArrays`; `sequence` and `autoencoder` are the
        bundle's models of users' last items, `boosted` that of their next category; without them their features
        are 0. The caller holds the shelf's lock.
        """
        scene = Scene(
            candidates, users, shelf, factor_row, factors, sequence, self._probability, autoencoder, boosted
        )
        # Of fewer than two rows numpy says that parts of them are contiguous: other types, compiled anew for seconds.
        rows = np.empty((max(len(candidates), 2), self._width), np.float32)
        column = 0
        for block in self._blocks:
            block.fill(scene, rows[:, column : column + len(block.names)])
            column += len(block.names)
        rows = rows[: len(candidates)]
        return rows if self._take is None else rows[:, self._take]
