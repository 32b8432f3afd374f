"""What segment rules remember of one user."""

from __future__ import annotations

import msgspec


class SegmentMemory(msgspec.Struct, array_like=True):
    """The cells that the rules count in, and when a membership could next change without an event.

    `cells` holds packed numbers by the key of the cell (operators/segments/cell.py), `dues` by segment the
    earliest event time in ms at which time alone could change the membership. `now` is the event time as of
    which the memberships hold, and `book` the fingerprint of the rules that they were judged by (0: none yet).
    """

    version: int = 1
    cells: dict[int, bytes] = msgspec.field(default_factory=dict)
    dues: dict[str, int] = msgspec.field(default_factory=dict)
    now: int = 0
    book: int = 0
