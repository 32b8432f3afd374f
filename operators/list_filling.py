"""What a list is filled with when no source has anything left: none is empty while anything may be shown."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from operators.item_hash import hashes_of
from operators.shelf import Shelf
from operators.shelf_catalogue import may_show

LOOKED_AT = 512
"""A narrow filter must not walk the whole catalogue: as many items as stand in order without sorting."""


def fill(
    items: list[str],
    length: int,
    shelf: Shelf,
    market: int,
    now: int,
    barred: set[str],
    barred_hashes: bytes,
    passes: Callable[[int], bool] | None = None,
) -> None:
    """Lengthen `items`, in place, to `length` where possible: with what trends anywhere, then in order of
    ids.

    Nothing is listed twice, nor barred, nor two items of one group, nor what `passes` refuses by its number: with
    it, at most `LOOKED_AT` items are looked at in order of ids. Hold the shelf's lock.
    """
    catalogue = shelf.catalogue.arrays
    hashes = set(hashes_of(barred_hashes).tolist())
    numbers = [shelf.number(item_id) for item_id in items]
    listed = set(numbers)
    groups = {int(catalogue.group[number]) for number in numbers} - {-1}
    trending = [number for number, _ in shelf.trending.of(shelf.everywhere)]
    in_order = shelf.index.in_order()
    for source in (trending, in_order if passes is None else islice(in_order, LOOKED_AT)):
        for number in source:
            if len(items) >= length:
                return
            group = int(catalogue.group[number])
            if (
                number in listed
                or group in groups
                or int(catalogue.id_hash[number]) in hashes
                or not may_show(catalogue, number, market, now)
                or shelf.item_id(number) in barred
                or (passes is not None and not passes(number))
            ):
                continue
            listed.add(number)
            if group >= 0:
                groups.add(group)
            items.append(shelf.item_id(number))
