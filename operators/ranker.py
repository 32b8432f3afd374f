"""From user records to ranked lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.barred_items import BarredItems
from operators.bundle import Bundle
from operators.candidates import SOURCES, CandidateFinder, Candidates, CandidateSettings
from operators.factor_neighbours import FactorNeighbours
from operators.features import features
from operators.list_filling import fill
from operators.reasons import FOR_YOU, because_of, trending_in
from operators.selection import select
from operators.shelf import Shelf
from operators.user_batch import UserBatch
from schemas.state import UserState

NO_BUNDLE = "blend"
"""What a list names as its model when it was ranked without a bundle."""


@dataclass(frozen=True)
class RankSettings:
    """How lists are made. `blend` weighs what the sources say where no trained ranker does.

    Items that the user bought are left out with `exclude_bought`, and all that they touched with
    `exclude_touched`. Raises `ValueError` for a source that there is not.
    """

    length: int = 20
    exclude_touched: bool = False
    exclude_bought: bool = True
    candidates: CandidateSettings = CandidateSettings()
    blend: Mapping[str, float] = field(
        default_factory=lambda: {
            "session_knn": 1.0,
            "covisit": 0.5,
            "trending": 0.05,
            "category_trending": 0.05,
            "factors": 0.3,
        }
    )

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.blend) - set(SOURCES)):
            raise ValueError(f"rank.blend: unknown source {unknown[0]!r}; known: {', '.join(SOURCES)}")


@dataclass(frozen=True)
class RankedList:
    """One user's list, best first.

    `whys[k]` is the reason of `items[k]`, `sources[k]` what each source that named it said for it (0 to 1).
    """

    items: list[str]
    scores: list[float]
    whys: list[str]
    sources: list[dict[str, float]]
    model: str


class Ranker:
    """Makes lists for batches of users, with or without a model bundle. For one thread at a time.

    >>> from operators.shelf_records import Popularity
    >>> shelf = Shelf()
    >>> shelf.apply(Popularity(["all", "all"], ["mug", "plate"], [1.0, 2.0]))
    >>> [made] = Ranker(shelf).rank([UserState("pseudonym", born=0)], [0])
    >>> made.items, made.whys[0], made.model
    (['plate', 'mug'], 'trending:all', 'blend')
    """

    def __init__(
        self, shelf: Shelf, settings: RankSettings = RankSettings(), bundle: Bundle | None = None
    ) -> None:
        self._shelf = shelf
        self._settings = settings
        self._bundle = bundle
        self._blend = np.array([settings.blend.get(source, 0.0) for source in SOURCES], np.float32)
        self._factors = (
            FactorNeighbours.none()
            if bundle is None
            else FactorNeighbours(bundle.item_ids, bundle.neighbours, bundle.neighbour_scores)
        )
        self._finder = CandidateFinder(shelf, settings.candidates, self._factors)
        self.model = NO_BUNDLE if bundle is None else bundle.name

    def rank(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
    ) -> list[RankedList]:
        """One list per state, as at its `now_ms`; `exclude[k]` are item ids that list k may not hold.

        The list of a user does not depend on who else is in the batch. It is as long as asked for while the
        shelf knows that many items that may be shown. Takes the shelf's lock.
        """
        if not states:
            return []
        with self._shelf.lock:
            users, candidates = self.candidates(states, now_ms, exclude)
            scores = self._scores(users, candidates)
            chosen = select(
                self._shelf.catalogue.arrays, candidates.item, candidates.start, scores, self._settings.length
            )
            lists = self._render(users, candidates, scores, chosen)
            for k, made in enumerate(lists):
                if len(made.items) < self._settings.length:
                    barred = set(exclude[k]) if exclude is not None else set()
                    fill(
                        made.items,
                        self._settings.length,
                        self._shelf,
                        int(users.market[k]),
                        int(users.now[k]),
                        barred,
                        self._hashes(states[k]),
                    )
                    _say_for_you(made)
        return lists

    def candidates(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
    ) -> tuple[UserBatch, Candidates]:
        """What `rank` chooses from: also what training looks at. Hold the shelf's lock."""
        users = UserBatch.of(states, self._shelf, now_ms)
        barred = BarredItems.of(exclude, [self._hashes(state) for state in states], self._shelf)
        return users, self._finder.find(users, barred)

    def _hashes(self, state: UserState) -> bytes:
        if self._settings.exclude_touched:
            return state.touched + state.bought
        return state.bought if self._settings.exclude_bought else b""

    def _scores(self, users: UserBatch, candidates: Candidates) -> NDArray[np.float32]:
        bundle = self._bundle
        if bundle is not None and bundle.has_ranker:
            row = self._factors.numbered(self._shelf).row
            return bundle.score(features(candidates, users, self._shelf, row, bundle.factors))
        blended: NDArray[np.float32] = candidates.scores @ self._blend
        return blended

    def _render(
        self,
        users: UserBatch,
        candidates: Candidates,
        scores: NDArray[np.float32],
        chosen: NDArray[np.int32],
    ) -> list[RankedList]:
        shelf, item_id = self._shelf, self._shelf.index.item_id
        rows = chosen[chosen >= 0]
        said = candidates.scores[rows]
        most = np.argmax(said * self._blend, axis=1).tolist()
        places = zip(
            [item_id(item) for item in candidates.item[rows].tolist()],
            scores[rows].tolist(),
            most,
            candidates.anchor[rows].tolist(),
            candidates.scope[rows].tolist(),
            said.tolist(),
            strict=True,
        )
        lists = []
        for k, length in enumerate((chosen >= 0).sum(axis=1).tolist()):
            made = RankedList([], [], [], [], self.model)
            recent, purchased = users.recent[k].tolist(), users.purchased[k].tolist()
            because = [because_of(item_id(r), p) for r, p in zip(recent, purchased, strict=True) if r >= 0]
            for _ in range(length):
                item, score, source, anchor, scope, values = next(places)
                made.items.append(item)
                made.scores.append(score)
                if source >= 2 and source <= 3 and scope >= 0:
                    made.whys.append(trending_in(shelf.scopes.names[scope]))
                else:
                    made.whys.append(because[anchor] if anchor >= 0 and source < 2 else FOR_YOU)
                made.sources.append(
                    {name: value for name, value in zip(SOURCES, values, strict=True) if value}
                )
            lists.append(made)
        return lists


def _say_for_you(made: RankedList) -> None:
    """What was filled in at the end has no score and no source."""
    for _ in range(len(made.items) - len(made.scores)):
        made.scores.append(0.0)
        made.whys.append(FOR_YOU)
        made.sources.append({})
