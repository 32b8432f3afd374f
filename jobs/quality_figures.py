"""Every figure of a report, computed from the judgements of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.judgement_groups import Sorted
from jobs.list_variety import Vectors, variety
from jobs.quality_report import (
    ACCURACY_NAMES,
    CUTOFFS,
    GROUP_FIGURES,
    Figures,
    Group,
    Grouping,
    StrategyFigures,
)
from operators.judgements import Judgements
from operators.list_character import exposures, gini, self_information, unexpected
from operators.list_metrics import ACCURACY, Counts, Hits
from operators.user_bootstrap import DRAWS, SEED, Drawn, UserBootstrap

EXPECTED = "popularity"
"""The primitive list that serendipity is told against; it must be among the judged."""

VARIETY_SAMPLE = 20_000
"""Variety is computed of the lists of so many judgements, drawn by seed, where there are more."""


class Baskets(NamedTuple):
    """What users took at one time, predicted at its first event: `first` int64[b] are the judgements there,
    `group` int64[n] is the number of the (user, time) of each judgement, `relevant` int64[b] items of each."""

    first: NDArray[np.int64]
    group: NDArray[np.int64]
    relevant: Counts

    @property
    def single(self) -> bool:
        """Whether no basket holds more than one item."""
        return bool((self.relevant == 1).all())


def baskets_of(judged: Judgements) -> Baskets:
    """The baskets that begin with a strict judgement: all that their users took anew at that time.

    Others begin with an item that the user had touched before; no list was made before them.
    """
    times, at = np.unique(judged.time, return_inverse=True)
    moments = judged.user * np.int64(len(times)) + at
    _, group, size = np.unique(moments, return_inverse=True, return_counts=True)
    first = np.flatnonzero(judged.strict)
    return Baskets(first, group, size[group[first]])


def basket_hits(judged: Judgements, baskets: Baskets, recommender: int) -> Hits:
    """bool[b, LENGTH]: where the list at the beginning of a basket holds any item of it."""
    known = judged.wanted >= 0
    taken = baskets.group[known] * judged.items + judged.wanted[known]
    lists = judged.lists[recommender, baskets.first]
    listed = baskets.group[baskets.first][:, None] * judged.items + lists
    found: Hits = np.isin(listed, taken) & (lists >= 0)
    return found


class QualityFigures:
    """Figures of all strategies over the same judgements, with intervals of one bootstrap over users.

    `vectors` are those of `jobs/list_variety.py` by the name of the figure that they give, `sorts` what groups are
    told of. Popularity must be among the judged.
    """

    def __init__(
        self,
        judged: Judgements,
        vectors: Mapping[str, Vectors],
        sorts: Sequence[Sorted],
        draws: int = DRAWS,
        seed: int = SEED,
    ) -> None:
        self._judged = judged
        self._sorts = sorts
        self._vectors = vectors
        self._baskets = baskets_of(judged)
        self._by_user = UserBootstrap(judged.user, draws, seed)
        self._sample = self._sampled(seed)
        self._novelty = {
            k: self_information(judged.lists, judged.before, judged.touches, judged.items, k) for k in CUTOFFS
        }
        for place, name in enumerate(judged.names):
            self._add_events(place, name)
        by_basket = UserBootstrap(judged.user[self._baskets.first], draws, seed)
        self._drawn_baskets = self._baskets_drawn(by_basket)
        self._drawn = self._by_user.draw()

    @property
    def users(self) -> int:
        """How many users were judged by."""
        return self._by_user.users

    @property
    def baskets(self) -> int:
        """How many baskets there are."""
        return len(self._baskets.first)

    def strategies(self) -> list[StrategyFigures]:
        """The figures of each strategy, in the order of the judgements."""
        return [self._strategy(place, name) for place, name in enumerate(self._judged.names)]

    def groupings(self) -> list[Grouping]:
        """The figures by group; groups without a judgement are left out."""
        return [
            Grouping(
                title=sort.title,
                note=sort.note,
                overlapping=sort.overlapping,
                groups=[
                    self._group(f"{sort.title}: {name}", name, mask)
                    for name, mask in sort.masks.items()
                    if mask.any()
                ],
            )
            for sort in self._sorts
        ]

    def _add_events(self, place: int, name: str) -> None:
        judged, add = self._judged, self._by_user.add
        hits, lists = judged.hits(place), judged.lists[place]
        expected = judged.lists[judged.place(EXPECTED)]
        one = np.ones(len(judged), np.int64)
        for k in CUTOFFS:
            for figure, of in ACCURACY.items():
                add(f"{name}: {figure}@{k}", of(hits, one, k))
            add(f"{name}: novelty@{k}", self._novelty[k][place])
            add(f"{name}: serendipity@{k}", unexpected(hits, lists, expected, k))
            for figure, vectors in self._vectors.items():
                values = np.full(len(judged), np.nan)
                values[self._sample] = variety(lists[self._sample], vectors, k)
                add(f"{name}: {figure}@{k}", values)
        for told in GROUP_FIGURES:
            figure, _, cutoff = told.partition("@")
            values = ACCURACY[figure](hits, one, int(cutoff))
            for sort in self._sorts:
                for group, mask in sort.masks.items():
                    add(f"{name}: {told} of {sort.title}: {group}", values, mask)

    def _baskets_drawn(self, bootstrap: UserBootstrap) -> Drawn | None:
        if self._baskets.single:
            return None
        for place, name in enumerate(self._judged.names):
            hits = basket_hits(self._judged, self._baskets, place)
            for k in CUTOFFS:
                for figure, of in ACCURACY.items():
                    bootstrap.add(f"{name}: {figure}@{k}", of(hits, self._baskets.relevant, k))
        return bootstrap.draw()

    def _strategy(self, place: int, name: str) -> StrategyFigures:
        accuracy = [f"{figure}@{k}" for figure in ACCURACY_NAMES for k in CUTOFFS]
        others = [f"{figure}@{k}" for figure in ("novelty", "serendipity", *self._vectors) for k in CUTOFFS]
        lead, judged, baskets = self._judged.names[0], self._judged, self._drawn_baskets
        touched = np.zeros(judged.items, np.bool_)
        touched[judged.touches] = True
        of_lists: dict[str, float | None] = {}
        for k in CUTOFFS:
            shown = exposures(judged.lists[place], judged.items, k)
            of_lists[f"coverage@{k}"] = float(np.count_nonzero(shown[touched]) / max(touched.sum(), 1))
            of_lists[f"gini@{k}"] = gini(shown)
        return StrategyFigures(
            name=name,
            by_event={told: self._drawn.interval(f"{name}: {told}") for told in (*accuracy, *others)},
            by_basket={}
            if baskets is None
            else {told: baskets.interval(f"{name}: {told}") for told in accuracy},
            of_lists=of_lists,
            ahead={}
            if place == 0
            else {told: self._drawn.difference(f"{lead}: {told}", f"{name}: {told}") for told in accuracy},
            places=judged.hits(place).mean(axis=0).tolist() if len(judged) else [],
        )

    def _group(self, column: str, name: str, mask: NDArray[np.bool_]) -> Group:
        figures: dict[str, Figures] = {
            strategy: {
                told: self._drawn.interval(f"{strategy}: {told} of {column}") for told in GROUP_FIGURES
            }
            for strategy in self._judged.names
        }
        users = len(np.unique(self._judged.user[mask]))
        return Group(name=name, judgements=int(mask.sum()), users=users, figures=figures)

    def _sampled(self, seed: int) -> NDArray[np.int64]:
        n = len(self._judged)
        if n <= VARIETY_SAMPLE:
            return np.arange(n)
        return np.sort(np.random.default_rng(seed).choice(n, VARIETY_SAMPLE, replace=False))
