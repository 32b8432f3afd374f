"""The items that may enter a user's list, with what each source says for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from operators.arrival_votes import Freshness
from operators.barred_items import BarredItems
from operators.due_items import due_items
from operators.factor_neighbours import FactorNeighbours
from operators.favourites import favourites
from operators.past_items import with_past
from operators.retrieval import Limits, ShelfView, UserView, retrieve
from operators.score_sheet import ScoreSheet, new_sheet
from operators.second_hop import SecondHop
from operators.session_knn import MOST_QUERY, KnnScratch, knn_scratch
from operators.shelf import Shelf
from operators.user_batch import FAVOURITES, RECENT, UserBatch

DAY = 86_400_000.0

_MOST_KEPT = 4_096
"""Settings of experiments of which is remembered how many candidates they name."""

SOURCES = (
    "session_knn",
    "covisit",
    "trending",
    "category_trending",
    "factors",
    "similar",
    "bought_together",
    "view_to_buy",
    "again",
    "new_arrivals",
    "embedded",
)
"""Where candidates come from, in the order of the columns of `Candidates.scores`."""


_ALONE = frozenset(SOURCES[4:])
"""Sources whose column no other one writes: where such a source is off, its column stays clean."""


@dataclass(frozen=True)
class CandidateSettings:
    """How many candidates each source may name, and from what. 0 switches a source off: it says nothing at all.

    The query of session-kNN are the user's last `query_items` items. One that was touched k steps ago (0: at
    the newest time; items of one time are of one step) weighs its rarity times `query_decay`^k, and
    `earlier_session` times that if it is of an earlier session. Where the session is over, the query are the last
    `visit_items` items that the record remembers, each by its rarity; 0: as if the session went on. Of the sessions
    that share an item the `newest_sessions` latest count, and the `nearest_sessions` nearest of these vote: by their
    similarity to the power of `nearness_power`, halved for every `session_half_life` days since their last step. What
    they hold d > 1 steps away from the newest shared item gets exp((1 - d) / `session_reach`) of their vote, and
    that item itself `returning` times it: it matters where lists may hold what the user touched.
    Co-visitation looks at the last `covisit_items` items with weights `covisit_decay`^k. Where fewer than
    `second_hop_below` items came up, co-visitation of the best `second_hop_seeds` of them names up to
    `second_hop` more, of which the best counts `second_hop_weight`. Users without a country scope, and items
    that do not trend in it, get their overall trend times `everywhere_weight`. Items of like text count by the
    cosine, of an item that `few_sessions` sessions hold half, and of one that ten times as many hold not at
    all: their buyers tell more than their titles; and so for the nearest by embeddings, `embedded`. `bought_together`
    and `view_to_buy` count as co-visitation does, of lines of one order, and of what was bought after a look at an
    item. `again` names what the user bought and should be buying again now, whatever lists may hold of it; it scores at
    least `again_least`, an item's category counting as much as `again_prior` of its purchases. `new_arrivals` are of
    the user's favourite categories, halved for every `novelty_half_life` days since they came; what trends gets
    `novelty` times its score more on the day it comes, halved likewise. With `expected_categories`, favourite
    categories are also those where the stream's model expects the user: as if so many events of theirs had been there.
    At most `folded_items` items that a bundle lacks are folded into its factors (`FactorFoldIn`); 0: none.
    """

    session_knn: int = 60
    covisit: int = 50
    trending: int = 30
    category_trending: int = 20
    factors: int = 40
    similar: int = 20
    bought_together: int = 0
    view_to_buy: int = 0
    again: int = 0
    new_arrivals: int = 0
    embedded: int = 0
    query_items: int = 20
    query_decay: float = 0.65
    earlier_session: float = 0.35
    visit_items: int = MOST_QUERY
    newest_sessions: int = 500
    nearest_sessions: int = 150
    session_half_life: float = 20.0
    nearness_power: float = 1.0
    session_reach: float = 3.0
    returning: float = 3.0
    covisit_items: int = 10
    covisit_decay: float = 0.5
    second_hop: int = 20
    second_hop_seeds: int = 10
    second_hop_below: int = 100
    second_hop_weight: float = 0.4
    everywhere_weight: float = 0.5
    few_sessions: float = 2.0
    again_least: float = 0.05
    again_prior: float = 5.0
    novelty: float = 0.0
    novelty_half_life: float = 7.0
    expected_categories: float = 0.0
    folded_items: int = 0

    def __post_init__(self) -> None:
        if not self.session_reach > 0.0:
            raise ValueError(f"session_reach of {self.session_reach} steps; it must be more than 0")
        if not 0 <= self.visit_items <= MOST_QUERY:
            raise ValueError(f"visit_items is {self.visit_items}; it must be from 0 to {MOST_QUERY}")
        if not 0.0 <= self.expected_categories <= 1_000.0:
            raise ValueError(
                f"expected_categories of {self.expected_categories} events; it must be from 0 to 1000"
            )
        if not self.novelty_half_life > 0.0:
            raise ValueError(f"novelty_half_life of {self.novelty_half_life} days; it must be more than 0")

    @property
    def most(self) -> int:
        """Candidates of a user at most."""
        by_items = self.session_knn + self.covisit + self.second_hop + self.factors + self.similar
        by_purchases = self.bought_together + self.view_to_buy + self.again
        # What novelty lifts is named beside the others.
        trending = (self.trending + self.category_trending) * (2 if self.novelty > 0.0 else 1)
        return by_items + by_purchases + self.new_arrivals + self.embedded + trending


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of a batch of m users as n rows, all rows of a user together and users in the batch's order.

    `user` int32[n] is the place of the user in the batch, `item` int32[n] the number of the item on the
    shelf. `scores` float32[n, len(SOURCES)] is what each source says for the item, from 0 (nothing) to 1
    (its best for this user; of `similar` at most a cosine). `start` int32[m + 1] bounds the rows of each
    user. `anchor` int8[n] is the place among the user's recent items of the one that the item goes with best,
    and `scope` int32[n] the number of the scope in which it trends (-1: none).
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

    An item is a candidate only while it may be shown to the user (`may_show`) and is not barred. `adapt` is what it
    makes of settings, those of experiments too, of which how many each source names counts.
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: CandidateSettings,
        factors: FactorNeighbours,
        adapt: Callable[[CandidateSettings], CandidateSettings] = lambda settings: settings,
    ) -> None:
        settings = adapt(settings)
        self._shelf = shelf
        self._settings = settings
        self._factors = factors
        self._named_by = lru_cache(_MOST_KEPT)(lambda other: _named(adapt(other)))
        self._limits = Limits(
            *_columns([_named(settings)], factors),
            newest_sessions=settings.newest_sessions,
            session_half_life=settings.session_half_life * DAY,
            nearness_power=settings.nearness_power,
            fade=_fade(settings, shelf.bounds.session_items),
            second=settings.second_hop,
            hop=SecondHop(settings.second_hop_seeds, settings.second_hop_below, settings.second_hop_weight),
            everywhere_weight=settings.everywhere_weight,
            few_sessions=settings.few_sessions,
            arrived=Freshness(1.0, settings.novelty_half_life * DAY),
            novelty=Freshness(settings.novelty, settings.novelty_half_life * DAY),
        )
        self._scratch: tuple[ScoreSheet, KnnScratch] | None = None
        self._scratch_fits: tuple[int, ...] = ()
        self._room = (0, 0)

    def find(
        self, users: UserBatch, barred: BarredItems, anew: NDArray[np.bool_] | None = None
    ) -> Candidates:
        """The candidates of a batch, of which the lists `anew`, bool[m], are for a new visit; None: no list is.

        Hold the shelf's lock.
        """
        shelf, settings = self._shelf, self._settings
        steps = _steps_ago(users)
        query = _decayed(settings.query_decay, steps, settings.query_items)
        query[~users.in_session] *= np.float32(settings.earlier_session)
        asks, query = with_past(users, query, shelf, anew, settings.visit_items)
        covisit = _decayed(settings.covisit_decay, steps, settings.covisit_items)
        limits, row = self._limits_of(users)
        again = int(limits.named[:, SOURCES.index("again")].max())
        favourite, share = favourites(users, shelf, settings.expected_categories)
        found = retrieve(
            ShelfView(
                shelf.catalogue.arrays,
                shelf.neighbours.arrays,
                shelf.trending.arrays,
                shelf.sessions.arrays,
                shelf.sessions.postings.arrays,
                shelf.popularity,
                self._factors.numbered(shelf),
                shelf.content.neighbours.arrays,
                shelf.together.arrays,
                shelf.then_bought.arrays,
                shelf.embedded.neighbours.arrays,
                shelf.new_items.arrays,
            ),
            UserView(
                users.recent,
                asks,
                query,
                covisit,
                np.where(users.purchased, np.float32(0.0), covisit),
                favourite,
                share,
                users.country,
                users.market,
                users.now,
                users.session,
                due_items(users.states, users.now, shelf, settings.again_least, settings.again_prior, again),
                row,
            ),
            barred.arrays,
            limits,
            *self._scratch_for(shelf, again, int(limits.most.max())),
        )
        return Candidates(*found)

    def _limits_of(self, users: UserBatch) -> tuple[Limits, NDArray[np.int32]]:
        """The limits of a batch, and int32[m] which row of them counts for each user."""
        treated = users.treated
        if treated is None:
            return self._limits, np.zeros(len(users), np.int32)
        rows = [self._named_by(each.settings.candidates) for each in treated.treatments]
        named, most, used = _columns(rows, self._factors)
        return self._limits._replace(named=named, most=most, used=used), treated.row

    def _scratch_for(self, shelf: Shelf, again: int, most: int) -> tuple[ScoreSheet, KnnScratch]:
        """Working memory that fits the arrays of the shelf as they are now, and so many items named again and all."""
        items, rows = len(shelf.popularity), len(shelf.sessions.arrays.length)
        self._room = max(self._room[0], again), max(self._room[1], most)
        fits = (items, rows, *self._room)
        if self._scratch is None or self._scratch_fits != fits:
            again, most = self._room
            self._scratch_fits = fits
            nearest, bounds = self._settings.nearest_sessions, shelf.bounds
            listed = (
                nearest * bounds.session_items
                + (RECENT + self._settings.second_hop_seeds) * bounds.neighbours
                + RECENT * (self._factors.width + 2 * bounds.similar + 2 * bounds.bought)
                + bounds.new_items
                + again
                + (2 + FAVOURITES) * bounds.trending
            )
            longest = int(shelf.sessions.postings.arrays.longest[0])
            self._scratch = (
                new_sheet(items, max(min(items, listed), most)),
                knn_scratch(rows, min(rows, MOST_QUERY * longest), nearest),
            )
        return self._scratch


def _named(settings: CandidateSettings) -> list[int]:
    """How many candidates each source names, in the order of `SOURCES`, and behind them how many all of them may."""
    return [*(int(getattr(settings, source)) for source in SOURCES), settings.most]


def _columns(
    named: list[list[int]], factors: FactorNeighbours
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The columns `named`, `most` and `used` of `Limits`; arrays of another layout would have the loop compiled anew.

    Used are those of sources that are on for any row, and have something to speak from.
    """
    asked = np.array([row[:-1] for row in named], np.int64)
    on = {source for source, most in zip(SOURCES, asked.max(axis=0).tolist(), strict=True) if most}
    if factors.is_empty:
        on.discard("factors")
    used = [column for column, source in enumerate(SOURCES) if source in on or source not in _ALONE]
    return asked, np.array([row[-1] for row in named], np.int64), np.array(used, np.int64)


def _steps_ago(users: UserBatch) -> NDArray[np.int64]:
    """int64[m, RECENT]: how many later times there are at which the user touched a recent item."""
    ages = users.age_hours
    steps = np.zeros(ages.shape, np.int64)
    np.cumsum(ages[:, 1:] != ages[:, :-1], axis=1, out=steps[:, 1:])
    return steps


def _decayed(decay: float, steps: NDArray[np.int64], most: int) -> NDArray[np.float32]:
    """The weights decay^steps of the first `most` recent items, 0 for the rest."""
    weights: NDArray[np.float32] = (decay ** np.arange(RECENT)).astype(np.float32)[steps]
    weights[:, most:] = 0.0
    return weights


def _fade(settings: CandidateSettings, session_items: int) -> NDArray[np.float32]:
    """What a neighbour's vote is worth by distance from the newest shared item; see `vote_by_sessions`."""
    away = np.arange(max(session_items, 2))
    fade: NDArray[np.float32] = np.exp((1.0 - away) / settings.session_reach).astype(np.float32)
    fade[0] = settings.returning
    return fade
