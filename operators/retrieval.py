"""The loops that find candidates: for each user, all sources write into one score sheet of items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.barred_items import SIEVE_WORDS, BarredArrays, fill_sieve, is_hashed
from operators.best_of import keep_best, would_keep
from operators.compiled import compiled
from operators.factor_neighbours import FactorArrays
from operators.posting_lists import PostingArrays
from operators.ranked_rows import RowArrays
from operators.session_index import SessionArrays
from operators.session_knn import KnnScratch, knn_scratch, nearest_sessions, rarity, sessions_held
from operators.shelf_catalogue import CatalogueArrays, may_show

KNN, COVISIT, TRENDING, CATEGORY, FACTORS = range(5)
COLUMNS = 5

UNSEEN, SEEN, NAMED, REFUSED = range(4)


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


class Screen(NamedTuple):
    """What decides whether one user may be shown an item."""

    catalogue: CatalogueArrays
    market: int
    now: int
    hashes: NDArray[np.uint32]
    sieve: NDArray[np.uint64]


class Limits(NamedTuple):
    """How many candidates each source names; see `CandidateSettings`."""

    session_knn: int
    covisit: int
    trending: int
    category_trending: int
    factors: int
    newest_sessions: int
    session_half_life: float
    nearness_power: float
    everywhere_weight: float


class Scratch(NamedTuple):
    """The score sheet, clean between users: `score` float32[I, 5], `seen` uint8[I], `anchor` int8[I], `gain`
    float32[I], `scope` int32[I]; `listed` int32[I] are the items on it, in the order in which they came."""

    score: NDArray[np.float32]
    seen: NDArray[np.uint8]
    anchor: NDArray[np.int8]
    gain: NDArray[np.float32]
    scope: NDArray[np.int32]
    listed: NDArray[np.int32]
    named: NDArray[np.int32]
    heap_score: NDArray[np.float32]
    heap_order: NDArray[np.int64]
    heap_item: NDArray[np.int64]
    sieve: NDArray[np.uint64]
    knn: KnnScratch


def new_scratch(items: int, rows: int, met: int, nearest: int, most: int) -> Scratch:
    """Working memory for so many items, session rows, postings of a query, neighbours and candidates."""
    return Scratch(
        np.zeros((items, COLUMNS), np.float32),
        np.zeros(items, np.uint8),
        np.full(items, -1, np.int8),
        np.zeros(items, np.float32),
        np.full(items, -1, np.int32),
        np.zeros(items, np.int32),
        np.zeros(most, np.int32),
        np.zeros(most, np.float32),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(SIEVE_WORDS, np.uint64),
        knn_scratch(rows, met, nearest),
    )


@compiled
def retrieve(
    shelf: ShelfView, users: UserView, barred: BarredArrays, limits: Limits, scratch: Scratch, most: int
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
    n = 0
    for k in range(m):
        numbers = barred.number[barred.number_start[k] : barred.number_start[k + 1]]
        hashes = barred.hash[barred.hash_start[k] : barred.hash_start[k + 1]]
        fill_sieve(scratch.sieve, hashes)
        screen = Screen(shelf.catalogue, users.market[k], users.now[k], hashes, scratch.sieve)
        listed = _refuse(numbers, scratch)
        listed = _add_sessions(shelf, users, k, limits, scratch, listed)
        listed = _add_covisits(shelf, users, k, scratch, listed)
        listed = _add_factors(shelf.factors, users, k, scratch, listed)
        named = 0
        for column, limit in (
            (KNN, limits.session_knn),
            (COVISIT, limits.covisit),
            (FACTORS, limits.factors),
        ):
            named = _name_best(screen, column, limit, scratch, listed, named)
        listed, named = _name_trending(shelf, users, k, screen, limits, scratch, listed, named)
        listed, named = _name_favourites(shelf, users, k, screen, limits, scratch, listed, named)
        _add_everywhere(shelf, users.country[k], limits, scratch, named)
        for column in range(COLUMNS):
            _bring_to_one(column, scratch, named)
        for j in range(named):
            number = scratch.named[j]
            user[n], item[n], anchor[n], scope[n] = k, number, scratch.anchor[number], scratch.scope[number]
            scores[n] = scratch.score[number]
            n += 1
        start[k + 1] = n
        _clean(scratch, listed)
    return user[:n], item[:n], scores[:n], start, anchor[:n], scope[:n]


@compiled
def _list(seen: NDArray[np.uint8], listed_items: NDArray[np.int32], item: int, listed: int) -> int:
    """Put an item on the sheet, once; how many are on it."""
    if seen[item] == UNSEEN:
        seen[item] = SEEN
        listed_items[listed] = item
        return listed + 1
    return listed


@compiled
def _refuse(numbers: NDArray[np.int32], scratch: Scratch) -> int:
    listed = 0
    for k in range(len(numbers)):
        listed = _list(scratch.seen, scratch.listed, numbers[k], listed)
        scratch.seen[numbers[k]] = REFUSED
    return listed


@compiled
def _add_sessions(
    shelf: ShelfView, users: UserView, k: int, limits: Limits, scratch: Scratch, listed: int
) -> int:
    sessions = shelf.sessions
    found = nearest_sessions(
        sessions,
        shelf.postings,
        users.recent[k],
        users.query[k],
        users.session[k],
        limits.newest_sessions,
        scratch.knn,
    )
    first = listed
    for near in range(found):
        row = scratch.knn.best_row[near]
        age = max(users.now[k] - sessions.last[row], 0)
        vote = scratch.knn.best_score[near] ** limits.nearness_power * 2.0 ** (
            -age / limits.session_half_life
        )
        for j in range(sessions.length[row]):
            item = sessions.item[row, j]
            if item < 0 or scratch.seen[item] == REFUSED:
                continue
            listed = _list(scratch.seen, scratch.listed, item, listed)
            scratch.score[item, KNN] += vote
            if scratch.anchor[item] < 0:
                scratch.anchor[item] = scratch.knn.newest_shared[row]
    log_held = np.log(max(sessions_held(sessions), 1))
    for j in range(first, listed):
        item = scratch.listed[j]
        scratch.score[item, KNN] *= rarity(sessions.log_count, item, log_held)
    return listed


@compiled
def _add_covisits(shelf: ShelfView, users: UserView, k: int, scratch: Scratch, listed: int) -> int:
    rows, log_count = shelf.neighbours, shelf.sessions.log_count
    log_held = np.log(max(sessions_held(shelf.sessions), 1))
    for j in range(users.recent.shape[1]):
        seed = users.recent[k, j]
        if seed < 0 or users.covisit[j] <= 0.0:
            break
        for place in range(rows.filled[seed]):
            item = rows.member[seed, place]
            if scratch.seen[item] == REFUSED:
                continue
            strength = np.exp(rows.score[seed, place] - rows.score[seed, 0])
            gain = users.covisit[j] * strength * rarity(log_count, item, log_held)
            listed = _list(scratch.seen, scratch.listed, item, listed)
            scratch.score[item, COVISIT] += gain
            if gain > scratch.gain[item]:
                scratch.gain[item] = gain
                scratch.anchor[item] = j
    return listed


@compiled
def _add_factors(factors: FactorArrays, users: UserView, k: int, scratch: Scratch, listed: int) -> int:
    for j in range(users.recent.shape[1]):
        seed = users.recent[k, j]
        if seed < 0 or users.covisit[j] <= 0.0:
            break
        row = factors.row[seed] if seed < len(factors.row) else -1
        if row < 0:
            continue
        for place in range(factors.neighbours.shape[1]):
            neighbour = factors.neighbours[row, place]
            if neighbour < 0:
                break
            item = factors.number[neighbour]
            if item < 0 or scratch.seen[item] == REFUSED:
                continue
            listed = _list(scratch.seen, scratch.listed, item, listed)
            scratch.score[item, FACTORS] += users.covisit[j] * factors.scores[row, place]
            if scratch.anchor[item] < 0:
                scratch.anchor[item] = j
    return listed


@compiled
def _allowed(screen: Screen, seen: NDArray[np.uint8], item: int) -> bool:
    """Whether an item on the sheet may be named; one that may not is marked, to be judged once."""
    if seen[item] == NAMED:
        return True
    if seen[item] == REFUSED:
        return False
    hashes = screen.hashes
    hashed = len(hashes) > 0 and is_hashed(screen.sieve, hashes, screen.catalogue.id_hash[item])
    if hashed or not may_show(screen.catalogue, item, screen.market, screen.now):
        seen[item] = REFUSED
        return False
    return True


@compiled
def _name(seen: NDArray[np.uint8], named_items: NDArray[np.int32], item: int, named: int) -> int:
    if seen[item] == NAMED:
        return named
    seen[item] = NAMED
    named_items[named] = item
    return named + 1


@compiled
def _name_best(
    screen: Screen,
    column: int,
    limit: int,
    scratch: Scratch,
    listed: int,
    named: int,
) -> int:
    heap_score, heap_order = scratch.heap_score[:limit], scratch.heap_order[:limit]
    held = 0
    for j in range(listed):
        item = scratch.listed[j]
        score = scratch.score[item, column]
        if score <= 0.0 or limit == 0 or not would_keep(heap_score, heap_order, held, score, -j):
            continue
        if _allowed(screen, scratch.seen, item):
            held = keep_best(heap_score, heap_order, scratch.heap_item, held, score, -j, item)
    for j in range(held):
        named = _name(scratch.seen, scratch.named, scratch.heap_item[j], named)
    return named


@compiled
def _name_scope(
    rows: RowArrays,
    screen: Screen,
    scope: int,
    column: int,
    base: float,
    weight: float,
    limit: int,
    scratch: Scratch,
    listed: int,
    named: int,
) -> tuple[int, int]:
    """Name the first `limit` items that trend in a scope; each scores `base` plus up to `weight`."""
    taken = 0
    for place in range(rows.filled[scope]):
        if taken == limit:
            break
        item = rows.member[scope, place]
        listed = _list(scratch.seen, scratch.listed, item, listed)
        if not _allowed(screen, scratch.seen, item):
            continue
        taken += 1
        named = _name(scratch.seen, scratch.named, item, named)
        score = base + weight * np.exp(rows.score[scope, place] - rows.score[scope, 0])
        if score > scratch.score[item, column]:
            scratch.score[item, column] = score
            scratch.scope[item] = scope
    return listed, named


@compiled
def _name_trending(
    shelf: ShelfView,
    users: UserView,
    k: int,
    screen: Screen,
    limits: Limits,
    scratch: Scratch,
    listed: int,
    named: int,
) -> tuple[int, int]:
    """The user's country first; overall where it has too little."""
    before = named
    country = users.country[k]
    if country >= 0 and country < len(shelf.trending.filled):
        base = limits.everywhere_weight
        listed, named = _name_scope(
            shelf.trending,
            screen,
            country,
            TRENDING,
            base,
            1.0 - base,
            limits.trending,
            scratch,
            listed,
            named,
        )
    left = limits.trending - (named - before)
    if left > 0:
        weight = limits.everywhere_weight if named > before else 1.0
        listed, named = _name_scope(
            shelf.trending, screen, 0, TRENDING, 0.0, weight, left, scratch, listed, named
        )
    return listed, named


