"""The newest different things in a window, such as orders or items: exact up to how many are kept."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from hashlib import blake2b
from struct import Struct

from operators.item_facts import ItemFacts
from operators.segments.cell import NEVER, KeptCell
from operators.segments.fields import ATTRIBUTE, KEYS, text_reader
from operators.segments.literals import shown_duration
from operators.segments.selection import Selection
from schemas.records import Event

WIDTH = 16
"""Bytes of an entry: its time, then the hash of its key."""

MOST_KEYS = 128
_KEPT = (16, 64, MOST_KEYS)
_ENTRY = Struct("<q8s")
_TIME = Struct("<q")
_TIMES = [Struct("<" + "q8x" * n) for n in range(MOST_KEYS + 1)]
_ALWAYS = 1 << 61


@lru_cache(maxsize=4096)
def key_hash(key: str) -> bytes:
    """The 64 bits by which a key is known again: any two of 128 meet with chance 5e-16."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class NewestKeys(KeptCell):
    """The keys with the latest times, each with its own latest time, oldest first.

    A key that was dropped had as many newer ones beside it as are kept; it comes back with a newer event of it.

    >>> cell = NewestKeys(Selection(frozenset({"view"})), 1_000, 16, "item")
    >>> held = b""
    >>> for time, item in ((1, "a"), (2, "b"), (3, "a")):
    ...     event = Event(event_id=str(time), user_id="u", type="view", time=time, item_id=item)
    ...     held = cell.add(held, time, event, ItemFacts(), time)
    >>> cell.value(held, 3), cell.value(held, 1_002)
    (2.0, 1.0)
    """

    def __init__(self, selection: Selection, within: int | None, at_least: int, of: str) -> None:
        keep = next(each for each in _KEPT if each >= at_least)
        window = "" if within is None else f', within="{shown_duration(within)}"'
        super().__init__(f"newest {keep} by {of} ({selection}{window})", selection, WIDTH * keep)
        self.most = keep
        self.precision = f"exact up to {keep}, and never more"
        self._most_bytes = WIDTH * keep
        self._within = _ALWAYS if within is None else within
        self._key = text_reader(of) if of.startswith(ATTRIBUTE) else KEYS[of]

    def add(self, held: bytes, time: int, event: Event, facts: ItemFacts, now: int) -> bytes:
        key = self._key(event, facts)
        if key is None or time <= now - self._within:
            return held
        hashed = key_hash(key)
        there = _place(held, hashed)
        if there >= 0:
            if _TIME.unpack_from(held, there)[0] >= time:
                return held
            held = held[:there] + held[there + WIDTH :]
        if not held or time >= _TIME.unpack_from(held, len(held) - WIDTH)[0]:
            return (held + _ENTRY.pack(time, hashed))[-self._most_bytes :]
        at = bisect_right(_times(held), time) * WIDTH
        return (held[:at] + _ENTRY.pack(time, hashed) + held[at:])[-self._most_bytes :]

    def leaves(self, held: bytes, n: int) -> int:
        at = len(held) - WIDTH * n
        return 0 if at < 0 else int(_TIME.unpack_from(held, at)[0]) + self._within

    def value(self, held: bytes, now: int) -> float:
        """How many keys lie in the window, at most as many as are kept."""
        times = _times(held)
        return float(len(times) - bisect_right(times, now - self._within))

    def next_change(self, held: bytes, now: int) -> int:
        if self._within == _ALWAYS:
            return NEVER
        times = _times(held)
        at = bisect_right(times, now - self._within)
        return NEVER if at == len(times) else times[at] + self._within


def _place(held: bytes, hashed: bytes) -> int:
    """Where the entry of a key begins; -1 where there is none."""
    at = held.find(hashed)
    while at >= 0 and at % WIDTH != 8:
        at = held.find(hashed, at + 1)
    return at - 8 if at >= 0 else -1


def _times(held: bytes) -> tuple[int, ...]:
    return _TIMES[len(held) // WIDTH].unpack(held)
