"""A count, sum, minimum, maximum or first time over a sliding window: exact while few, then in buckets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from math import fsum
from operator import add, ge, le
from struct import Struct

from operators.item_facts import ItemFacts
from operators.segments.cell import NEVER, NumberCell
from operators.segments.fields import NUMBERS, NumberReader
from operators.segments.literals import shown_duration
from operators.segments.selection import Selection
from schemas.records import Event

BUCKETS = 64
"""How many events a window keeps as they are, and into how many buckets it is cut when there are more."""

_EXACT = b"\x00"
_BUCKETED = b"\x01"
_MOST = BUCKETS + 2
_WIDTH = 16
_entry = Struct("<qd").pack
_entry_at = Struct("<qd").unpack_from
_time_at = Struct("<q").unpack_from
_ENTRIES = [Struct("<" + "qd" * n).pack for n in range(_MOST + 1)]
_TIMES = [Struct("<x" + "q8x" * n).unpack for n in range(_MOST + 1)]
_NUMBERS = [Struct("<x" + "8xd" * n).unpack for n in range(_MOST + 1)]
"""Bound to what they do, by how many entries: a user's event passes through them once for each rule."""

_FIRST = 1
_EXACT_BYTE = 0
_FULL = 1 + _WIDTH * BUCKETS
"""How long the exact form grows."""


def _least_of(numbers: Sequence[float]) -> float | None:
    return min(numbers, default=None)


def _greatest_of(numbers: Sequence[float]) -> float | None:
    return max(numbers, default=None)


_REDUCE: dict[str, Callable[[Sequence[float]], float | None]] = {
    "count": partial(sum, start=0.0),  # whole numbers: nothing is rounded
    "sum": fsum,
    "minimum": _least_of,
    "maximum": _greatest_of,
    "first": _least_of,
}


_JOINED: dict[str, Callable[[float, float], float]] = {
    "count": add,
    "sum": add,
    "minimum": min,
    "maximum": max,
    "first": min,
}
"""What a bucket holds after one number more."""


def _number_of(function: str, of: str) -> NumberReader:
    """What an event counts for in a window; None: it does not count."""
    if not of:
        return lambda event, facts: 1.0
    read = NUMBERS[of]
    if function != "count":
        return read
    return lambda event, facts: None if read(event, facts) is None else 1.0


