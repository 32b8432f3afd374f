"""The segments view behind the page: counts over time, who entered and left, rules, and their check."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import msgspec
from redis.asyncio import Redis

from jobs.page_catalogue import Catalogue
from jobs.page_feed import Feed
from jobs.page_past import Past
from jobs.page_refusals import Refusals
from jobs.page_rules import DraftRule, Rules, shown_cost
from jobs.page_sample import EventSample
from jobs.page_topics import Followed
from jobs.page_view import Shown
from operators.item_facts import ItemFacts
from operators.segments import SegmentRefused, SegmentRule
from operators.user_step import StepSettings
from schemas.codec import CONTROLS, DRIFT_ALERTS, EVENTS, SEGMENT_CHANGES
from schemas.reason import UndecodableRecord
from schemas.records import Control
from schemas.redis_keys import RedisKeys

SEGMENTS = "segments"
"""Name of the hash of live counts among the figures of the workers: segment to users in it."""

EVERY_S = 1.0
KEPT_EVERY_S = 5.0
HISTORY = 720
SHOWN_CHANGES = 40
NEWEST_CHANGES = 10_000
NEWEST_ALERTS = 5_000
NEWEST_EVENTS = 100_000
NEWEST_STATUSES = 1_000


class PageSegments:
    """What the page tells of segments and of single users' past. Kafka may be away: then there are counts alone."""

    def __init__(
        self,
        redis: Redis,
        keys: RedisKeys,
        feed: Feed,
        catalogue: Catalogue,
        step: StepSettings,
        rules: tuple[SegmentRule, ...],
        reads_topics: bool,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._feed = feed
        self._catalogue = catalogue
        self._reads_topics = reads_topics
        self._checking = asyncio.Semaphore(1)
        self._history: deque[tuple[int, dict[str, int]]] = deque(maxlen=HISTORY)
        self._told = 0
        self.past = Past()
        self.rules = Rules(step, rules)
        self.sample = EventSample(step)
        self.refusals = Refusals(self._version_of)
        self.answers: deque[Shown] = deque(maxlen=20)

    def followed(self, events: str, control: str, status: str, changes: str, drift: str) -> list[Followed]:
        """The topics to be read, by their names."""
        return [
            Followed(control, self._take_control, None),
            Followed(changes, self._take_change, NEWEST_CHANGES),
            Followed(drift, self._take_alert, NEWEST_ALERTS),
            Followed(status, self._take_status, NEWEST_STATUSES),
            Followed(events, self._take_event, NEWEST_EVENTS),
        ]

    async def keep(self) -> None:
        """Read the counts and tell open pages of them and of new changes, for ever."""
        kept = float("-inf")
        redis: Any = self._redis  # redis-py gives every answer the types of its two clients
        while True:
            if self._feed.watched:
                counts = counts_of(await redis.hgetall(self._keys.stats(SEGMENTS)))
                if time.monotonic() - kept >= KEPT_EVERY_S:
                    self._history.append((time.time_ns() // 1_000_000, counts))
                    kept = time.monotonic()
                message: Shown = {"at": time.time_ns() // 1_000_000, "counts": counts}
                if self.past.taken != self._told:
                    self._told = self.past.taken
                    message["changes"] = self.past.newest(SHOWN_CHANGES)
                self._feed.broadcast("segments", message)
            await asyncio.sleep(EVERY_S)

    def overview(self, segment: str | None) -> Shown:
        """All that the view begins with; the changes of one segment where it is given."""
        return {
            "history": [{"at": at, "counts": counts} for at, counts in self._history],
            "changes": self.past.newest(SHOWN_CHANGES, segment),
            "rules": self.rules.shown(),
            "topics": self._reads_topics,
            "answers": list(self.answers),
        }

    async def check(self, draft: DraftRule) -> Shown:
        """Whether a rule can be taken; if so, its cost and how many would match now, else why not and where."""
        try:
            rule, book = self.rules.drafted(draft)
        except SegmentRefused as why:
            return {"ok": False, "error": why.why, "line": why.line, "column": why.column}
        answer: Shown = {"ok": True, "version": rule.version, **shown_cost(book, rule.name), "matches": None}
        if self._reads_topics:
            shown = await self._catalogue.items(self.sample.items())
            facts = {item: ItemFacts(entry["category"], entry["price"]) for item, entry in shown.items()}
            async with self._checking:
                found = await asyncio.to_thread(self.sample.matching, book, rule.name, facts)
            answer["matches"] = asdict(found)
        return answer

    def control_of(self, draft: DraftRule) -> Control:
        """The control message that puts a draft in force. Raises `SegmentRefused`."""
        rule, _ = self.rules.drafted(draft)
        return Control(kind="segment", name=rule.name, version=rule.version, body=rule.body())

    def _version_of(self, name: str) -> int | None:
        held = self.rules.book.rules.get(name)
        return None if held is None else held.version

    def _take_control(self, key: bytes | None, value: bytes, time: int) -> None:
        with suppress_unreadable():
            self.rules.take(CONTROLS.decode(value))

    def _take_change(self, key: bytes | None, value: bytes, time: int) -> None:
        with suppress_unreadable():
            self.past.take_change(SEGMENT_CHANGES.decode(value))

    def _take_alert(self, key: bytes | None, value: bytes, time: int) -> None:
        with suppress_unreadable():
            self.past.take_alert(DRIFT_ALERTS.decode(value))

    def _take_status(self, key: bytes | None, value: bytes, time: int) -> None:
        with suppress_unreadable():
            status = msgspec.json.decode(value, type=dict)
            if status.get("kind") == "segment":
                self.answers.append(status)
        self.refusals.take_status(value, time)

    def _take_event(self, key: bytes | None, value: bytes, time: int) -> None:
        # Producers key events by user: most need not be decoded.
        if key is None or self.sample.wants(key.decode(errors="replace")):
            with suppress_unreadable():
                self.sample.add(EVENTS.decode(value))


def counts_of(stored: Mapping[bytes, bytes]) -> dict[str, int]:
    """The live counts in a hash of Redis; what is no number is left out.

    >>> counts_of({b"vip": b"3", b"odd": b"x"})
    {'vip': 3}
    """
    return {name.decode(): int(count) for name, count in sorted(stored.items()) if count.isdigit()}


def suppress_unreadable() -> suppress:
    """A message that cannot be read is left out here: the job itself accounts for it."""
    return suppress(UndecodableRecord, msgspec.DecodeError)
