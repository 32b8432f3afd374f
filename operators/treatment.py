"""How lists are made for users who are in experiments: the settings of their variants, side by side in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from operators.experiment import Experiment
from operators.exploration import Exploration
from operators.rank_settings import RankSettings, blend_of
from operators.shelf import Shelf
from schemas.state import UserState

MOST_TREATMENTS = 4_096
"""Combinations of variants that are remembered; then the memory begins anew."""


@dataclass(frozen=True, eq=False)
class Treatment:
    """How lists of some combination of variants are made.

    `by_blend` says that the blend orders them, also where a trained ranker orders the others.
    """

    settings: RankSettings
    exploration: Exploration
    by_blend: bool


@dataclass(frozen=True, eq=False)
class Treated:
    """A batch of m users of whom some are in experiments: lists of user k are made as `treatments[row[k]]` says.

    `row` is int32[m], and `variants[k]` names the user's variant by experiment.
    """

    treatments: Sequence[Treatment]
    row: NDArray[np.int32]
    variants: Sequence[Mapping[str, str]]

    @cached_property
    def blends(self) -> NDArray[np.float32]:
        """float32[treatments, len(SOURCES)]: what each source weighs."""
        return np.array([blend_of(each.settings.blend) for each in self.treatments])

    @cached_property
    def by_blend(self) -> NDArray[np.bool_]:
        """bool[m]: whose lists the blend orders."""
        return np.array([each.by_blend for each in self.treatments], np.bool_)[self.row]

    def of(self, k: int) -> Treatment:
        """How the lists of user k are made."""
        return self.treatments[int(self.row[k])]

    def some(self, rows: NDArray[np.intp]) -> Treated:
        """The same of these users, in the order of `rows`."""
        return Treated(self.treatments, self.row[rows], [self.variants[row] for row in rows.tolist()])


class Treatments:
    """The experiments in force, ready for batches of users whose lists are otherwise made by `rank`."""

    def __init__(self, experiments: Sequence[Experiment], rank: RankSettings, shelf: Shelf) -> None:
        self.experiments = tuple(experiments)
        self._rank = rank
        self._shelf = shelf
        self._known: dict[tuple[str | None, ...], Treatment] = {}

    def of(self, states: Sequence[UserState], now: Sequence[int]) -> Treated | None:
        """How these users are treated, each at a time (ms); None where none of them is in an experiment."""
        if not self.experiments:
            return None
        drawn = [
            tuple(each.variant_of(state.uid, at, state.segments) for each in self.experiments)
            for state, at in zip(states, now, strict=True)
        ]
        if not any(any(each) for each in drawn):
            return None
        numbers = {each: number for number, each in enumerate(dict.fromkeys(drawn))}
        named = [
            {
                each.name: variant
                for each, variant in zip(self.experiments, found, strict=True)
                if variant is not None
            }
            for found in numbers
        ]
        rows = [numbers[each] for each in drawn]
        return Treated(
            [self._treatment(each) for each in numbers],
            np.array(rows, np.int32),
            [named[row] for row in rows],
        )

    def _treatment(self, drawn: tuple[str | None, ...]) -> Treatment:
        held = self._known.get(drawn)
        if held is None:
            if len(self._known) >= MOST_TREATMENTS:
                self._known.clear()
            held = self._known[drawn] = self._made(drawn)
        return held

    def _made(self, drawn: tuple[str | None, ...]) -> Treatment:
        rank, by_blend = self._rank, False
        for experiment, name in zip(self.experiments, drawn, strict=True):
            if name is not None:
                variant = experiment.variants[name]
                rank, by_blend = variant.applied(rank), by_blend or variant.blend is not None
        return Treatment(rank, Exploration(rank.explore, self._shelf), by_blend)
