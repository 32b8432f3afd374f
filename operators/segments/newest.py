"""The times of the newest events in a window: exact for "at least n", whatever the user does."""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct

from operators.item_facts import ItemFacts
from operators.segments.cell import NEVER, KeptCell
from operators.segments.literals import shown_duration
from operators.segments.selection import Selection
from schemas.records import Event

_TIME = Struct("<q")
_pack, _unpack_from = _TIME.pack, _TIME.unpack_from
WIDTH = 8

MOST_TIMES = 64
_KEPT = (16, MOST_TIMES)
"""How many times a cell keeps: the first that suffices, so that a rule's number can change and the cell stay."""

_LISTS = [Struct(f"<{n}q") for n in range(MOST_TIMES + 2)]


class Newest(KeptCell):
    """The times of the newest selected events, oldest first, as 64-bit numbers.

    Older ones need not be kept: whether n events lie in the window, the n-th newest decides alone.

    >>> cell = Newest(Selection(frozenset({"view"})), 1_000, 3)
    >>> event = Event(event_id="e", user_id="u", type="view", time=5)
    >>> held = cell.add(cell.add(b"", 5, event, ItemFacts(), 5), 3, event, ItemFacts(), 5)
    >>> cell.value(held, 5), cell.leaves(held, 2), cell.value(held, 1_003)
    (2.0, 1003, 1.0)
    """

    def __init__(self, selection: Selection, within: int, at_least: int) -> None:
        keep = next(each for each in _KEPT if each >= at_least)
        super().__init__(
            f'newest {keep} ({selection}, within="{shown_duration(within)}")', selection, WIDTH * keep
        )
        self.most = keep
        self._within = within
        self._most_bytes = WIDTH * keep

    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        if not held:
            return _pack(time) if time > now - self._within else held
        if time >= _unpack_from(held, len(held) - WIDTH)[0]:
            held += _pack(time)
        elif time <= now - self._within:
            return held
        else:
            times = _LISTS[len(held) // WIDTH].unpack(held)
            at = bisect_right(times, time) * WIDTH
            held = held[:at] + _pack(time) + held[at:]
        return held[-self._most_bytes :]

    def leaves(self, held: bytes, n: int) -> int:
        at = len(held) - WIDTH * n
        return 0 if at < 0 else int(_unpack_from(held, at)[0]) + self._within

    def value(self, held: bytes, now: int) -> float:
        """How many of the newest events lie in the window."""
        times = _LISTS[len(held) // WIDTH].unpack(held)
        return float(len(times) - bisect_right(times, now - self._within))

    def next_change(self, held: bytes, now: int) -> int:
        times = _LISTS[len(held) // WIDTH].unpack(held)
        at = bisect_right(times, now - self._within)
        return NEVER if at == len(times) else times[at] + self._within