@compiled
def _name_favourites(
    shelf: ShelfView,
    users: UserView,
    k: int,
    screen: Screen,
    limits: Limits,
    scratch: Scratch,
    listed: int,
    named: int,
) -> tuple[int, int]:
    for j in range(users.favourite.shape[1]):
        scope = users.favourite[k, j]
        if scope < 0 or scope >= len(shelf.trending.filled):
            continue
        share = users.favourite_share[k, j]
        limit = int(np.ceil(share * limits.category_trending))
        limit = min(limit, len(scratch.named) - named)
        listed, named = _name_scope(
            shelf.trending, screen, scope, CATEGORY, 0.0, share, limit, scratch, listed, named
        )
    return listed, named


@compiled
def _add_everywhere(shelf: ShelfView, country: int, limits: Limits, scratch: Scratch, named: int) -> None:
    """Let the overall trend speak for every candidate, whoever named it."""
    rows = shelf.trending
    if rows.filled[0] == 0:
        return
    weight = limits.everywhere_weight if 0 <= country < len(rows.filled) and rows.filled[country] else 1.0
    for j in range(named):
        item = scratch.named[j]
        score = weight * np.exp(shelf.popularity[item] - rows.score[0, 0])
        if score > scratch.score[item, TRENDING]:
            scratch.score[item, TRENDING] = score
            if scratch.scope[item] < 0:
                scratch.scope[item] = 0


@compiled
def _bring_to_one(column: int, scratch: Scratch, named: int) -> None:
    greatest = np.float32(0.0)
    for j in range(named):
        greatest = max(greatest, scratch.score[scratch.named[j], column])
    if greatest > 0.0:
        for j in range(named):
            scratch.score[scratch.named[j], column] /= greatest


@compiled
def _clean(scratch: Scratch, listed: int) -> None:
    for j in range(listed):
        item = scratch.listed[j]
        scratch.score[item] = 0.0
        scratch.seen[item] = UNSEEN
        scratch.anchor[item] = -1
        scratch.gain[item] = 0.0
        scratch.scope[item] = -1