class Window(NumberCell):
    """A byte for the form, then entries of time and number, oldest first.

    In the exact form an entry is an event. With more than `BUCKETS` in the window, an entry is a bucket: the
    window is cut into `BUCKETS` parts at fixed points of time, and a part leaves as a whole when its end does. So the
    window then reaches back up to 1/64 further than it should, and never less far. A cell goes back to the exact form
    when nothing is left in its window. Of minimum and maximum, what a later event outdoes is not kept.

    >>> cell = Window("sum", Selection(frozenset({"dwell"})), 1_000, "value")
    >>> held = b""
    >>> for time in (1, 2, 900):
    ...     event = Event(event_id=str(time), user_id="u", type="dwell", time=time, value=0.5)
    ...     held = cell.add(held, time, event, ItemFacts(), time)
    >>> cell.value(held, 900), cell.value(held, 1_001), cell.next_change(held, 1_001)
    (1.5, 1.0, 1002)
    """

    def __init__(self, function: str, selection: Selection, within: int, of: str) -> None:
        window = shown_duration(within)
        super().__init__(f'{function} {of} ({selection}, within="{window}")', selection, 1 + _WIDTH * _MOST)
        self._function = function
        self._within = within
        self._bucket = -(-within // BUCKETS)
        self.precision = (
            f"exact while at most {BUCKETS} events lie in the window; with more, the window may reach back "
            f"{shown_duration(self._bucket)} further"
        )
        self._number = _number_of(function, of)
        self._reduce = _REDUCE[function]
        self._outdone: Callable[[float, float], bool] | None = {
            "minimum": ge,
            "maximum": le,
        }.get(function)
        self._joined = _JOINED[function]

    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        number = time if self._function == "first" else self._number(event, facts)
        edge = now - self._within
        if number is None:
            return held
        if not held:
            return b"" if time <= edge else _EXACT + _entry(time, number)
        if time <= edge or self._outdone is not None:
            return self._merged(held, time, number, edge)
        last, latest = _entry_at(held, len(held) - _WIDTH)
        if held[0] == _EXACT_BYTE:
            if time >= last:
                if len(held) >= _FULL and last > edge:
                    held = self._inside(held, edge)
                if len(held) < _FULL:
                    return held + _entry(time, number)
        elif time > last > edge:
            return self._inside(held, edge) + _entry(self._end(time), number)
        elif last - self._bucket < time <= last:
            return held[:-_WIDTH] + _entry(last, self._joined(latest, number))
        return self._merged(held, time, number, edge)

    def _inside(self, held: bytes, edge: int) -> bytes:
        """What is held without that which has left the window; the last entry is in it."""
        if _time_at(held, _FIRST)[0] > edge:
            return held
        begin = _FIRST + _WIDTH
        while _time_at(held, begin)[0] <= edge:
            begin += _WIDTH
        return held[:_FIRST] + held[begin:]

    def _merged(self, held: bytes, time: int, number: float, edge: int) -> bytes:
        form = held[:1]
        n = len(held) // _WIDTH
        times, numbers = list(_TIMES[n](held)), list(_NUMBERS[n](held))
        begin = bisect_right(times, edge)
        if begin == len(times):
            form = _EXACT
        if form == _BUCKETED:
            time = self._end(time)
        if time <= edge:
            return held
        del times[:begin], numbers[:begin]
        self._put(times, numbers, time, number, merging=form == _BUCKETED)
        if len(times) > BUCKETS and form == _EXACT:
            form = _BUCKETED
            times, numbers = self._bucketed(times, numbers)
        entries: list[float] = [0] * (2 * len(times))
        entries[::2], entries[1::2] = times, numbers
        return form + _ENTRIES[len(times)](*entries)

    def value(self, held: bytes, now: int) -> float | None:
        return self.look(held, now)[0]

    def next_change(self, held: bytes, now: int) -> int:
        if not held:
            return NEVER
        first: int = _time_at(held, _FIRST)[0]
        if first > now - self._within:
            return first + self._within
        return self.look(held, now)[1]

    def look(self, held: bytes, now: int) -> tuple[float | None, int]:
        if not held:
            return self._reduce(()), NEVER
        n = len(held) // _WIDTH
        edge = now - self._within
        begin, first = 0, _time_at(held, _FIRST)[0]
        if first <= edge:
            times = _TIMES[n](held)
            begin = bisect_right(times, edge)
            if begin == n:
                return self._reduce(()), NEVER
            first = times[begin]
        if self._function == "count" and held[0] == _EXACT_BYTE:
            return float(n - begin), first + self._within
        numbers = _NUMBERS[n](held)
        return self._reduce(numbers[begin:] if begin else numbers), first + self._within

    def _end(self, time: int) -> int:
        """The last ms of the bucket in which `time` lies."""
        return (time // self._bucket + 1) * self._bucket - 1

    def _bucketed(self, times: list[int], numbers: list[float]) -> tuple[list[int], list[float]]:
        bucket, join = self._bucket, self._joined
        ends: list[int] = []
        joined: list[float] = []
        end, held = -1, 0.0
        for time, number in zip(times, numbers, strict=True):
            if time <= end:
                held = join(held, number)
                continue
            if ends:
                joined.append(held)
            end, held = (time // bucket + 1) * bucket - 1, number
            ends.append(end)
        joined.append(held)
        return ends, joined

    def _put(
        self, times: list[int], numbers: list[float], time: int, number: float, *, merging: bool
    ) -> None:
        at = bisect_right(times, time)
        outdone = self._outdone
        if outdone is not None:
            if at < len(times) and outdone(number, numbers[at]):
                return
            if at and times[at - 1] == time and outdone(number, numbers[at - 1]):
                return
            first = at
            while first and outdone(numbers[first - 1], number):
                first -= 1
            times[first:at] = [time]
            numbers[first:at] = [number]
        elif merging and at and times[at - 1] == time:
            numbers[at - 1] = self._joined(numbers[at - 1], number)
        else:
            times.insert(at, time)
            numbers.insert(at, number)
