"""The loop that finds candidates: for each user, all sources write into one score sheet of items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.arrival_votes import Freshness, vote_by_arrival
from operators.barred_items import BarredArrays, fill_sieve
from operators.compiled import compiled
from operators.content_votes import vote_by_texts
from operators.due_items import DueItems, name_due
from operators.factor_neighbours import FactorArrays
from operators.neighbour_votes import vote_by_factors, vote_by_pairs, vote_by_sessions
from operators.new_items import ArrivalArrays
from operators.posting_lists import PostingArrays
from operators.ranked_rows import RowArrays
from operators.score_sheet import (
    AGAIN,
    ARRIVED,
    BARRED,
    CATEGORY,
    COLUMNS,
    COVISIT,
    EMBEDDED,
    FACTORS,
    KNN,
    SIMILAR,
    THEN_BOUGHT,
    TOGETHER,
    TRENDING,
    ScoreSheet,
    Screen,
    bring_to_one,
    clean,
    name_best,
)
from operators.second_hop import SecondHop, vote_by_second_hop
from operators.session_index import SessionArrays
from operators.session_knn import KnnScratch, nearest_sessions, rarity, sessions_held
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
    similar: RowArrays
    together: RowArrays
    then_bought: RowArrays
    embedded: RowArrays
    arrived: ArrivalArrays


class UserView(NamedTuple):
    """What of a `UserBatch` retrieval looks at; `asks` int32[m, Q] are the items that ask session-kNN, first
    the recent ones, and `query` float32[m, Q] is what each weighs. `covisit` float32[m, R] weighs recent items for the
    other sources of neighbours, `viewed` float32[m, R] those that the user did not buy.
    `due` are items to be bought again. `row` int32[m] is the row of `Limits` that counts for a user."""

    recent: NDArray[np.int32]
    asks: NDArray[np.int32]
    query: NDArray[np.float32]
    covisit: NDArray[np.float32]
    viewed: NDArray[np.float32]
    favourite: NDArray[np.int32]
    favourite_share: NDArray[np.float32]
    country: NDArray[np.int32]
    market: NDArray[np.int32]
    now: NDArray[np.int64]
    session: NDArray[np.int64]
    due: DueItems
    row: NDArray[np.int32]


class Limits(NamedTuple):
    """How many candidates each source names, `named` int64[R, COLUMNS], and all of them, `most` int64[R]; most users
    are of row 0, those of a variant of an experiment may have another. `used` int64[U] are the columns that a source
    may write for any of them: the others stay clean, and are not looked at. See `CandidateSettings` for the rest.
    `session_half_life` in ms, `fade` as in `vote_by_sessions`, `novelty` and `arrived` hold half-lives in ms. `second`
    are named more by co-visitation where it took a second hop."""

    named: NDArray[np.int64]
    most: NDArray[np.int64]
    used: NDArray[np.int64]
    newest_sessions: int
    session_half_life: float
    nearness_power: float
    fade: NDArray[np.float32]
    second: int
    hop: SecondHop
    everywhere_weight: float
    few_sessions: float
    arrived: Freshness
    novelty: Freshness


@compiled
def retrieve(
    shelf: ShelfView,
    users: UserView,
    barred: BarredArrays,
    limits: Limits,
    sheet: ScoreSheet,
    near: KnnScratch,
) -> tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.int8],
    NDArray[np.int32],
]:
    """The columns of `Candidates` for a batch. Writes to `users.query`: an item asks the more the rarer it is."""
    m, most = len(users.now), limits.most.max()
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
        asked = limits.named[users.row[k]]
        numbers = barred.number[barred.number_start[k] : barred.number_start[k + 1]]
        hashes = barred.hash[barred.hash_start[k] : barred.hash_start[k + 1]]
        fill_sieve(sheet.sieve, hashes)
        screen = Screen(shelf.catalogue, users.market[k], users.now[k], hashes, sheet.sieve)
        for j in range(len(numbers)):
            sheet.slot[numbers[j]] = BARRED
        recent, country = users.recent[k], users.country[k]
        asks = users.asks[k]
        for j in range(len(asks)):
            if asks[j] >= 0:
                users.query[k, j] *= rarity(log_count, asks[j], log_held)
        found = nearest_sessions(
            sessions,
            shelf.postings,
            asks,
            users.query[k],
            users.session[k],
            limits.newest_sessions if asked[KNN] else 0,
            near,
        )
        listed = vote_by_sessions(
            sessions,
            near,
            found,
            asks,
            recent,
            users.now[k],
            limits.session_half_life,
            limits.nearness_power,
            limits.fade,
            log_held,
            sheet,
            0,
        )
        covisit = users.covisit[k]
        # A source whose limit is 0 is not asked, so it says nothing for what others name either.
        if asked[COVISIT]:
            listed = vote_by_pairs(
                shelf.neighbours, COVISIT, log_count, log_held, recent, covisit, sheet, listed
            )
        if asked[FACTORS]:
            listed = vote_by_factors(shelf.factors, recent, covisit, sheet, listed)
        near_by = listed
        listed = vote_by_second_hop(shelf.neighbours, log_count, log_held, limits.hop, screen, sheet, listed)
        second = limits.second if listed > near_by else 0
        if asked[SIMILAR]:
            listed = vote_by_texts(
                shelf.similar, SIMILAR, sessions.holders, recent, covisit, limits.few_sessions, sheet, listed
            )
        if asked[EMBEDDED]:
            listed = vote_by_texts(
                shelf.embedded,
                EMBEDDED,
                sessions.holders,
                recent,
                covisit,
                limits.few_sessions,
                sheet,
                listed,
            )
        if asked[TOGETHER]:
            listed = vote_by_pairs(
                shelf.together, TOGETHER, log_count, log_held, recent, covisit, sheet, listed
            )
        if asked[THEN_BOUGHT]:
            listed = vote_by_pairs(
                shelf.then_bought, THEN_BOUGHT, log_count, log_held, recent, users.viewed[k], sheet, listed
            )
        if asked[ARRIVED]:
            listed = vote_by_arrival(
                shelf.arrived,
                shelf.catalogue.scope,
                users.favourite[k],
                users.favourite_share[k],
                users.now[k],
                limits.arrived,
                sheet,
                listed,
            )
        listed, named = name_due(users.due, k, asked[AGAIN], screen, sheet, listed)
        for column, limit in (
            (KNN, asked[KNN]),
            (COVISIT, asked[COVISIT] + second),
            (FACTORS, asked[FACTORS]),
            (SIMILAR, asked[SIMILAR]),
            (EMBEDDED, asked[EMBEDDED]),
            (TOGETHER, asked[TOGETHER]),
            (THEN_BOUGHT, asked[THEN_BOUGHT]),
            (ARRIVED, asked[ARRIVED]),
        ):
            named = name_best(screen, column, limit, sheet, listed, named)
        listed, named = name_trending(
            trending,
            screen,
            country,
            users.favourite[k],
            users.favourite_share[k],
            limits.everywhere_weight,
            shelf.arrived,
            users.now[k],
            limits.novelty,
            asked[TRENDING],
            asked[CATEGORY],
            limits.most[users.row[k]],
            sheet,
            listed,
            named,
        )
        if asked[TRENDING]:
            add_everywhere(trending, shelf.popularity, country, limits.everywhere_weight, sheet, named)
        places = sheet.named[:named]
        if len(limits.used) < COLUMNS:
            scores[n : n + named] = 0.0
        for column in limits.used:
            score = sheet.score[column]
            # What texts say of well-known items is little, and is to stay so where it is all they say; and so for
            # what is hardly due, or has come long ago.
            if column not in (SIMILAR, EMBEDDED, AGAIN, ARRIVED):
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
        clean(sheet, limits.used, listed, numbers)
    return user[:n], item[:n], scores[:n], start, anchor[:n], scope[:n]
