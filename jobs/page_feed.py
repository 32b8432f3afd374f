"""Pushes to every open page what changed in Redis: the users it watches, and what all pages share."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.page_catalogue import Catalogue
from jobs.page_view import Shown, events_covered, mentioned_items, read_list, read_user, shown_user
from schemas.redis_keys import RedisKeys

log = logging.getLogger(__name__)

POLL_S = 0.1
SLOTS_S = 2.0
"""How often the page looks which slots there are."""
CHASE_S = 0.004
CHASE_LIMIT_S = 10.0
MOST_PAGES = 64
WAITING_MESSAGES = 64
KEPT_ARRIVALS = 256

Stored = tuple[tuple[str, ...], tuple[bytes | None, ...]]
"""The slots beside `home`, and a user's values in Redis: list, profile, and the list of each of these."""

Message = tuple[str, Shown]
"""Name and data of a server-sent event."""


class TooManyPages(Exception):  # noqa: N818 (a state, not a fault)
    """As many pages are open as this server serves at once."""


class Subscription:
    """What one open page waits for; a page that does not keep up loses its oldest messages."""

    def __init__(self, uids: Iterable[str]) -> None:
        self.uids = frozenset(uids)
        self.messages: asyncio.Queue[Message] = asyncio.Queue(WAITING_MESSAGES)

    def put(self, message: Message) -> None:
        """Add a message, in the place of the oldest where there is no room."""
        if self.messages.full():
            self.messages.get_nowait()
        self.messages.put_nowait(message)


class Feed:
    """Reads the keys of watched users ten times a second and tells the pages that watch them of changes."""

    def __init__(self, redis: Redis, keys: RedisKeys, catalogue: Catalogue) -> None:
        self._redis = redis
        self._keys = keys
        self._catalogue = catalogue
        self._pages: set[Subscription] = set()
        self._stored: dict[str, Stored] = {}
        self._arrivals: deque[tuple[str, Message]] = deque(maxlen=KEPT_ARRIVALS)
        self._slots: tuple[str, ...] = ()
        self._looked = -math.inf

    @property
    def watched(self) -> bool:
        """Whether any page is open."""
        return bool(self._pages)

    @contextmanager
    def subscribed(self, uids: Iterable[str]) -> Iterator[Subscription]:
        """A page's subscription while it is open. Raises `TooManyPages`.

        It begins with the newest arrivals of its users: a list may arrive between two connections of one page,
        which passes over those that it has seen.
        """
        if len(self._pages) >= MOST_PAGES:
            raise TooManyPages
        page = Subscription(uids)
        for uid, message in self._arrivals:
            if uid in page.uids:
                page.put(message)
        self._pages.add(page)
        try:
            yield page
        finally:
            self._pages.discard(page)
            for uid in page.uids - self._all_uids():
                self._stored.pop(uid, None)

    def broadcast(self, name: str, data: Shown) -> None:
        """Send to every open page."""
        for page in self._pages:
            page.put((name, data))

    async def view(self, uid: str) -> Shown:
        """All that the page shows of a user, as Redis has it now."""
        return await self._view(uid, (await self._read([uid]))[0])

    async def keep(self) -> None:
        """Poll for ever while pages are open."""
        while True:
            await self.refresh(self._all_uids())
            await asyncio.sleep(POLL_S)

    async def refresh(self, uids: Iterable[str]) -> None:
        """Read these users and tell the pages that watch them what changed."""
        wanted = list(uids)
        for uid, stored in zip(wanted, await self._read(wanted), strict=True):
            if self._stored.get(uid) == stored:
                continue
            try:
                message = ("user", await self._view(uid, stored))
            except (RedisError, OSError):
                raise
            except Exception:  # one user's keys that cannot be shown take no other user's page away
                log.exception("the keys of a watched user cannot be shown until they change")
                self._stored[uid] = stored
                continue
            self._stored[uid] = stored
            self._tell(uid, message)

    async def chase(self, uid: str, covers: int, click: str, started: float) -> None:
        """Wait closely for the list that covers a visitor's `covers`-th event and tell their page at once.

        `started` is the monotonic second at which the click came in; gives up after `CHASE_LIMIT_S`.
        """
        while time.monotonic() - started < CHASE_LIMIT_S:
            if await self.events_covered_now(uid) >= covers:
                waited = 1_000 * (time.monotonic() - started)
                await self.refresh([uid])
                message = ("arrived", {"click": click, "server_ms": round(waited, 1)})
                self._arrivals.append((uid, message))
                self._tell(uid, message)
                return
            await asyncio.sleep(CHASE_S)

    async def events_covered_now(self, uid: str) -> int:
        """How many of the user's accepted events their list in Redis covers; 0 where there is none."""
        ranked = read_list(await self._redis.get(self._keys.rec(uid)))
        return events_covered(ranked) if ranked else 0

    def forget_readings(self) -> None:
        """Send every watched user whole with the next poll; for when Redis comes back."""
        self._stored.clear()

    def _all_uids(self) -> frozenset[str]:
        return frozenset().union(*(page.uids for page in self._pages))

    def _tell(self, uid: str, message: Message) -> None:
        for page in self._pages:
            if uid in page.uids:
                page.put(message)

    async def _read(self, uids: list[str]) -> list[Stored]:
        if not uids:
            return []
        slots = await self._known_slots()
        pipeline = self._redis.pipeline(transaction=False)
        for uid in uids:
            # In one command, so that all are of one version.
            pipeline.mget(
                self._keys.rec(uid), self._keys.profile(uid), *(self._keys.rec(uid, s) for s in slots)
            )
        return [(slots, tuple(values)) for values in await pipeline.execute()]

    async def _known_slots(self) -> tuple[str, ...]:
        now = time.monotonic()
        if now - self._looked >= SLOTS_S:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.smembers(self._keys.slots)
            [names] = await pipeline.execute()
            self._slots = tuple(sorted(name.decode() for name in names))
            self._looked = now
        return self._slots

    async def _view(self, uid: str, stored: Stored) -> Shown:
        slots, values = stored
        view = read_user(values, slots)
        items = await self._catalogue.items(mentioned_items(view))
        return shown_user(uid, view, items)
