"""How many users would match a rule now: asked of a sample of users, whose late events are kept here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from msgspec import structs

from operators.item_facts import NOTHING_KNOWN, Catalogue
from operators.segments import SegmentBook, SegmentStep
from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.segment_memory import SegmentMemory
from schemas.state import UserState

MOST_USERS = 1_000
MOST_EVENTS = 20_000
MOST_EVENTS_A_USER = 1_000
_HASHES = 1 << 32


def _hash(user_id: str) -> int:
    return crc32(user_id.encode())


@dataclass(frozen=True)
class Matches:
    """An answer, and from what it was made.

    `matching` of `asked` users match; `asked` is less than `users` where the time was up. The sample holds one
    in `one_in` users seen since `since` (event time, ms; None: nobody), by `events` events; `now` is the event
    time as of which they were asked.
    """

    matching: int
    asked: int
    users: int
    one_in: int
    events: int
    since: int | None
    now: int


class EventSample:
    """Late events of users drawn by the hash of their id, so that each is in it whole or not at all.

    When it is full, half of the users go, and only half as many are let in. May be used from several threads.

    >>> from operators.segments import SegmentRule
    >>> sample = EventSample(StepSettings())
    >>> for n in range(4):
    ...     sample.add(Event(event_id=str(n), user_id="u" + str(n % 3), type="view", time=n))
    >>> book = SegmentBook.of([SegmentRule(name="twice", when='count("view", within="1d") >= 2')])
    >>> found = sample.matching(book, "twice", {})
    >>> found.matching, found.asked, found.one_in, found.since
    (1, 3, 1, 0)
    """

    def __init__(
        self, settings: StepSettings, most_users: int = MOST_USERS, most_events: int = MOST_EVENTS
    ) -> None:
        self._settings = settings
        self._most_users = most_users
        self._most_events = most_events
        self._lock = threading.Lock()
        self._users: dict[str, deque[Event]] = {}
        self._records: dict[str, tuple[str, UserState]] = {}
        self._events = 0
        self._one_in = 1
        self._now = 0

    def wants(self, user_id: str) -> bool:
        """Whether events of this user are taken in now."""
        return _hash(user_id) * self._one_in < _HASHES

    def add(self, event: Event) -> None:
        """Take in an event, if it is of a user of the sample."""
        with self._lock:
            self._now = max(self._now, event.time)
            if event.type == "forget":
                self._drop(event.user_id)
            elif self.wants(event.user_id):
                events = self._users.setdefault(event.user_id, deque(maxlen=MOST_EVENTS_A_USER))
                self._events += len(events) < MOST_EVENTS_A_USER
                events.append(event)
                if len(self._users) > self._most_users or self._events > self._most_events:
                    self._one_in *= 2
                    for user_id in [user_id for user_id in self._users if not self.wants(user_id)]:
                        self._drop(user_id)

    def items(self) -> set[str]:
        """The items of all events that are held."""
        with self._lock:
            return {event.item_id for events in self._users.values() for event in events if event.item_id}

    def matching(self, book: SegmentBook, name: str, facts: Catalogue, seconds: float = 2.0) -> Matches:
        """How many are in the segment `name` of the book now, asking as many as `seconds` allow."""
        with self._lock:
            users = {user_id: list(events) for user_id, events in self._users.items()}
            one_in, now = self._one_in, self._now
        end = time.monotonic() + seconds
        step = SegmentStep(book)
        matching = asked = 0
        # By hash: whoever is asked before the time is up are a fair part of all.
        for user_id in sorted(users, key=_hash):
            events = users[user_id]
            if asked and time.monotonic() > end:
                break
            # What an event changes about a record is done once; a rule's own counts begin anew each time.
            record = structs.replace(
                self._record(user_id, events, facts), segment_memory=SegmentMemory(), segments=[]
            )
            for event in events:
                item = event.item_id
                step.update(
                    record,
                    event,
                    NOTHING_KNOWN if item is None else facts.get(item, NOTHING_KNOWN),
                    event.time,
                )
            step.advance(record, now)
            asked += 1
            matching += name in record.segments
        earliest = min((events[0].time for events in users.values()), default=None)
        held = sum(map(len, users.values()))
        return Matches(matching, asked, len(users), one_in, held, earliest, now)

    def _record(self, user_id: str, events: Iterable[Event], facts: Catalogue) -> UserState:
        *_, newest = events
        held = self._records.get(user_id)
        if held is not None and held[0] == newest.event_id:
            return held[1]
        step = UserStep(self._settings, facts)
        record = UserState(user_id, born=0)
        for event in events:
            step.update(record, event, None)
        self._records[user_id] = (newest.event_id, record)
        return record

    def _drop(self, user_id: str) -> None:
        self._events -= len(self._users.pop(user_id, ()))
        self._records.pop(user_id, None)
