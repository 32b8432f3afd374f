"""The items that came up for one user, with what each source says for them: one column per source.

An item gets a place on the sheet when it first comes up. Places are dense, so that what is looked at again
and again stays in the processor's cache however many items the shelf holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.barred_items import SIEVE_WORDS, is_hashed
from operators.best_of import keep_best, would_keep
from operators.compiled import compiled_in_place
from operators.shelf_catalogue import CatalogueArrays, may_show

KNN, COVISIT, TRENDING, CATEGORY, FACTORS, SIMILAR, TOGETHER, THEN_BOUGHT, AGAIN, ARRIVED, EMBEDDED = range(
    11
)
COLUMNS = 11

BARRED = -1
OPEN, NAMED, REFUSED = range(3)

LAST_PLACE = 0x7FFF_FFFF


class ScoreSheet(NamedTuple):
    """`slot` int32[I] gives the place of an item number, counted from 1 (0: none yet, -1: it is barred).

    By place: `item` int32[N], `score` float32[COLUMNS, N], `state` uint8[N] (open, named as a candidate, or
    refused), `anchor` int8[N] and `gain` float32[N] (the recent item that it goes with best, and how well),
    and `scope` int32[N] in which it trends. `named` int32[N] are the places of the candidates, `best`
    int64[N] and `strength` float64[N] working memory, `sieve` uint64[64] that of the user's hashes.
    """

    slot: NDArray[np.int32]
    item: NDArray[np.int32]
    score: NDArray[np.float32]
    state: NDArray[np.uint8]
    anchor: NDArray[np.int8]
    gain: NDArray[np.float32]
    scope: NDArray[np.int32]
    named: NDArray[np.int32]
    best: NDArray[np.int64]
    strength: NDArray[np.float64]
    sieve: NDArray[np.uint64]


def new_sheet(items: int, most: int) -> ScoreSheet:
    """A clean sheet for a shelf of so many items, at most `most` of which come up for one user."""
    return ScoreSheet(
        slot=np.zeros(items, np.int32),
        item=np.zeros(most, np.int32),
        score=np.zeros((COLUMNS, most), np.float32),
        state=np.zeros(most, np.uint8),
        anchor=np.full(most, -1, np.int8),
        gain=np.zeros(most, np.float32),
        scope=np.full(most, -1, np.int32),
        named=np.zeros(most, np.int32),
        best=np.zeros(most, np.int64),
        strength=np.zeros(most, np.float64),
        sieve=np.zeros(SIEVE_WORDS, np.uint64),
    )


class Screen(NamedTuple):
    """What decides whether one user may be shown an item."""

    catalogue: CatalogueArrays
    market: int
    now: int
    hashes: NDArray[np.uint32]
    sieve: NDArray[np.uint64]


@compiled_in_place
def place_of(slot: NDArray[np.int32], items: NDArray[np.int32], listed: int, item: int) -> int:
    """The place of an item; `listed` where it was given the next free one, below 0 where it is barred."""
    place = slot[item]
    if place == 0:
        slot[item] = listed + 1
        items[listed] = item
        return listed
    return int(place) - 1


@compiled_in_place
def is_barred(screen: Screen, item: int) -> bool:
    """Whether the hash of an item is among those that the user may not be shown."""
    hashes = screen.hashes
    return bool(len(hashes) > 0 and is_hashed(screen.sieve, hashes, screen.catalogue.id_hash[item]))


@compiled_in_place
def may_name(screen: Screen, state: NDArray[np.uint8], place: int, item: int) -> bool:
    """Whether an item on the sheet may be a candidate; one that may not is marked, to be judged once."""
    if state[place] != OPEN:
        return bool(state[place] == NAMED)
    if is_barred(screen, item) or not may_show(screen.catalogue, item, screen.market, screen.now):
        state[place] = REFUSED
        return False
    return True


@compiled_in_place
def name_best(screen: Screen, column: int, limit: int, sheet: ScoreSheet, listed: int, named: int) -> int:
    """Make the `limit` best of a column candidates; how many there are now. Of equals the earlier is better."""
    if limit == 0:
        return named
    score = sheet.score[column]
    bits = score.view(np.int32)
    best, state, items = sheet.best, sheet.state, sheet.item
    held = 0
    for place in range(listed):
        if score[place] <= 0.0:
            continue
        key = int(bits[place]) << 32 | (LAST_PLACE - place)
        if would_keep(best, held, limit, key) and may_name(screen, state, place, items[place]):
            held = keep_best(best, held, limit, key)
    for k in range(held):
        place = LAST_PLACE - (best[k] & LAST_PLACE)
        if state[place] == OPEN:
            state[place] = NAMED
            sheet.named[named] = place
            named += 1
    return named


@compiled_in_place
def bring_to_one(score: NDArray[np.float32], places: NDArray[np.int32]) -> None:
    """Divide the scores of a column by the greatest at these places."""
    greatest = np.float32(0.0)
    for place in places:
        greatest = max(greatest, score[place])
    if greatest > 0.0:
        for place in places:
            score[place] /= greatest


@compiled_in_place
def clean(sheet: ScoreSheet, used: NDArray[np.int64], listed: int, barred: NDArray[np.int32]) -> None:
    """Take everything off the sheet, of whose columns those of `used` were written."""
    slot, items = sheet.slot, sheet.item
    for k in range(len(barred)):
        slot[barred[k]] = 0
    for place in range(listed):
        slot[items[place]] = 0
    for column in used:
        score = sheet.score[column]
        for place in range(listed):
            score[place] = 0.0
    state, anchor, gain, scope = sheet.state, sheet.anchor, sheet.gain, sheet.scope
    for place in range(listed):
        state[place] = OPEN
        anchor[place] = -1
        gain[place] = 0.0
        scope[place] = -1
