"""The item side in memory: what ranking needs to know of items, read-only to it and fed by records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from operators.arena import SMALLEST, grown, rows_for
from operators.code_book import CodeBook
from operators.content_index import ContentIndex
from operators.content_terms import NO_TERMS, terms_of
from operators.embedders import load_embedder
from operators.embedding_index import EmbeddingIndex, text_of
from operators.item_index import ItemIndex
from operators.item_news import ItemNews
from operators.item_selector import ItemSelector
from operators.item_step import ITEM_AREA
from operators.item_traits import ItemTraits
from operators.model_records import CategoryAffinities
from operators.new_items import NewItems
from operators.purchase_sums import PurchaseKind
from operators.ranked_rows import RankedRows
from operators.repeats import Repeats
from operators.session_index import SessionIndex
from operators.shelf_catalogue import ShelfCatalogue
from operators.shelf_dump import dumped
from operators.shelf_records import (
    Arrivals,
    CoVisits,
    Items,
    Popularity,
    PurchaseScores,
    SessionSteps,
    ShelfRecord,
)
from operators.stream_affinities import StreamAffinities
from schemas.records import Item

logger = logging.getLogger(__name__)

EVERYWHERE = "all"
"""The scope of popularity over everything."""

SLICE = 500
"""Entries of a record that are taken in at once, about 2 ms of work; between slices a ranker may run."""

TEXTS = 8
"""Texts that are compared at once, about 2 ms of work."""

V = TypeVar("V")


@dataclass(frozen=True)
class ShelfBounds:
    """What the shelf holds at most; beyond it, the oldest gives way, however long the stream.

    Arrays take about 1.3 KB an item and 700 bytes for its text, 3 KB a scope and 700 bytes a session, and
    grow by doubling.
    """

    items: int = 1_000_000
    neighbours: int = 64
    similar: int = 16
    bought: int = 32
    embedder: str = ""
    embedded: int = 100_000
    new_items: int = 512
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
    `category`), `neighbours` (what goes with an item), `content` (whose text is like an item's), `trending`
    (per scope number), `sessions`, `together` and `then_bought` (what is bought with an item, and after a look at it),
    `repeats` (what is bought again), `popularity` float64 (the score in scope 'all', -inf where none came), and
    `traits` (which conditions of slots and rules an item fulfils).
    Arrays are replaced by longer ones when records are applied, so fetch them from here for each batch, under
    the lock. `new_items` are the latest arrivals on the catalogue, `stream` the tables of the stream's models, `news`
    tells who wants to know of entries and of what goes with items.

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
        self.content = ContentIndex(bounds.items, bounds.similar)
        self.traits = ItemTraits(bounds.items)
        self.together = RankedRows(bounds.items, bounds.bought, np.float32)
        self.then_bought = RankedRows(bounds.items, bounds.bought, np.float32)
        self.repeats = Repeats()
        self.embedded = EmbeddingIndex(min(bounds.items, bounds.embedded), bounds.similar)
        self._embedder = load_embedder(bounds.embedder) if bounds.embedder else None
        self._unembedded: dict[str, str] = {}
        self.new_items = NewItems(bounds.new_items)
        self.stream = StreamAffinities()
        self.trending = RankedRows(bounds.scopes, bounds.trending, np.float64)
        self.trending.reserve(1)
        self.sessions = SessionIndex(
            bounds.sessions, bounds.session_items, bounds.sessions_per_item, bounds.items
        )
        self.popularity: NDArray[np.float64] = np.full(min(SMALLEST, bounds.items), -np.inf)
        self.generation = 0
        self.news = ItemNews(self.lock)

    def __len__(self) -> int:
        """How many items the shelf knows."""
        return len(self.index)

    @property
    def anything_popular(self) -> bool:
        """Whether any item's popularity is known: without, a list may have nothing to name."""
        return bool(np.isfinite(self.popularity).any())

    @property
    def refused(self) -> Mapping[str, int]:
        """How often a new name found no room, by the bound it met; such a name is served as an unknown one."""
        catalogue = self.catalogue
        return {
            "scopes": self.scopes.refused,
            "categories": catalogue.categories.refused,
            "markets": catalogue.markets.refused,
        }

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

    def apply(self, record: ShelfRecord, compare: bool = True) -> None:
        """Take in one record. Long ones are taken in slices, between which a ranker may run.

        Without `compare` the texts of items are compared by `settle_some` alone: for filling a shelf quickly.
        """
        match record:
            case Items(items):
                self._in_slices(self._enter, items)
                self._read_texts(items, compare)
            case Arrivals(arrived, times):
                self._in_slices(self._arrive, arrived, times)
            case CoVisits(a, b, s):
                self._in_slices(partial(self._go_with, self.neighbours), a, b, s)
            case PurchaseScores(PurchaseKind.AGAIN, areas, members, s):
                self._in_slices(self._buy_again, areas, members, s)
            case PurchaseScores(kind, a, b, s):
                rows = self.together if kind == PurchaseKind.TOGETHER else self.then_bought
                self._in_slices(partial(self._go_with, rows), a, b, s)
            case Popularity(scopes, popular, s):
                self._in_slices(self._trend, scopes, popular, s)
            case SessionSteps(sessions, stepped, times):
                self._in_slices(self._step, sessions, stepped, times)
            case CategoryAffinities():
                with self.lock:
                    self.stream.take(record)

    def select_by(self, selectors: Sequence[ItemSelector]) -> None:
        """Know these conditions on items, all entries included; `traits` has their bits. Takes the lock.

        Where there are new ones, every entry is looked at, in slices between which a ranker may run.
        """
        with self.lock:
            new = self.traits.begin(selectors)
        for at in range(0, self.index.rows if new else 0, SLICE):
            with self.lock:
                self.traits.mark(range(at, min(at + SLICE, self.index.rows)), self.catalogue.entry)

    def settle_some(self) -> bool:
        """Compare a few items' texts anew where that is due; whether more are left. Takes the lock.

        Neighbours by text then depend on the texts alone, not on the order in which they came.
        """
        self._embed_some()
        with self.lock:
            self.content.compare_some(TEXTS, self.catalogue.arrays.id_hash)
        # An item that came while a shelf was filled has no neighbours by text before all are compared.
        if not self.content.unsettled:
            self.news.read_some()
        return self.unsettled

    @property
    def unsettled(self) -> bool:
        """Whether `settle_some` has anything left to do."""
        return self.content.unsettled or bool(self._unembedded) or self.news.due

    def settle(self) -> None:
        """Compare all texts anew, whatever is due."""
        with self.lock:
            self.content.begin_anew()
        while self.settle_some():
            pass

    def dump(self) -> Iterator[ShelfRecord]:
        """Records that build this shelf anew when applied to an empty one, each of at most `SLICE` entries.

        Apply nothing to this shelf while the records are being taken.
        """
        return dumped(self, SLICE)

    def nbytes(self) -> int:
        """Bytes of the arrays now held."""
        parts = (
            self.catalogue, self.neighbours, self.together, self.then_bought, self.repeats, self.embedded,
            self.content, self.trending, self.sessions, self.traits, self.stream,
        )  # fmt: skip
        return sum(part.nbytes() for part in parts) + self.popularity.nbytes

    def _in_slices(self, take: Callable[..., None], *columns: Sequence[object]) -> None:
        for at in range(0, len(columns[0]), SLICE):
            with self.lock:
                take(*(column[at : at + SLICE] for column in columns))

    def _enter(self, items: list[Item]) -> None:
        for item in items:
            number = self._numbers([item.item_id])[0]
            self.catalogue.enter(number, item)
            self.traits.enter(number, item)
            if item.deleted:
                self.index.retire(number)

    def _arrive(self, items: list[str], times: list[int]) -> None:
        self.new_items.arrive(self._numbers(items), times)

    def _read_texts(self, items: list[Item], compare: bool) -> None:
        for at in range(0, len(items), TEXTS):
            # Words are found before the lock is taken: no ranker waits for that.
            read = [
                (item.item_id, NO_TERMS if item.deleted else terms_of(item))
                for item in items[at : at + TEXTS]
            ]
            with self.lock:
                for item_id, (terms, weights) in read:
                    number = self.index.number(item_id)
                    if number >= 0:
                        hashes = self.catalogue.arrays.id_hash
                        self.content.enter(number, terms, weights, hashes, compare)
                self.news.tell([number for item_id, _ in read if (number := self.index.number(item_id)) >= 0])
            if self._embedder is not None:
                self._note_texts(items[at : at + TEXTS])
                if compare:
                    self._embed_some()

    def _note_texts(self, items: list[Item]) -> None:
        for item in items:
            number, text = self.index.number(item.item_id), "" if item.deleted else text_of(item)
            if number < 0 or self.embedded.knows(number, text):
                self._unembedded.pop(item.item_id, None)
            else:
                self._unembedded[item.item_id] = text

    def _embed_some(self) -> None:
        """Embed and compare a few of the texts that wait for it. Only what changes rows takes the lock."""
        if self._embedder is None or not self._unembedded:
            return
        ids = list(islice(self._unembedded, TEXTS))
        texts = [self._unembedded.pop(item_id) for item_id in ids]
        try:
            vectors = self._embedder.embed(texts)
        except Exception:  # an embedder is somebody else's code, and lists go on without what it would say
            logger.exception("%d texts could not be embedded; these items have no neighbours by it", len(ids))
            return
        for item_id, text, vector in zip(ids, texts, vectors, strict=True):
            number = self.index.number(item_id)
            if number >= 0:
                found = self.embedded.near(number, vector, self.catalogue.arrays.id_hash)
                with self.lock:
                    self.embedded.write(number, *found, text)

    def _go_with(self, rows: RankedRows, a: list[str], b: list[str], s: list[float]) -> None:
        both = self._numbers(a + b)
        rows.raise_scores(both[: len(a)], both[len(a) :], s)
        if rows is self.neighbours:
            self.news.tell(both[: len(a)])

    def _buy_again(self, areas: list[str], members: list[str], s: list[float]) -> None:
        of_item = [area.startswith(ITEM_AREA) for area in areas]
        numbers = self._numbers(
            [area[len(ITEM_AREA) :] for area, own in zip(areas, of_item, strict=True) if own]
        )
        scopes = [self.scopes.add(area) for area, own in zip(areas, of_item, strict=True) if not own]
        self.repeats.reserve(len(self.popularity), len(self.scopes))
        items = np.array(of_item, np.bool_)
        own, others = np.flatnonzero(items).tolist(), np.flatnonzero(~items).tolist()
        self.repeats.tell_items(numbers, [members[k] for k in own], [s[k] for k in own])
        self.repeats.tell_scopes(scopes, [members[k] for k in others], [s[k] for k in others])

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
                self.traits.clear(number)
                self.popularity[number] = -np.inf
            else:
                number = index.add(item_id)
            numbers.append(number)
        return numbers

    def _reserve(self, rows: int) -> None:
        wanted = rows_for(rows, len(self.popularity), self.bounds.items)
        self.popularity = grown(self.popularity, wanted, -np.inf)
        self.catalogue.reserve(wanted)
        self.traits.reserve(wanted)
        for held in (self.neighbours, self.together, self.then_bought):
            held.reserve(wanted)
        self.new_items.reserve(wanted)
        self.content.reserve(wanted)
        self.sessions.reserve_items(wanted)

    def _make_room(self) -> None:
        """Free the items that were not heard of for longest, in one pass over everything that names items."""
        freed = self.index.free_oldest()
        for held in (self.neighbours, self.together, self.then_bought):
            held.forget(freed, rows_too=True)
        self.repeats.forget(freed)
        self.embedded.forget(freed)
        self.content.forget(freed)
        self.new_items.forget(freed)
        self.trending.forget(freed, rows_too=False)
        self.sessions.forget(freed)
        for number in np.flatnonzero(freed).tolist():
            self.catalogue.leave(number)
        self.generation += 1
