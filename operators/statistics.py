"""Which items go together and which are popular, both fading: `co_visits.sql` and `popularity.sql` as classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from operators.forward_decay import ForwardDecay
from operators.item_step import ItemStep
from operators.shelf_records import CoVisits, Popularity, SessionSteps, ShelfRecord

DAY = 86_400_000.0


@dataclass(frozen=True)
class StatisticsSettings:
    """How item statistics are made. Half-lives are in days.

    The k-th previous item (0 is the newest) counts `position_decay`^k, and in reverse `reverse` times that.
    At most `items` items keep neighbours and `scopes` scopes keep items: the ones that were not heard of
    for longest give way. A row that grows beyond `members` keeps its greater half. So memory is bounded by
    (items + scopes) * members sums of about 100 bytes.
    """

    covisit_half_life: float = 30.0
    popularity_half_life: float = 3.0
    position_decay: float = 0.8
    reverse: float = 0.5
    items: int = 100_000
    scopes: int = 4_096
    members: int = 256
    scope_members: int = 20_000


class DecayedTable:
    """Forward-decayed sums by (row, member), with what changed since it was last asked.

    >>> table = DecayedTable(ForwardDecay(1_000.0), rows=10, members=10)
    >>> table.add("mug", "plate", 1.0, 0); table.add("mug", "bowl", 3.0, 0)
    >>> [member for member, _ in table.best("mug", 5)], len(table.changes()), len(table.changes())
    (['bowl', 'plate'], 2, 0)
    """

    def __init__(self, decay: ForwardDecay, rows: int, members: int) -> None:
        self._decay = decay
        self._most_rows = rows
        self._most_members = members
        self._sums: dict[tuple[str, int], dict[str, float]] = {}
        self._epochs: set[int] = set()
        self._changed: dict[tuple[str, str, int], float] = {}

    def add(self, row: str, member: str, weight: float, time: int) -> None:
        """Add a weight > 0 of `time` (ms) to the sum of (row, member) in the epoch of that time."""
        epoch = self._decay.epoch(time)
        sums = self._sums.pop((row, epoch), None)
        if sums is None:
            sums = {}
            self._epochs.add(epoch)
            if len(self._sums) >= self._most_rows:
                del self._sums[next(iter(self._sums))]
        # Put in last, so that the first row is always the one not heard of for longest.
        self._sums[row, epoch] = sums
        total = sums.get(member, 0.0) + weight * self._decay.growth(time)
        sums[member] = total
        self._changed[row, member, epoch] = total
        if len(sums) > self._most_members:
            kept = nlargest(self._most_members // 2, sums.items(), key=lambda entry: (entry[1], entry[0]))
            self._sums[row, epoch] = dict(kept)

    def changes(self) -> list[tuple[str, str, float]]:
        """(row, member, score) of every sum that changed since the last call, each once."""
        changed, self._changed = self._changed, {}
        score = self._decay.score
        return [(row, member, score(total, epoch)) for (row, member, epoch), total in changed.items()]

    def best(self, row: str, most: int) -> list[tuple[str, float]]:
        """The members of a row by descending score; of several epochs a member's greatest score counts."""
        scores: dict[str, float] = {}
        for epoch in self._epochs:
            for member, total in self._sums.get((row, epoch), {}).items():
                score = self._decay.score(total, epoch)
                scores[member] = max(score, scores.get(member, score))
        return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:most]

    def __len__(self) -> int:
        """How many sums are held."""
        return sum(map(len, self._sums.values()))


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
        self._covisits = DecayedTable(
            ForwardDecay(settings.covisit_half_life * DAY), settings.items, settings.members
        )
        self._popular = DecayedTable(
            ForwardDecay(settings.popularity_half_life * DAY), settings.scopes, settings.scope_members
        )
        self._steps: list[tuple[int, str, int]] = []

    def update(self, step: ItemStep) -> None:
        """Take in one step. A step whose weight is not above 0 counts for sessions alone."""
        self._steps.append((step.session, step.item, step.time))
        weight = step.weight
        if not weight > 0.0:
            return
        for scope in step.scopes:
            self._popular.add(scope, step.item, weight, step.time)
        for previous in step.prev:
            self._covisits.add(previous, step.item, weight, step.time)
            self._covisits.add(step.item, previous, weight * self._reverse, step.time)
            weight *= self._position

    def records(self) -> Iterator[ShelfRecord]:
        """What changed since the last call, each sum once with its newest score, and the steps since then."""
        if pairs := self._covisits.changes():
            yield CoVisits([a for a, _, _ in pairs], [b for _, b, _ in pairs], [s for _, _, s in pairs])
        if popular := self._popular.changes():
            yield Popularity(
                [a for a, _, _ in popular], [b for _, b, _ in popular], [s for _, _, s in popular]
            )
        if self._steps:
            steps, self._steps = self._steps, []
            yield SessionSteps([s for s, _, _ in steps], [i for _, i, _ in steps], [t for _, _, t in steps])

    def neighbours(self, item: str, most: int = 128) -> list[tuple[str, float]]:
        """What goes with an item, as (item id, score), best first."""
        return self._covisits.best(item, most)

    def popular(self, scope: str, most: int = 128) -> list[tuple[str, float]]:
        """What is popular in a scope, as (item id, score), best first."""
        return self._popular.best(scope, most)

    def __len__(self) -> int:
        """How many sums are held."""
        return len(self._covisits) + len(self._popular)
