"""From user records to ranked lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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

SCORE_DIGITS = 6
"""Decimals of a score."""

NEIGHBOURS, TRENDS, OTHER = range(3)
SOURCE_KINDS = np.array([NEIGHBOURS, NEIGHBOURS, TRENDS, TRENDS, OTHER])
"""What kind of reason each of `SOURCES` gives."""


@dataclass(frozen=True)
class RankSettings:
    """How lists are made. `blend` weighs what the sources say where no trained ranker does.

    What the user touched is left out, as far back as the record remembers; without `exclude_touched` only
    what they bought, and without `exclude_bought` not even that. Raises `ValueError` for a source that there is not.
    """

    length: int = 20
    exclude_touched: bool = True
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


@dataclass(frozen=True, eq=False)
class RankedList:
    """One user's list, best first. Scores keep six decimals.

    `whys[k]` is the reason of `items[k]`, `said[k]` float32[len(SOURCES)] what each source said for it, 0
    (nothing) to 1.
    """

    items: list[str]
    scores: list[float]
    whys: list[str]
    said: NDArray[np.float32]
    model: str

    @property
    def sources(self) -> list[dict[str, float]]:
        """By place, what each source that named the item said for it."""
        return [
            {name: value for name, value in zip(SOURCES, values, strict=True) if value}
            for values in self.said.tolist()
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RankedList):
            return NotImplemented
        mine = (self.items, self.scores, self.whys, self.model, self.said.tolist())
        return mine == (other.items, other.scores, other.whys, other.model, other.said.tolist())


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
            users, candidates = self._candidates(states, now_ms, exclude)
            scores = self._scores(users, candidates)
            chosen = select(
                self._shelf.catalogue.arrays, candidates.item, candidates.start, scores, self._settings.length
            )
            lists = self._render(users, candidates, scores, chosen)
            for k, made in enumerate(lists):
                if len(made.items) < self._settings.length:
                    barred = set(exclude[k]) if exclude is not None else set()
                    market, now, hashes = int(users.market[k]), int(users.now[k]), self._hashes(states[k])
                    fill(made.items, self._settings.length, self._shelf, market, now, barred, hashes)
                    lists[k] = _said_for_you(made)
        return lists

    def _candidates(
        self,
        states: Sequence[UserState],
        now_ms: Sequence[int],
        exclude: Sequence[Sequence[str]] | None = None,
    ) -> tuple[UserBatch, Candidates]:
        """What `rank` chooses from. Hold the shelf's lock."""
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
        rows = chosen[chosen >= 0]
        said = candidates.scores[rows]
        items = self._shelf.index.ids_of(candidates.item[rows])
        whys = self._whys(users, candidates, rows, np.argmax(said * self._blend, axis=1))
        # One call rounds the batch: short numbers are quick to write and to read.
        rounded = np.round(scores[rows].astype(np.float64), SCORE_DIGITS).tolist()
        ends = np.cumsum(np.count_nonzero(chosen >= 0, axis=1)).tolist()
        return [
            RankedList(items[a:b], rounded[a:b], whys[a:b], said[a:b], self.model)
            for a, b in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def _whys(
        self, users: UserBatch, candidates: Candidates, rows: NDArray[np.int32], most: NDArray[np.intp]
    ) -> list[str]:
        """The reason of each row; `most` is the source that spoke most for it."""
        anchor, scope = candidates.anchor[rows], candidates.scope[rows].astype(np.int64)
        user, source = candidates.user[rows], SOURCE_KINDS[most]
        # A number per reason, so that each is put into words once: 2 * item + purchased, or below them
        # -2 - scope, and -1 for what has no reason of its own.
        with_item = 2 * users.recent[user, anchor].astype(np.int64) + users.purchased[user, anchor]
        reasons = np.where((source == NEIGHBOURS) & (anchor >= 0), with_item, -1)
        reasons = np.where((source == TRENDS) & (scope >= 0), -2 - scope, reasons).tolist()
        words = {reason: self._in_words(reason) for reason in set(reasons)}
        return [words[reason] for reason in reasons]

    def _in_words(self, reason: int) -> str:
        if reason >= 0:
            return because_of(self._shelf.item_id(reason >> 1), bool(reason & 1))
        return FOR_YOU if reason == -1 else trending_in(self._shelf.scopes.names[-2 - reason])


def _said_for_you(made: RankedList) -> RankedList:
    """What was filled in at the end has no score and no source."""
    more = len(made.items) - len(made.scores)
    return replace(
        made,
        scores=made.scores + [0.0] * more,
        whys=made.whys + [FOR_YOU] * more,
        said=np.concatenate([made.said, np.zeros((more, len(SOURCES)), np.float32)]),
    )
