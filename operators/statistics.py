"""What goes with what, what is popular and what is bought again, all fading: the job's SQL files as classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

from operators.decayed_table import DecayedTable
from operators.forward_decay import ForwardDecay
from operators.item_step import ItemStep
from operators.purchase_sums import PurchaseKind, PurchaseSums
from operators.shelf_records import CoVisits, Popularity, SessionSteps, ShelfRecord

DAY = 86_400_000.0

_NEVER = 1e100


@dataclass(frozen=True)
class StatisticsSettings:
    """How item statistics are made. Half-lives are in days.

    The k-th previous item (0 is the newest) counts `position_decay`^k, and in reverse `reverse` times that; half as
    much where `pair_pause` seconds lie between the two, a third where twice as many do (0: pauses play no part).
    At most `items` items keep neighbours and `scopes` scopes keep items: the ones that were not heard of
    for longest give way. A row that grows beyond `members` keeps its greater half. So memory is bounded by
    (items + scopes) * members sums of about 100 bytes. Purchases have a half-life of their own: there are fewer
    of them, and what is bought again takes weeks to be.
    """

    covisit_half_life: float = 30.0
    popularity_half_life: float = 3.0
    purchase_half_life: float = 90.0
    position_decay: float = 0.8
    reverse: float = 0.5
    pair_pause: float = 30.0
    items: int = 100_000
    scopes: int = 4_096
    members: int = 256
    scope_members: int = 20_000

    def __post_init__(self) -> None:
        if not 0.0 <= self.pair_pause < math.inf:
            raise ValueError(f"pair_pause of {self.pair_pause} seconds; it must be 0 or more")

    @property
    def pause_ms(self) -> float:
        """A pair so many ms apart counts half. What stands for 'never' makes every share exactly 1.

        >>> StatisticsSettings(pair_pause=2.0).pause_ms, StatisticsSettings(pair_pause=0.0).pause_ms
        (2000.0, 1e+100)
        """
        return self.pair_pause * 1_000.0 or _NEVER


class ItemStatistics:
    """Co-visitation and popularity from item steps, and the shelf records that tell of them.

    >>> statistics = ItemStatistics()
    >>> step = ItemStep(item="plate", prev=("mug",), scopes=("all",), weight=1.0, session=1, time=0)
    >>> statistics.update(step)
    >>> [type(record).__name__ for record in statistics.records()]
    ['CoVisits', 'Popularity', 'SessionSteps']
    >>> [item for item, _ in statistics.neighbours("mug")]
    ['plate']
    """

    def __init__(self, settings: StatisticsSettings = StatisticsSettings()) -> None:
        self._position = settings.position_decay
        self._reverse = settings.reverse
        self._pause = settings.pause_ms
        self._covisits = DecayedTable(
            ForwardDecay(settings.covisit_half_life * DAY), settings.items, settings.members
        )
        self._popular = DecayedTable(
            ForwardDecay(settings.popularity_half_life * DAY), settings.scopes, settings.scope_members
        )
        self._purchases = PurchaseSums(settings.purchase_half_life, settings.items, settings.members)
        self._steps: list[tuple[int, str, int]] = []

    def update(self, step: ItemStep) -> None:
        """Take in one step. A step whose weight is not above 0 counts for sessions alone."""
        self._steps.append((step.session, step.item, step.time))
        weight = step.weight
        if not weight > 0.0:
            return
        if step.purchase is not None:
            self._purchases.update(step.item, step.purchase, weight, step.time)
        for scope in step.scopes:
            self._popular.add(scope, step.item, weight, step.time)
        for previous, apart in zip(step.prev, step.apart or repeat(0), strict=False):
            near = weight * (self._pause / (self._pause + apart))
            self._covisits.add(previous, step.item, near, step.time)
            self._covisits.add(step.item, previous, near * self._reverse, step.time)
            weight *= self._position

    def records(self) -> Iterator[ShelfRecord]:
        """What changed since the last call, each sum once with its newest score, and the steps since then."""
        if pairs := self._covisits.changes():
            yield CoVisits([a for a, _, _ in pairs], [b for _, b, _ in pairs], [s for _, _, s in pairs])
        if popular := self._popular.changes():
            yield Popularity(
                [a for a, _, _ in popular], [b for _, b, _ in popular], [s for _, _, s in popular]
            )
        yield from self._purchases.records()
        if self._steps:
            steps, self._steps = self._steps, []
            yield SessionSteps([s for s, _, _ in steps], [i for _, i, _ in steps], [t for _, _, t in steps])

    def neighbours(self, item: str, most: int = 128) -> list[tuple[str, float]]:
        """What goes with an item, as (item id, score), best first."""
        return self._covisits.best(item, most)

    def popular(self, scope: str, most: int = 128) -> list[tuple[str, float]]:
        """What is popular in a scope, as (item id, score), best first."""
        return self._popular.best(scope, most)

    def purchases(self, kind: PurchaseKind, row: str, most: int = 128) -> list[tuple[str, float]]:
        """The sums of purchases of a kind and row, as (member, score), best first."""
        return self._purchases.best(kind, row, most)

    def __len__(self) -> int:
        """How many sums are held."""
        return len(self._covisits) + len(self._popular) + len(self._purchases)
