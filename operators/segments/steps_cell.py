"""Which first step came last before the user's latest second step."""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct

from operators.item_facts import ItemFacts
from operators.segments.cell import Adding, Cell
from operators.segments.selection import Selection
from schemas.records import Event

WAITING = 32
"""How many first steps are kept that came after the latest second step: a second step may still come late."""

_LISTS = [Struct(f"<{n}q") for n in range(WAITING + 3)]
_NONE = -(1 << 62)


class StepsCell(Cell):
    """The latest second step, the latest first step not after it, and the newest first steps after it.

    Exact unless more than `WAITING` first steps overtake a second step that comes late.

    >>> cell = StepsCell(Selection(frozenset({"view"})), Selection(frozenset({"purchase"})))
    >>> event = Event(event_id="e", user_id="u", type="view", time=5)
    >>> held = cell.add_second(cell.add_first(b"", 5, event, ItemFacts(), 5), 9, event, ItemFacts(), 9)
    >>> cell.apart(held), cell.apart(b"")
    (4, None)
    """

    precision = f"exact, unless more than {WAITING} first steps overtake a second step that comes late"

    def __init__(self, first: Selection, second: Selection) -> None:
        super().__init__(f"steps ({first}) then ({second})", 8 * (WAITING + 2))
        self._first = first
        self._second = second

    @property
    def sees(self) -> tuple[tuple[Selection, Adding], ...]:
        return ((self._first, self.add_first), (self._second, self.add_second))

    def add_first(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        """The bytes after a first step."""
        second, before, waiting = _read(held)
        if time <= second:
            return held if time <= before else _packed(second, time, waiting)
        waiting.insert(bisect_right(waiting, time), time)
        return _packed(second, before, waiting[-WAITING:])

    def add_second(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        """The bytes after a second step."""
        second, before, waiting = _read(held)
        if time <= second:
            return held
        at = bisect_right(waiting, time)
        if at:
            before = waiting[at - 1]
        return _packed(time, before, waiting[at:])

    def apart(self, held: bytes) -> int | None:
        """The ms from the first step to the latest second step; None where there are no two."""
        second, before, _ = _read(held)
        return None if _NONE in (second, before) else second - before


def _read(held: bytes) -> tuple[int, int, list[int]]:
    if not held:
        return _NONE, _NONE, []
    second, before, *waiting = _LISTS[len(held) // 8].unpack(held)
    return second, before, waiting


def _packed(second: int, before: int, waiting: list[int]) -> bytes:
    return _LISTS[2 + len(waiting)].pack(second, before, *waiting)
