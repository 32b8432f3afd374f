"""One number over all events of a user, without a window."""

from __future__ import annotations

from struct import Struct

from operators.item_facts import ItemFacts
from operators.segments.cell import NEVER, NumberCell
from operators.segments.fields import NUMBERS
from operators.segments.selection import Selection
from schemas.records import Event

_DOUBLE = Struct("<d")
_TWO = Struct("<dd")


class Latest(NumberCell):
    """The time (ms) of the latest selected event, or of the first one where `first`.

    >>> cell = Latest(Selection(frozenset({"view"})))
    >>> event = Event(event_id="e", user_id="u", type="view", time=5)
    >>> cell.value(cell.add(cell.add(b"", 5, event, ItemFacts(), 5), 3, event, ItemFacts(), 5), 9)
    5.0
    """

    def __init__(self, selection: Selection, *, first: bool = False) -> None:
        super().__init__(f"{'first' if first else 'last'} time ({selection})", selection, _DOUBLE.size)
        self._first = first

    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        if held and (_DOUBLE.unpack(held)[0] <= time) is self._first:
            return held
        return _DOUBLE.pack(time)

    def value(self, held: bytes, now: int) -> float | None:
        return float(_DOUBLE.unpack(held)[0]) if held else None

    def next_change(self, held: bytes, now: int) -> int:
        return NEVER


class Total(NumberCell):
    """The count, sum, minimum or maximum of a field over all selected events.

    A sum is kept with its rounding error (Neumaier), so that it does not depend on the order of the events
    but in the last digit. A count is of the events that have the field, or of all where `of` is empty.

    >>> cell = Total("sum", Selection(frozenset({"dwell"})), "value")
    >>> event = Event(event_id="e", user_id="u", type="dwell", time=5, value=2.5)
    >>> cell.value(cell.add(cell.add(b"", 5, event, ItemFacts(), 5), 5, event, ItemFacts(), 5), 9)
    5.0
    """

    def __init__(self, function: str, selection: Selection, of: str) -> None:
        super().__init__(f"total {function} {of} ({selection})", selection, _TWO.size)
        self._function = function
        self._read = NUMBERS[of] if of else None

    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        number = 1.0 if self._read is None else self._read(event, facts)
        if number is None:
            return held
        function = self._function
        number = 1.0 if function == "count" else float(number)
        if not held:
            return _TWO.pack(number, 0.0)
        total, lost = _TWO.unpack(held)
        if function == "minimum":
            return held if total <= number else _TWO.pack(number, 0.0)
        if function == "maximum":
            return held if total >= number else _TWO.pack(number, 0.0)
        grown = total + number
        lost += (total - grown) + number if abs(total) >= abs(number) else (number - grown) + total
        return _TWO.pack(grown, lost)

    def value(self, held: bytes, now: int) -> float | None:
        if not held:
            return 0.0 if self._function in ("count", "sum") else None
        total, lost = _TWO.unpack(held)
        return float(total + lost)

    def next_change(self, held: bytes, now: int) -> int:
        return NEVER
