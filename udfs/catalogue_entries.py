"""Entries of the catalogue on their way to the item side, each with when it came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from operators.dead_letters import Rejected
from operators.shelf_records import Arrivals, Items, ShelfRecord
from schemas.records import Item

_AT_ONCE = 1_000


def entered(items: Sequence[tuple[Item, int]]) -> list[ShelfRecord]:
    """The records of entries that came at these times (ms). A deleted one did not arrive.

    >>> [type(record).__name__ for record in entered([(Item(item_id="mug"), 1)])]
    ['Arrivals', 'Items']
    """
    entries = Items([item for item, _ in items])
    arrived = [(item.item_id, at) for item, at in items if not item.deleted]
    new = Arrivals([item for item, _ in arrived], [at for _, at in arrived])
    return [new, entries] if arrived else [entries]


def bring_back(
    messages: Iterable[tuple[bytes, int]],
    accept: Callable[[bytes], Item | Rejected],
    write: Callable[[Sequence[ShelfRecord]], Any],
) -> None:
    """Write what the catalogue topic holds, each message with its time (ms).

    For a Redis that has none of it: a job that goes on from a checkpoint reads no entry of before again.
    """
    read = ((accept(message), at) for message, at in messages)
    items = ((item, at) for item, at in read if isinstance(item, Item))
    while some := list(islice(items, _AT_ONCE)):
        write(entered(some))
