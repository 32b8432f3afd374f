"""What a list is filled with when no source has anything left: none is empty while anything may be shown."""

from __future__ import annotations

from operators.item_hash import hashes_of
from operators.shelf import Shelf
from operators.shelf_catalogue import may_show


def fill(
    items: list[str],
    length: int,
    shelf: Shelf,
    market: int,
    now: int,
    barred: set[str],
    barred_hashes: bytes,
) -> None:
    """Lengthen `items`, in place, to `length` where possible: with what trends anywhere, then in order of
    ids.

    Nothing is listed twice, nor barred, nor two items of one group. Hold the shelf's lock.
    """
    catalogue = shelf.catalogue.arrays
    hashes = set(hashes_of(barred_hashes).tolist())
    numbers = [shelf.number(item_id) for item_id in items]
    listed = set(numbers)
    groups = {int(catalogue.group[number]) for number in numbers} - {-1}
    trending = [number for number, _ in shelf.trending.of(shelf.everywhere)]
    for source in (trending, shelf.index.in_order()):
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
            ):
                continue
            listed.add(number)
            if group >= 0:
                groups.add(group)
            items.append(shelf.item_id(number))
