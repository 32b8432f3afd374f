"""A small share of lists' later places for items that have just come, so that somebody gets to see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from operators.item_hash import hashes_of
from operators.shelf import Shelf
from operators.shelf_catalogue import may_show

DAY = 86_400_000.0

MOST_SHARE = 0.25
TRIES = 8
"""New items looked at for one place; where none of them may be shown, the place stays as it is."""


@dataclass(frozen=True)
class ExploreSettings:
    """Which places new items get, and which items are new.

    A list of n places gives `share` * n of them, on average, to new items, never among the first `first_places`.
    New is what came to the catalogue within `days` before the list's time and is in `few_sessions` sessions at
    most. A share of 0 switches this off. Raises `ValueError` for a share that is not within 0 and 0.25.
    """

    share: float = 0.02
    first_places: int = 8
    days: float = 14.0
    few_sessions: int = 10

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= MOST_SHARE:
            raise ValueError(f"rank.explore.share: {self.share} is not within 0 and {MOST_SHARE}")
        if self.first_places < 1:
            raise ValueError(f"rank.explore.first_places: {self.first_places}; a new item is never the first")


class Exploration:
    """Puts new items into lists. The same user and list number give the same places and items."""

    def __init__(self, settings: ExploreSettings, shelf: Shelf) -> None:
        self._settings = settings
        self._shelf = shelf

    def places(self, uid: str, number: int, length: int, now: int) -> list[tuple[int, int]]:
        """(place, item number) pairs that list `number` of a user would give to new items at `now` (ms).

        Several items may be offered for a place, and one for several places. Hold the shelf's lock.
        """
        pool, shelf = self._shelf.new_items.numbers, self._shelf
        # By ids, not by numbers, which every worker gives in an order of its own.
        return [
            (place, item)
            for place, tried in self.drawn(uid, number, length)
            for item in sorted({pool[k] for k in tried}, key=shelf.item_id)
            if self._is_new(item, now)
        ]

    def drawn(self, uid: str, number: int, length: int) -> list[tuple[int, list[int]]]:
        """The places of a list that new items may get, each with what is drawn for it of `NewItems.numbers`."""
        settings, known = self._settings, len(self._shelf.new_items.numbers)
        room = length - settings.first_places
        if settings.share <= 0.0 or not known or room <= 0:
            return []
        draws = _draws(uid, number)
        wanted = int(settings.share * length + next(draws) / 2**31)
        return [
            (settings.first_places + next(draws) % room, [next(draws) % known for _ in range(TRIES)])
            for _ in range(min(wanted, room))
        ]

    def put_in(
        self,
        items: list[str],
        offers: list[tuple[int, int]],
        market: int,
        now: int,
        barred: set[str],
        touched: bytes,
    ) -> list[int]:
        """Replace items of a list, in place, by what is offered and may be shown; the places so changed.

        Nothing is listed twice, nor barred, nor two items of one group. Hold the shelf's lock.
        """
        catalogue, shelf = self._shelf.catalogue.arrays, self._shelf
        hashes = set(hashes_of(touched).tolist())
        changed: list[int] = []
        for place, number in offers:
            item_id = shelf.item_id(number)
            if place in changed or place >= len(items) or item_id in items or item_id in barred:
                continue
            others = [shelf.number(other) for at, other in enumerate(items) if at != place]
            group = int(catalogue.group[number])
            if (
                int(catalogue.id_hash[number]) in hashes
                or (group >= 0 and any(int(catalogue.group[other]) == group for other in others))
                or not may_show(catalogue, number, market, now)
            ):
                continue
            items[place] = item_id
            changed.append(place)
        return changed

    def _is_new(self, item: int, now: int) -> bool:
        age = now - self._shelf.new_items.time_of(item)
        few = int(self._shelf.sessions.arrays.holders[item]) <= self._settings.few_sessions
        # What came long after the list's time belongs to another clock: a history that is replayed.
        return few and -DAY <= age <= self._settings.days * DAY


def _draws(uid: str, number: int) -> Iterator[int]:
    """Numbers from 0 to 2^31 - 1, evenly spread, by Knuth's linear congruential generator (MMIX)."""
    state = crc32(f"{uid}:{number}".encode())
    while True:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & (2**64 - 1)
        yield state >> 33
