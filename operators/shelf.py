"""The item side in memory: what ranking needs to know of items, read-only to it and fed by records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.code_book import CodeBook
from operators.item_index import ItemIndex
from operators.ranked_rows import RankedRows
from operators.session_index import SessionIndex
from operators.shelf_catalogue import ShelfCatalogue
from operators.shelf_records import CoVisits, Items, Popularity, SessionSteps, ShelfRecord
from schemas.records import Item

EVERYWHERE = "all"
"""The scope of popularity over everything."""

SLICE = 500
"""Entries of a record that are taken in at once, about 2 ms of work; between slices a ranker may run."""

V = TypeVar("V")


@dataclass(frozen=True)
class ShelfBounds:
    """What the shelf holds at most; beyond it, the oldest gives way, however long the stream.

    Arrays take about 700 bytes an item, 3 KB a scope and 700 bytes a session, and grow by doubling.
    """

    items: int = 1_000_000
    neighbours: int = 64
    scopes: int = 4_096
    trending: int = 256
    categories: int = 65_536
    sessions: int = 200_000
    session_items: int = 30
    sessions_per_item: int = 500

    def __post_init__(self) -> None:
        # A slice of pairs names up to 2 * SLICE items, none of which may give way to another of them.
        if self.items < 4 * SLICE:
            raise ValueError(f"a shelf of {self.items} items; it must hold at least {4 * SLICE}")


class Shelf:
    """The item side. `lock` is held by the ranker as it reads arrays, and by `apply` as it writes them.

    Items have numbers. The parts, whose arrays have an entry per item number (and may be longer), are
    `catalogue` (see `CatalogueArrays`; `catalogue.sketches` float32[C, 32] is indexed by an item's
    `category`), `neighbours` (what goes with an item), `trending` (per scope number), `sessions`, and
    `popularity` float64 (the score in scope 'all', -inf where none came). Arrays are replaced by longer
    ones when records are applied, so fetch them from here for each batch, under the lock.

    >>> shelf = Shelf()
    >>> shelf.apply(CoVisits(["mug", "mug"], ["plate", "bowl"], [1.0, 2.0]))
    >>> [shelf.item_id(item) for item, _ in shelf.neighbours.of(shelf.number("mug"))]
    ['bowl', 'plate']
    """

    def __init__(self, bounds: ShelfBounds = ShelfBounds()) -> None:
        self.bounds = bounds
        self.lock = Lock()
        self.index = ItemIndex(bounds.items)
        self.scopes = CodeBook(bounds.scopes)
        self.everywhere = self.scopes.add(EVERYWHERE)
        self.catalogue = ShelfCatalogue(bounds.items, bounds.categories, self.scopes)
        self.neighbours = RankedRows(bounds.items, bounds.neighbours, np.float32)
        self.trending = RankedRows(bounds.scopes, bounds.trending, np.float64)
        self.trending.reserve(1)
        self.sessions = SessionIndex(
            bounds.sessions, bounds.session_items, bounds.sessions_per_item, bounds.items
        )
        self.popularity: NDArray[np.float64] = np.full(min(SMALLEST, bounds.items), -np.inf)
        self.generation = 0

    def __len__(self) -> int:
        """How many items the shelf knows."""
        return len(self.index)

    def number(self, item_id: str) -> int:
        """The item's number, -1 where the shelf does not know it."""
        return self.index.number(item_id)

    def item_id(self, number: int) -> str:
        """The id of an item number."""
        return self.index.item_id(number)

    def entry(self, item_id: str) -> Item | None:
        """The catalogue entry of an item, None where none came."""
        number = self.index.number(item_id)
        return None if number < 0 else self.catalogue.entry(number)

    def apply(self, record: ShelfRecord) -> None:
        """Take in one record. Long ones are taken in slices, between which a ranker may run."""
        match record:
            case Items(items):
                self._in_slices(self._enter, items)
            case CoVisits(a, b, s):
                self._in_slices(self._go_together, a, b, s)
            case Popularity(scopes, popular, s):
                self._in_slices(self._trend, scopes, popular, s)
            case SessionSteps(sessions, stepped, times):
                self._in_slices(self._step, sessions, stepped, times)

    def dump(self) -> Iterator[ShelfRecord]:
        """Records that build this shelf anew when applied to an empty one, each of at most `SLICE` entries.

        Apply nothing to this shelf while the records are being taken.
        """
        numbered = list(self.index.items())
        entries = (entry for _, number in numbered if (entry := self.catalogue.entry(number)) is not None)
        while some := list(islice(entries, SLICE)):
            yield Items(some)
        item_id = self.index.item_id
        pairs = ((a, item_id(b), s) for a, row in numbered for b, s in self.neighbours.of(row))
        while triples := list(islice(pairs, SLICE)):
            yield CoVisits([a for a, _, _ in triples], [b for _, b, _ in triples], [s for *_, s in triples])
        popular = (
            (scope, item_id(item), s)
            for row, scope in enumerate(self.scopes.names)
            if row < len(self.trending.arrays.filled)
            for item, s in self.trending.of(row)
        )
        while triples := list(islice(popular, SLICE)):
            yield Popularity([a for a, _, _ in triples], [b for _, b, _ in triples], [s for *_, s in triples])
        scores = ((a, float(self.popularity[row])) for a, row in numbered if self.popularity[row] > -np.inf)
        while some_scores := list(islice(scores, SLICE)):
            yield Popularity(
                [EVERYWHERE] * len(some_scores), [a for a, _ in some_scores], [s for _, s in some_scores]
            )
        keys, items, times = self.sessions.steps()
        for at in range(0, len(keys), SLICE):
            part = slice(at, at + SLICE)
            yield SessionSteps(
                keys[part].tolist(), [item_id(i) for i in items[part].tolist()], times[part].tolist()
            )

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        parts = (self.catalogue, self.neighbours, self.trending, self.sessions)
        return sum(part.nbytes() for part in parts) + self.popularity.nbytes

    def _in_slices(self, take: Callable[..., None], *columns: Sequence[object]) -> None:
        for at in range(0, len(columns[0]), SLICE):
            with self.lock:
                take(*(column[at : at + SLICE] for column in columns))

    def _enter(self, items: list[Item]) -> None:
        for item in items:
            number = self._numbers([item.item_id])[0]
            self.catalogue.enter(number, item)
            if item.deleted:
                self.index.retire(number)

    def _go_together(self, a: list[str], b: list[str], s: list[float]) -> None:
        both = self._numbers(a + b)
        self.neighbours.raise_scores(both[: len(a)], both[len(a) :], s)

    def _trend(self, scopes: list[str], items: list[str], s: list[float]) -> None:
        rows = [self.scopes.add(scope) for scope in scopes]
        self.trending.reserve(len(self.scopes))
        numbers = self._numbers(items)
        self.trending.raise_scores(rows, numbers, s)
        for row, number, score in zip(rows, numbers, s, strict=True):
            if row == self.everywhere and score > self.popularity[number]:
                self.popularity[number] = score

    def _step(self, sessions: list[int], items: list[str], times: list[int]) -> None:
        self.sessions.add(sessions, self._numbers(items), times)

    def _numbers(self, item_ids: list[str]) -> list[int]:
        """The numbers of items, new ones where they had none."""
        index = self.index
        numbers = []
        for item_id in item_ids:
            if index.number(item_id) < 0:
                if index.full:
                    self._make_room()
                number = index.add(item_id)
                if number >= len(self.popularity):
                    self._reserve(number + 1)
                self.catalogue.begin(number, item_id)
                self.popularity[number] = -np.inf
            else:
                number = index.add(item_id)
            numbers.append(number)
        return numbers

    def _reserve(self, rows: int) -> None:
        wanted = rows_for(rows, len(self.popularity), self.bounds.items)
        self.popularity = grown(self.popularity, wanted, -np.inf)
        self.catalogue.reserve(wanted)
        self.neighbours.reserve(wanted)
        self.sessions.reserve_items(wanted)

    def _make_room(self) -> None:
        """Free the items that were not heard of for longest, in one pass over everything that names items."""
        freed = self.index.free_oldest()
        self.neighbours.forget(freed, rows_too=True)
        self.trending.forget(freed, rows_too=False)
        self.sessions.forget(freed)
        for number in np.flatnonzero(freed).tolist():
            self.catalogue.leave(number)
        self.generation += 1
