"""The items that a user touched last, each once, oldest first."""

from __future__ import annotations

from schemas.state import RecentItem


def touch(recent: list[RecentItem], item: RecentItem, most: int) -> None:
    """Put `item` in its place by time; an earlier touch of the same item gives way, the oldest falls out.

    >>> r = []
    >>> for i, t in (("a", 1), ("b", 3), ("a", 4), ("c", 2)): touch(r, RecentItem(i, t, "view", "?"), most=2)
    >>> [x.item_id for x in r]
    ['b', 'a']
    """
    for at, held in enumerate(recent):
        if held.item_id == item.item_id:
            if held.time > item.time:
                return
            del recent[at]
            break
    at = len(recent)
    while at and recent[at - 1].time > item.time:
        at -= 1
    recent.insert(at, item)
    if len(recent) > most:
        del recent[0]


def before(
    recent: list[RecentItem], item_id: str, time: int, window: int, most: int
) -> list[tuple[str, int]]:
    """Up to `most` other items touched at most `window` ms around `time`, newest first, with the ms that lie between.

    >>> r = [RecentItem("a", 1, "view", "?"), RecentItem("b", 3, "view", "?")]
    >>> before(r, "c", 4, window=2, most=3)
    [('b', 1)]
    """
    found: list[tuple[str, int]] = []
    for held in reversed(recent):
        apart = abs(time - held.time)
        if held.item_id != item_id and apart <= window:
            found.append((held.item_id, apart))
            if len(found) == most:
                break
    return found
