"""A shelf as the records that build it anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from operators.item_step import ITEM_AREA
from operators.purchase_sums import PurchaseKind
from operators.repeats import MEMBERS
from operators.shelf_records import (
    Arrivals,
    CoVisits,
    Items,
    Popularity,
    PurchaseScores,
    SessionSteps,
    ShelfRecord,
)

if TYPE_CHECKING:
    from operators.shelf import Shelf


def dumped(shelf: Shelf, slice_length: int) -> Iterator[ShelfRecord]:
    """Records of at most `slice_length` entries each; see `Shelf.dump`."""
    numbered = list(shelf.index.items())
    # Before the entries: an item that is known already does not arrive any more.
    arrivals = [(shelf.index.item_id(number), time) for number, time in shelf.new_items.items()]
    if arrivals:
        yield Arrivals([item for item, _ in arrivals], [time for _, time in arrivals])
    yield from shelf.stream.rows()
    entries = (entry for _, number in numbered if (entry := shelf.catalogue.entry(number)) is not None)
    while some := list(islice(entries, slice_length)):
        yield Items(some)
    item_id = shelf.index.item_id
    for rows, kind in (
        (shelf.neighbours, None),
        (shelf.together, PurchaseKind.TOGETHER),
        (shelf.then_bought, PurchaseKind.THEN_BOUGHT),
    ):
        pairs = ((a, item_id(b), s) for a, row in numbered for b, s in rows.of(row))
        while triples := list(islice(pairs, slice_length)):
            columns = [a for a, _, _ in triples], [b for _, b, _ in triples], [s for *_, s in triples]
            yield CoVisits(*columns) if kind is None else PurchaseScores(kind.value, *columns)
    sums = _repeats(shelf, numbered)
    while triples := list(islice(sums, slice_length)):
        yield PurchaseScores(
            PurchaseKind.AGAIN.value,
            [a for a, _, _ in triples], [b for _, b, _ in triples], [s for *_, s in triples],
        )  # fmt: skip
    popular = (
        (scope, item_id(item), s)
        for row, scope in enumerate(shelf.scopes.names)
        if row < len(shelf.trending.arrays.filled)
        for item, s in shelf.trending.of(row)
    )
    while triples := list(islice(popular, slice_length)):
        yield Popularity([a for a, _, _ in triples], [b for _, b, _ in triples], [s for *_, s in triples])
    everywhere = shelf.scopes.names[shelf.everywhere]
    scores = ((a, float(shelf.popularity[row])) for a, row in numbered if shelf.popularity[row] > -np.inf)
    while some_scores := list(islice(scores, slice_length)):
        yield Popularity(
            [everywhere] * len(some_scores), [a for a, _ in some_scores], [s for _, s in some_scores]
        )
    keys, items, times = shelf.sessions.steps()
    for at in range(0, len(keys), slice_length):
        part = slice(at, at + slice_length)
        yield SessionSteps(
            keys[part].tolist(), [item_id(i) for i in items[part].tolist()], times[part].tolist()
        )


def _repeats(shelf: Shelf, numbered: list[tuple[str, int]]) -> Iterator[tuple[str, str, float]]:
    """(area, member, score) of the sums of what is bought again."""
    items, scopes = shelf.repeats.sums()
    areas = [(ITEM_AREA + item_id, items[number]) for item_id, number in numbered if number < len(items)]
    areas += [(name, scopes[row]) for row, name in enumerate(shelf.scopes.names) if row < len(scopes)]
    for area, sums in areas:
        for member, score in zip(MEMBERS, sums.tolist(), strict=True):
            if score > -np.inf:
                yield area, member, score
