"""A list made again from its inputs alone, by the classes that made it."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.barred_items import BarredItems
from operators.bundle import Bundle
from operators.candidates import SOURCES, Candidates
from operators.held_rules import rules_held, tags_of
from operators.rank_settings import RankSettings
from operators.ranked_list import RankedList
from operators.ranker import MadeLists, Ranker
from operators.shelf import EVERYWHERE, Shelf, ShelfBounds
from operators.shelf_records import Arrivals, Items, Popularity
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import slots_of
from operators.user_batch import RECENT, UserBatch
from schemas.list_inputs import ListInputs, UnreadableInputs
from schemas.records import Item
from schemas.redis_keys import HOME
from schemas.state import UnreadableState, UserState, decode_state

_LEAST_ITEMS = 2_000
"""What the smallest shelf holds."""

_MOST_NEW = 100_000
_MOST_PLACES = 10_000
"""Beyond these, inputs are none that a job could have written."""


class ListAgain(Ranker):
    """A ranker whose shelf holds what one list was made from, and no more.

    `bundle` is the one that scored, None where none did. Raises `UnreadableInputs` for inputs of which no list
    can be made.
    """

    def __init__(self, inputs: ListInputs, bundle: Bundle | None) -> None:
        try:
            settings = msgspec.convert(inputs.making.settings, RankSettings)
            self.user: UserState = decode_state(inputs.user)
        except (msgspec.ValidationError, UnreadableState, ValueError) as error:
            raise UnreadableInputs(f"settings or user: {error}") from None
        self._inputs = _checked(inputs, settings)
        # The bundle's factors found the candidates, which are here: what it scores with is all that is needed.
        super().__init__(_shelf_of(inputs), settings)
        self._rules = rules_held(inputs)
        self._bundle = bundle
        self.model = inputs.making.model

    def make(self) -> tuple[RankedList, MadeLists]:
        """The list, and what it was made from as the ranker sees it."""
        told: list[MadeLists] = []
        user, at = self.user, self._inputs.making.at
        if self._rules:
            # Slots and rules as the job has them, but for the slots of which nothing is logged.
            rules = SlotRules(slots_of({}, self._settings), self._rules, self._shelf)
            [of_slot] = SlotRanker(self, rules).rank([user], [at], record=told.append)[HOME]
            return of_slot.ranked, told[0]
        [made] = self.rank([user], [at], record=told.append)
        return made, told[0]

    def find(self, users: UserBatch, barred: BarredItems) -> Candidates:
        """The candidates that were logged: what is barred is none of them."""
        held, n = self._inputs, len(self._inputs.scores)
        codes = np.array([self._shelf.scopes.code(name) for name in held.scopes] + [-1], np.int32)
        return Candidates(
            user=np.zeros(n, np.int32),
            item=np.arange(n, dtype=np.int32),
            scores=_by_source(held),
            start=np.array([0, n], np.int32),
            anchor=held.anchor,
            scope=codes[held.scope],
        )

    def _rows(self, users: UserBatch, candidates: Candidates) -> NDArray[np.float32] | None:
        return self._inputs.rows if self._inputs.features else None


def _checked(held: ListInputs, settings: RankSettings) -> ListInputs:
    """The inputs, if nothing in them points to where there is nothing: compiled loops look at no bounds."""
    more = held.additions
    places = [*more.filled, *(tried.item for tried in more.tried)]
    if not all(0 <= place < len(held.items) for place in places) or not 0 <= more.pool <= _MOST_NEW:
        raise UnreadableInputs("additions: they name items that are not there")
    if not (((held.anchor >= -1) & (held.anchor < RECENT)).all()):
        raise UnreadableInputs(f"candidates: an anchor is not among {RECENT} recent items")
    if not (((held.scope >= -1) & (held.scope < len(held.scopes))).all()):
        raise UnreadableInputs("candidates: a scope is not among those named")
    if not 0 <= settings.length <= _MOST_PLACES:
        raise UnreadableInputs(f"settings: a list of {settings.length} places")
    if len(set(held.items)) != len(held.items):
        raise UnreadableInputs("items: one is there twice")
    return held


def _by_source(held: ListInputs) -> NDArray[np.float32]:
    """float32[n, len(SOURCES)]: what was said, in the columns of this release."""
    said = np.zeros((len(held.scores), len(SOURCES)), np.float32)
    for column, name in enumerate(held.sources):
        if name not in SOURCES:
            raise UnreadableInputs(f"candidates: this release knows no source {name!r}")
        said[:, SOURCES.index(name)] = held.said[:, column]
    return said


def _shelf_of(held: ListInputs) -> Shelf:
    """A shelf on which an item's number is its place among the inputs."""
    more = held.additions
    strangers = [f"?{drawn}" for drawn in range(more.pool)] if more.tried else []
    shelf = Shelf(
        ShelfBounds(
            items=max(_LEAST_ITEMS, len(held.items) + len(strangers)),
            sessions=1,
            new_items=max(ShelfBounds().new_items, more.pool),
        )
    )
    tags = tags_of(held)
    entries = [
        Item(item_id=item_id, deleted=not shown, tags=tags.get(place, ()))
        for place, (item_id, shown) in enumerate(zip(held.items, held.shown.tolist(), strict=True))
    ]
    shelf.apply(Items(entries + [Item(item_id=each, deleted=True) for each in strangers]), compare=False)
    shelf.catalogue.arrays.group[: len(held.items)] = held.groups
    for name in held.scopes:
        shelf.scopes.add(name)
    filled = [held.items[place] for place in more.filled]
    worth = [float(len(filled) - at) for at in range(len(filled))]
    shelf.apply(Popularity([EVERYWHERE] * len(filled), filled, worth))
    if more.tried:
        _bring_new(shelf, held, strangers)
    return shelf


def _bring_new(shelf: Shelf, held: ListInputs, strangers: list[str]) -> None:
    """Let those new items that were drawn be where they were drawn; at the other places are strangers."""
    pool, at = [], 0
    known = {tried.drawn: tried for tried in held.additions.tried}
    for drawn, stranger in enumerate(strangers):
        tried = known.get(drawn)
        # They stand in the order in which they came.
        at = tried.arrived if tried is not None else at
        pool.append((held.items[tried.item] if tried is not None else stranger, at))
    shelf.apply(Arrivals([item for item, _ in pool], [arrived for _, arrived in pool]))
    for tried in held.additions.tried:
        shelf.sessions.arrays.holders[tried.item] = tried.holders
