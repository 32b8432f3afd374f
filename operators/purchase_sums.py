"""What purchases say of items, fading: `purchase_sums.sql` as a class."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from math import log1p

from operators.decayed_table import DecayedTable
from operators.forward_decay import ForwardDecay
from operators.item_step import Purchase
from operators.shelf_records import PurchaseScores

DAY = 86_400_000.0

BOUGHT, AGAIN, GAP, SQUARE, EVIDENCE = "bought", "again", "gap", "square", "evidence"
"""Members of the rows of `PurchaseKind.AGAIN`: purchases, those of users who had bought the item before, of ln(1 + days
between) the sum and the sum of squares, and the squared weights of all purchases."""


class PurchaseKind(StrEnum):
    """Sums of a kind share a table; rows are item ids, and areas (`item_step.areas_of`) for AGAIN."""

    TOGETHER = "together"
    """Bought in one order."""
    THEN_BOUGHT = "then_bought"
    """The member was bought after a look at the row's item, which was not."""
    AGAIN = "again"
    """How often, and after how long, the same user bought it again."""


class PurchaseSums:
    """Decayed sums of what purchases say. Half-life in days; at most `rows` rows of `members` a kind.

    >>> sums = PurchaseSums(90.0, rows=100, members=100)
    >>> sums.update("soap", Purchase(mates=("towel",), days=30, areas=("item:soap",)), weight=1.0, time=0)
    >>> sums.best(PurchaseKind.TOGETHER, "towel", 5)
    [('soap', 0.0)]
    >>> [name for name, _ in sums.best(PurchaseKind.AGAIN, "item:soap", 5)]
    ['square', 'gap', 'again', 'bought', 'evidence']
    """

    def __init__(self, half_life: float, rows: int, members: int) -> None:
        decay = ForwardDecay(half_life * DAY)
        self._tables = {kind: DecayedTable(decay, rows, members) for kind in PurchaseKind}
        # What is squared grows twice as fast, in epochs of half the length: its scores are on the same axis.
        self._evidence = DecayedTable(ForwardDecay(half_life * DAY / 2), rows, members)

    def update(self, item: str, purchase: Purchase, weight: float, time: int) -> None:
        """Take in one purchase of a weight > 0."""
        tables = self._tables
        together = tables[PurchaseKind.TOGETHER]
        for mate in purchase.mates:
            together.add(mate, item, weight, time)
            together.add(item, mate, weight, time)
        for viewed in purchase.viewed:
            tables[PurchaseKind.THEN_BOUGHT].add(viewed, item, weight, time)
        again = tables[PurchaseKind.AGAIN]
        gap = log1p(purchase.days)
        for area in purchase.areas:
            again.add(area, BOUGHT, weight, time)
            self._evidence.add(area, EVIDENCE, weight * weight, time)
            if purchase.days > 0:
                again.add(area, AGAIN, weight, time)
                again.add(area, GAP, weight * gap, time)
                again.add(area, SQUARE, weight * gap * gap, time)

    def records(self) -> Iterator[PurchaseScores]:
        """What changed since the last call, each sum once with its newest score."""
        again = PurchaseKind.AGAIN
        for kind, table in (*self._tables.items(), (again, self._evidence)):
            if changes := table.changes():
                yield PurchaseScores(
                    kind.value,
                    [a for a, _, _ in changes],
                    [b for _, b, _ in changes],
                    [s for *_, s in changes],
                )

    def best(self, kind: PurchaseKind, row: str, most: int) -> list[tuple[str, float]]:
        """The members of a row by descending score."""
        found = self._tables[kind].best(row, most)
        return found + self._evidence.best(row, most) if kind is PurchaseKind.AGAIN else found

    def __len__(self) -> int:
        """How many sums are held."""
        return len(self._evidence) + sum(map(len, self._tables.values()))
