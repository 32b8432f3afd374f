"""What a sequence model learns from: each item that a user took, and the items that they had taken before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.recent_items import touch
from schemas.records import Event
from schemas.state import RecentItem

Ints = npt.NDArray[np.int32]

NO_ITEM = 0
"""The number of no item, in windows and in the graph that is made from them: items count from 1."""


@dataclass(frozen=True, eq=False)
class SequenceWindows:
    """n examples in order of time: the `items` int32[n, L] a user had taken, each once, newest first (0 past
    the end), and the `target` int32[n] that came next, which is none of them. Items are numbers from 1."""

    items: Ints
    target: Ints

    def __len__(self) -> int:
        return len(self.target)

    def part(self, first: int, end: int) -> SequenceWindows:
        """The examples from `first` to before `end`."""
        return SequenceWindows(self.items[first:end], self.target[first:end])


def windows_of(
    events: Iterable[Event], numbers: Mapping[str, int], types: Collection[str], length: int, remembered: int
) -> SequenceWindows:
    """The examples that `events`, in order of time, give.

    An event counts that has an item of `numbers` and one of the `types`. A record remembers `remembered`
    items in the way of the user step (operators/recent_items.py), so that a window is what the job would have
    seen just before the event: the `length` newest of those that have a number.

    >>> def view(user, item, time):
    ...     return Event(event_id="", user_id=user, type="view", time=time, item_id=item)
    >>> seen = [view("ann", "mug", 1), view("bob", "cup", 2), view("ann", "cup", 3), view("ann", "mug", 4)]
    >>> made = windows_of(seen, {"mug": 1, "cup": 2}, {"view"}, length=3, remembered=9)
    >>> made.items.tolist(), made.target.tolist()
    ([[1, 0, 0]], [2])
    """
    held: dict[str, list[RecentItem]] = {}
    items: list[list[int]] = []
    targets: list[int] = []
    for event in events:
        if event.item_id is None or event.type not in types:
            continue
        recent = held.setdefault(event.user_id, [])
        target = numbers.get(event.item_id, NO_ITEM)
        if target and recent:
            window = [numbers[r.item_id] for r in reversed(recent) if r.item_id in numbers][:length]
            if window and all(r.item_id != event.item_id for r in recent):
                items.append(window + [NO_ITEM] * (length - len(window)))
                targets.append(target)
        touch(recent, RecentItem(event.item_id, event.time, event.type, "?"), remembered)
    shape = (len(items), length)
    return SequenceWindows(np.array(items, np.int32).reshape(shape), np.array(targets, np.int32))
