"""The catalogue as arrays: what an item is, and whether a user may be shown it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown
from operators.code_book import CodeBook
from operators.compiled import compiled_in_place
from operators.item_hash import item_hash
from operators.item_step import top_level
from operators.sketch import SKETCH_DIM, item_sketch
from schemas.records import Item

DELETED = 1
OUT_OF_STOCK = 2
BY_MARKET = 4
"""Bits of `CatalogueArrays.status`; `BY_MARKET` items can be had in the markets of `sold_in` only."""

MARKET_WORDS = 4
MOST_MARKETS = 64 * MARKET_WORDS

ANYWHERE = -1
ELSEWHERE = -2
"""Market of a user whose country is not known, and of one whose country no item names."""

FOR_EVER = 2**63 - 1

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Item).decode


class CatalogueArrays(NamedTuple):
    """One entry per item number.

    `category` int32 is a row of the category sketches, `scope` int32 the number of 'category:<top level>'
    (-1: none), `price` float32 (NaN: none), `status` uint8 bits, `published` and `expires` int64 ms,
    `sold_in` uint64[n, 4] a bit per market, `group` int32 (-1: none), `id_hash` uint32, and `id_key`
    uint64[n, 2] the first 16 bytes of the id, so that comparing keys compares ids.
    """

    category: NDArray[np.int32]
    scope: NDArray[np.int32]
    price: NDArray[np.float32]
    status: NDArray[np.uint8]
    published: NDArray[np.int64]
    expires: NDArray[np.int64]
    sold_in: NDArray[np.uint64]
    group: NDArray[np.int32]
    id_hash: NDArray[np.uint32]
    id_key: NDArray[np.uint64]


class ShelfCatalogue:
    """The entries of the items on a shelf. An item without an entry may be shown to anyone.

    By a category's number, `sketches` float32[C, 32] are their sketches and `scope_of` int32[C] the numbers of
    'category:<top level>' (-1: none).
    """

    def __init__(self, most_items: int, most_categories: int, scopes: CodeBook) -> None:
        n = min(SMALLEST, most_items)
        self.arrays = CatalogueArrays(
            category=np.zeros(n, np.int32),
            scope=np.full(n, -1, np.int32),
            price=np.full(n, np.nan, np.float32),
            status=np.zeros(n, np.uint8),
            published=np.zeros(n, np.int64),
            expires=np.full(n, FOR_EVER, np.int64),
            sold_in=np.zeros((n, MARKET_WORDS), np.uint64),
            group=np.full(n, -1, np.int32),
            id_hash=np.zeros(n, np.uint32),
            id_key=np.zeros((n, 2), np.uint64),
        )
        self.scopes = scopes
        self.markets = CodeBook(MOST_MARKETS)
        self.categories = CodeBook(most_categories)
        self.sketches = np.zeros((min(256, most_categories), SKETCH_DIM), np.float32)
        self.scope_of = np.full(len(self.sketches), -1, np.int32)
        self._most_categories = most_categories
        self._entries: dict[int, bytes] = {}
        self._category("?")

    def reserve(self, rows: int) -> None:
        """Make the arrays `rows` long."""
        held = self.arrays
        if rows > len(held.category):
            self.arrays = CatalogueArrays(
                category=grown(held.category, rows, 0),
                scope=grown(held.scope, rows, -1),
                price=grown(held.price, rows, np.nan),
                status=grown(held.status, rows, 0),
                published=grown(held.published, rows, 0),
                expires=grown(held.expires, rows, FOR_EVER),
                sold_in=grown(held.sold_in, rows, 0),
                group=grown(held.group, rows, -1),
                id_hash=grown(held.id_hash, rows, 0),
                id_key=grown(held.id_key, rows, 0),
            )

    def begin(self, number: int, item_id: str) -> None:
        """A number now stands for this item, of which nothing else is known yet."""
        held = self.arrays
        held.category[number] = 0
        held.scope[number] = -1
        held.price[number] = np.nan
        held.status[number] = 0
        held.published[number] = 0
        held.expires[number] = FOR_EVER
        held.sold_in[number] = 0
        held.group[number] = -1
        held.id_hash[number] = item_hash(item_id)
        key = item_id.encode("utf-8", "surrogatepass")[:16].ljust(16, b"\0")
        held.id_key[number] = (int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big"))

    def enter(self, number: int, item: Item) -> None:
        """Take in a catalogue entry, whole."""
        held = self.arrays
        self._entries[number] = _encode(item)
        held.category[number] = self._category(item.category)
        known = item.category != "?"
        held.scope[number] = self.scopes.add("category:" + top_level(item.category)) if known else -1
        if held.category[number]:  # 0 stands for '?' and for all that found no room
            self.scope_of[held.category[number]] = held.scope[number]
        held.price[number] = np.nan if item.price is None else item.price
        status = DELETED if item.deleted else 0
        status |= 0 if item.in_stock else OUT_OF_STOCK
        held.sold_in[number] = 0
        if item.markets:
            status |= BY_MARKET
            for name, market in item.markets.items():
                code = self.markets.add(name)
                if code >= 0 and market.in_stock:
                    held.sold_in[number, code >> 6] |= np.uint64(1) << np.uint64(code & 63)
        held.status[number] = status
        held.published[number] = item.published_at or 0
        held.expires[number] = FOR_EVER if item.expires_at is None else item.expires_at
        # A hash needs no table that grows with the stream; within one list two groups do not meet.
        held.group[number] = -1 if item.group_id is None else item_hash(item.group_id) >> 1

    def leave(self, number: int) -> None:
        """Forget the entry of a freed number."""
        self._entries.pop(number, None)

    def entry(self, number: int) -> Item | None:
        """The entry of a number, None where none came."""
        stored = self._entries.get(number)
        return None if stored is None else _decode(stored)

    def market_of(self, country: str | None) -> int:
        """The market code of a user's country."""
        if country is None:
            return ANYWHERE
        code = self.markets.code(country)
        return code if code >= 0 else ELSEWHERE

    def nbytes(self) -> int:
        """Bytes of the arrays now held and of the encoded entries."""
        entries = sum(map(len, self._entries.values()))
        return (
            sum(array.nbytes for array in self.arrays) + self.sketches.nbytes + self.scope_of.nbytes + entries
        )

    def _category(self, category: str) -> int:
        code = self.categories.add(category)
        if code < 0:
            return 0
        if code >= len(self.sketches):
            rows = min(2 * len(self.sketches), self._most_categories)
            self.sketches, self.scope_of = grown(self.sketches, rows, 0.0), grown(self.scope_of, rows, -1)
        if not self.sketches[code].any():
            self.sketches[code] = item_sketch(category)
        return code


@compiled_in_place
def may_show(held: CatalogueArrays, item: int, market: int, now: int) -> bool:
    """Whether an item is published, not expired, not deleted, and to be had in a market at a time (ms)."""
    status = held.status[item]
    if status & (DELETED | OUT_OF_STOCK) and (status & DELETED or not status & BY_MARKET):
        return False
    if held.published[item] > now or held.expires[item] <= now:
        return False
    if not status & BY_MARKET:
        return True
    if market >= 0:
        return bool((held.sold_in[item, market >> 6] >> np.uint64(market & 63)) & np.uint64(1))
    return market == ANYWHERE and held.sold_in[item].any()
