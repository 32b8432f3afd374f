"""The items that may enter a user's list, with what each source says for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.barred_items import BarredItems
from operators.factor_neighbours import FactorNeighbours
from operators.retrieval import Limits, ShelfView, UserView, retrieve
from operators.score_sheet import ScoreSheet, new_sheet
from operators.session_knn import KnnScratch, knn_scratch
from operators.shelf import Shelf
from operators.user_batch import FAVOURITES, RECENT, UserBatch

DAY = 86_400_000.0

SOURCES = ("session_knn", "covisit", "trending", "category_trending", "factors")
"""Where candidates come from, in the order of the columns of `Candidates.scores`."""


@dataclass(frozen=True)
class CandidateSettings:
    """How many candidates each source may name, and from what.

    The query of session-kNN are the user's last `query_items` items, of which the k-th (0 is the newest)
    weighs `query_decay`^k, and one of an earlier session `earlier_session` times that. Of the sessions that
    share an item the `newest_sessions` latest count, and the `nearest_sessions` nearest of these vote: by
    their similarity to the power of `nearness_power`, halved for every `session_half_life` days since their
    last step. Co-visitation looks at the last `covisit_items` items with weights `covisit_decay`^k. Users
    without a country scope, and items that do not trend in it, get their overall trend times
    `everywhere_weight`.
    """

    session_knn: int = 60
    covisit: int = 50
    trending: int = 30
    category_trending: int = 20
    factors: int = 40
    query_items: int = 20
    query_decay: float = 0.97
    earlier_session: float = 0.35
    newest_sessions: int = 500
    nearest_sessions: int = 150
    session_half_life: float = 60.0
    nearness_power: float = 1.5
    covisit_items: int = 10
    covisit_decay: float = 0.9
    everywhere_weight: float = 0.5

    @property
    def most(self) -> int:
        """Candidates of a user at most."""
        return self.session_knn + self.covisit + self.trending + self.category_trending + self.factors


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of a batch of m users as n rows, all rows of a user together and users in the batch's order.

    `user` int32[n] is the place of the user in the batch, `item` int32[n] the number of the item on the
    shelf. `scores` float32[n, len(SOURCES)] is what each source says for the item, from 0 (nothing) to 1
    (its best for this user). `start` int32[m + 1] bounds the rows of each user. `anchor` int8[n] is the place
    among the user's recent items of the one that the item goes with best, and `scope` int32[n] the number of
    the scope in which it trends (-1: none).
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    scores: NDArray[np.float32]
    start: NDArray[np.int32]
    anchor: NDArray[np.int8]
    scope: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.item)


class CandidateFinder:
    """Finds candidates for batches of users. Keeps working memory between calls, so one thread at a time.

    An item is a candidate only while it may be shown to the user (`may_show`) and is not barred.
    """

    def __init__(self, shelf: Shelf, settings: CandidateSettings, factors: FactorNeighbours) -> None:
        self._shelf = shelf
        self._settings = settings
        self._factors = factors
        self._query = settings.query_decay ** np.arange(RECENT, dtype=np.float32)
        self._query[settings.query_items :] = 0.0
        self._covisit = (settings.covisit_decay ** np.arange(RECENT)).astype(np.float32)
        self._covisit[settings.covisit_items :] = 0.0
        self._limits = Limits(
            session_knn=settings.session_knn,
            covisit=settings.covisit,
            trending=settings.trending,
            category_trending=settings.category_trending,
            factors=settings.factors,
            newest_sessions=settings.newest_sessions,
            session_half_life=settings.session_half_life * DAY,
            nearness_power=settings.nearness_power,
            everywhere_weight=settings.everywhere_weight,
        )
        self._scratch: tuple[ScoreSheet, KnnScratch] | None = None

    def find(self, users: UserBatch, barred: BarredItems) -> Candidates:
        """The candidates of a batch. Hold the shelf's lock."""
        shelf, settings = self._shelf, self._settings
        query = np.where(users.in_session, self._query, settings.earlier_session * self._query)
        found = retrieve(
            ShelfView(
                shelf.catalogue.arrays,
                shelf.neighbours.arrays,
                shelf.trending.arrays,
                shelf.sessions.arrays,
                shelf.sessions.postings.arrays,
                shelf.popularity,
                self._factors.numbered(shelf),
            ),
            UserView(
                users.recent,
                query.astype(np.float32),
                self._covisit,
                users.favourite,
                users.favourite_share,
                users.country,
                users.market,
                users.now,
                users.session,
            ),
            barred.arrays,
            self._limits,
            *self._scratch_for(shelf),
            settings.most,
        )
        return Candidates(*found)

    def _scratch_for(self, shelf: Shelf) -> tuple[ScoreSheet, KnnScratch]:
        """Working memory that fits the arrays of the shelf as they are now."""
        items, rows = len(shelf.popularity), len(shelf.sessions.arrays.length)
        if self._scratch is None or (len(self._scratch[0].slot), len(self._scratch[1].slot)) != (items, rows):
            nearest, bounds = self._settings.nearest_sessions, shelf.bounds
            listed = (
                nearest * bounds.session_items
                + RECENT * (bounds.neighbours + self._factors.width)
                + (2 + FAVOURITES) * bounds.trending
            )
            longest = int(shelf.sessions.postings.arrays.longest[0])
            self._scratch = (
                new_sheet(items, max(min(items, listed), self._settings.most)),
                knn_scratch(rows, min(rows, RECENT * longest), nearest),
            )
        return self._scratch
