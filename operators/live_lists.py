"""Which list a user had when an event of theirs was sent: the log of lists, asked by the wall clock."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from schemas.records import Recommendation

SLOT = "home"
"""The slot whose lists are judged."""


class LiveList(NamedTuple):
    """A list as it was logged. `version` orders the lists of a user, `written_at` is wall clock in ms, `at` (event
    time, ms) as of when it was made."""

    version: str
    written_at: int
    rec_id: str
    items: tuple[str, ...]
    at: int = 0

    @property
    def covers(self) -> int:
        """How many of the user's events the list was made of."""
        return int(self.version.rpartition(".")[2])


class LiveLists:
    """The lists of all users, by the pseudonym, each with when Redis had it.

    Redis keeps the newest version, and of equal ones the last written: a job that goes on after a crash may
    write an older list again. So the list in force is the one of the greatest version among those written so far.

    >>> from schemas.redis_keys import seq
    >>> lists = LiveLists()
    >>> for n, at in ((1, 100), (3, 300), (2, 310)):
    ...     lists.take(Recommendation(rec_id=f"r{n}", uid="ann", seq=seq(0, n), at=0, written_at=at, model="m"))
    >>> lists.before("ann", 100), lists.before("ann", 301).covers, lists.before("ann", 400).covers
    (None, 3, 3)
    >>> lists.first_with("ann", 2), lists.newest("ann").rec_id
    (300, 'r3')
    """

    def __init__(self) -> None:
        self._lists: dict[str, list[LiveList]] = {}
        self.count = 0

    def take(self, made: Recommendation) -> None:
        """Take in a message of the log: those of a user in the order of writing. Only lists of `SLOT` count."""
        if made.slot != SLOT:
            return
        self.count += 1
        items = tuple(item.item_id for item in made.items)
        listed = LiveList(made.seq, made.written_at, made.rec_id, items, made.at)
        self._lists.setdefault(made.uid, []).append(listed)

    def before(self, uid: str, moment: int) -> LiveList | None:
        """The list in force just before `moment` (wall clock, ms); None where the user had none yet."""
        lists = self._lists.get(uid, [])
        written = bisect_left(lists, moment, key=lambda made: made.written_at)
        return max(lists[:written], default=None)

    def newest(self, uid: str) -> LiveList | None:
        """The list that Redis should hold now; None where the log has none of the user."""
        return max(self._lists.get(uid, []), default=None)

    def first_with(self, uid: str, covers: int) -> int | None:
        """When the first list was written that covers so many of the user's events (ms); None: not yet."""
        written = (made.written_at for made in self._lists.get(uid, []) if made.covers >= covers)
        return next(written, None)
