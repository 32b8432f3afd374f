"""The loop that finds candidates: for each user, all sources write into one score sheet of items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.barred_items import BarredArrays, fill_sieve
from operators.compiled import compiled
from operators.factor_neighbours import FactorArrays
from operators.neighbour_votes import vote_by_factors, vote_by_pairs, vote_by_sessions
from operators.posting_lists import PostingArrays
from operators.ranked_rows import RowArrays
from operators.score_sheet import (
    BARRED,
    COLUMNS,
    COVISIT,
    FACTORS,
    KNN,
    ScoreSheet,
    Screen,
    bring_to_one,
    clean,
    name_best,
)
from operators.session_index import SessionArrays
from operators.session_knn import KnnScratch, nearest_sessions, sessions_held
from operators.shelf_catalogue import CatalogueArrays
from operators.trending_votes import add_everywhere, name_trending


class ShelfView(NamedTuple):
    """The shelf's arrays as they are now."""

    catalogue: CatalogueArrays
    neighbours: RowArrays
    trending: RowArrays
    sessions: SessionArrays
    postings: PostingArrays
    popularity: NDArray[np.float64]
    factors: FactorArrays


class UserView(NamedTuple):
    """What of a `UserBatch` retrieval looks at; `query` float32[m, R] weighs recent items for session-kNN,
    `covisit` float32[R] for the other sources of neighbours."""

    recent: NDArray[np.int32]
    query: NDArray[np.float32]
    covisit: NDArray[np.float32]
    favourite: NDArray[np.int32]
    favourite_share: NDArray[np.float32]
    country: NDArray[np.int32]
    market: NDArray[np.int32]
    now: NDArray[np.int64]
    session: NDArray[np.int64]


class Limits(NamedTuple):
    """How many candidates each source names; see `CandidateSettings`. `session_half_life` in ms."""

    session_knn: int
    covisit: int
    trending: int
    category_trending: int
    factors: int
    newest_sessions: int
    session_half_life: float
    nearness_power: float
    everywhere_weight: float


@compiled
def retrieve(
    shelf: ShelfView,
    users: UserView,
    barred: BarredArrays,
    limits: Limits,
    sheet: ScoreSheet,
    near: KnnScratch,
    most: int,
) -> tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.int8],
    NDArray[np.int32],
]:
    """The columns of `Candidates` for a batch."""
    m = len(users.now)
    user = np.empty(m * most, np.int32)
    item = np.empty(m * most, np.int32)
    scores = np.empty((m * most, COLUMNS), np.float32)
    start = np.zeros(m + 1, np.int32)
    anchor = np.empty(m * most, np.int8)
    scope = np.empty(m * most, np.int32)
    sessions, trending, log_count = shelf.sessions, shelf.trending, shelf.sessions.log_count
    log_held = np.log(max(sessions_held(sessions), 1))
    n = 0
    for k in range(m):
        numbers = barred.number[barred.number_start[k] : barred.number_start[k + 1]]
        hashes = barred.hash[barred.hash_start[k] : barred.hash_start[k + 1]]
        fill_sieve(sheet.sieve, hashes)
        screen = Screen(shelf.catalogue, users.market[k], users.now[k], hashes, sheet.sieve)
        for j in range(len(numbers)):
            sheet.slot[numbers[j]] = BARRED
        recent, country = users.recent[k], users.country[k]
        found = nearest_sessions(
            sessions, shelf.postings, recent, users.query[k], users.session[k], limits.newest_sessions, near
        )
        listed = vote_by_sessions(
            sessions,
            near,
            found,
            users.now[k],
            limits.session_half_life,
            limits.nearness_power,
            log_held,
            sheet,
            0,
        )
        listed = vote_by_pairs(shelf.neighbours, log_count, log_held, recent, users.covisit, sheet, listed)
        listed = vote_by_factors(shelf.factors, recent, users.covisit, sheet, listed)
        named = 0
        for column, limit in (
            (KNN, limits.session_knn),
            (COVISIT, limits.covisit),
            (FACTORS, limits.factors),
        ):
            named = name_best(screen, column, limit, sheet, listed, named)
        listed, named = name_trending(
            trending,
            screen,
            country,
            users.favourite[k],
            users.favourite_share[k],
            limits.everywhere_weight,
            limits.trending,
            limits.category_trending,
            most,
            sheet,
            listed,
            named,
        )
        add_everywhere(trending, shelf.popularity, country, limits.everywhere_weight, sheet, named)
        places = sheet.named[:named]
        for column in range(COLUMNS):
            score = sheet.score[column]
            bring_to_one(score, places)
            for j in range(named):
                scores[n + j, column] = score[places[j]]
        for j in range(named):
            place = places[j]
            user[n], item[n], anchor[n], scope[n] = (
                k,
                sheet.item[place],
                sheet.anchor[place],
                sheet.scope[place],
            )
            n += 1
        start[k + 1] = n
        clean(sheet, listed, numbers)
    return user[:n], item[:n], scores[:n], start, anchor[:n], scope[:n]
