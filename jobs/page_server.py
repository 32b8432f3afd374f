"""Everything behind the demo page, put together: connections, background tasks, and what is away."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.flink_rest import FlinkRest
from jobs.page_catalogue import Catalogue
from jobs.page_clicks import ClickProducer
from jobs.page_directory import Directory
from jobs.page_feed import Feed, Message
from jobs.page_figures import SharedFigures
from jobs.page_rules import DraftRule
from jobs.page_segments import PageSegments
from jobs.page_tasks import AGAIN_S, end_tasks, through_faults
from jobs.page_topics import TopicReader
from jobs.page_view import Shown, ranked_items
from jobs.page_visitors import Click, Visitors, event_of
from operators.kafka_access import KafkaAccess
from operators.segments import SegmentRule
from operators.user_step import StepSettings
from schemas.codec import CONTROLS
from schemas.pseudonym import UID_LENGTH, Pseudonym
from schemas.redis_keys import RedisKeys
from schemas.stats import RECENT, RECENT_LENGTH

log = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 3.0
_UID = re.compile(f"[0-9a-f]{{{UID_LENGTH}}}")


@dataclass(frozen=True)
class PageSettings:
    """What the page reads and writes. `secret` keys the pseudonyms, as in the job that fills Redis.

    `kafka` None: visitors cannot click, and nothing is told of users' past. `flink` None: no event rate and no
    link to Flink's web UI. `rules` are the segments that the job begins with.
    """

    redis_url: str
    secret: bytes
    kafka: KafkaAccess | None = None
    flink: str | None = None
    events_topic: str = "headrace.events"
    prefix: str = "hr"
    control_topic: str = "headrace.control"
    control_status_topic: str = "headrace.control-status"
    segment_changes_topic: str = "headrace.segment-changes"
    drift_topic: str = "headrace.drift"
    step: StepSettings = StepSettings()
    rules: tuple[SegmentRule, ...] = ()


class PageServer:
    """The page's connections and tasks. Redis, Kafka and Flink may be away at any time and come back."""

    def __init__(self, settings: PageSettings, clicks: ClickProducer | None) -> None:
        self.settings = settings
        self.keys = RedisKeys(settings.prefix)
        self.redis = Redis.from_url(
            settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )
        self.catalogue = Catalogue(self.redis, self.keys)
        self.directory = Directory(self.redis, self.keys, self.catalogue)
        self.feed = Feed(self.redis, self.keys, self.catalogue)
        flink = FlinkRest(settings.flink) if settings.flink else None
        self.segments = PageSegments(
            self.redis,
            self.keys,
            self.feed,
            self.catalogue,
            settings.step,
            settings.rules,
            settings.kafka is not None,
        )
        refusals = self.refusals = self.segments.refusals
        self.figures = SharedFigures(
            self.redis, self.keys, self.feed, self.catalogue, flink, refusals.take_workers
        )
        self.clicks = clicks
        self._topics = self._topic_reader()
        self.visitors = Visitors()
        self.ending = asyncio.Event()
        self._pseudonym = Pseudonym(settings.secret)
        self._redis_answers = True
        self._chases: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the background tasks while the page is served."""
        self._loop = asyncio.get_running_loop()
        keeps = [
            partial(self._through_outages, keep)
            for keep in (self.feed.keep, self.figures.keep, self.segments.keep, self.directory.keep)
        ]
        keeps += [partial(self.figures.keep_flink), partial(self._tell_health)]
        keeps.append(partial(self.refusals.keep, self.feed))
        if self.clicks is not None:
            keeps.append(partial(self.clicks.keep))
        tasks = [asyncio.create_task(through_faults(keep)) for keep in keeps]
        if self._topics is not None:
            self._topics.start()
        try:
            yield
        finally:
            self.ending.set()
            await end_tasks((*tasks, *self._chases))
            # Each may wait some seconds for Kafka, so they end side by side.
            await asyncio.gather(self._end_topics(), self._end_clicks(), self.redis.aclose())

    def end_soon(self) -> None:
        """Let open streams end, so that the web server need not wait for them. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.ending.set)

    def health(self) -> Shown:
        """What answers: true, false, or null where it is not configured."""
        return {
            "redis": self._redis_answers,
            "kafka": self.clicks.reachable if self.clicks is not None else None,
            "flink": self.figures.flink_answers,
        }

    def first_messages(self) -> list[Message]:
        """What a page gets as soon as it opens."""
        return [
            ("hello", {"flink": self.settings.flink, "history": list(self.figures.history)}),
            ("health", self.health()),
            ("recent", {"users": self.figures.recent}),
            ("refused", {"refused": self.refusals.shown()}),
        ]

    async def find_user(self, text: str) -> Shown:
        """The pseudonym of a raw user id, or `text` itself where it is a pseudonym that has a list.

        Raises `ValueError` for an empty id.
        """
        as_uid = text.strip().lower()
        if _UID.fullmatch(as_uid) and await self.redis.exists(self.keys.rec(as_uid)):
            return {"uid": as_uid, "found": True}
        uid = self._pseudonym.of(text)
        return {"uid": uid, "found": bool(await self.redis.exists(self.keys.rec(uid)))}

    async def surprise(self) -> str | None:
        """The pseudonym of a user picked at random among the newest, or among all; None without any."""
        uids = await self.redis.lrange(self.keys.stats(RECENT), 0, RECENT_LENGTH - 1)
        if uids:
            return str(random.choice(uids).decode())
        start, end = self.keys.rec("\0").split("\0")
        found: list[str] = []
        async for key in self.redis.scan_iter(match=self.keys.rec("*"), count=1_000):
            found.append(key.decode().removeprefix(start).removesuffix(end))
            if len(found) == RECENT_LENGTH:
                break
        return random.choice(found) if found else None

    async def trending(self, scope: str) -> list[Shown]:
        """Catalogue entries that are popular within `scope` now, best first."""
        ids = ranked_items(await self.redis.get(self.keys.trending(scope)))
        items = await self.catalogue.items(ids)
        return [items[item_id] for item_id in ids if item_id in items]

    async def click(self, click: Click, clicks: ClickProducer) -> Shown:
        """Send a visitor's click to Kafka and follow it to their list.

        Raises `TooManyClicks` and `KafkaAway`.
        """
        started = time.monotonic()
        wall = time.time_ns() // 1_000_000
        visitor, new = self.visitors.admit(click.visitor, wall)
        uid = self._pseudonym.of(click.visitor)
        if new:
            visitor.known = await self.feed.events_covered_now(uid)
        item = (await self.catalogue.items([click.item_id])).get(click.item_id)
        event = event_of(click, item, visitor, await clicks.clock(), wall)
        acknowledged_ms = await clicks.send(event)
        visitor.events += 1
        chase = asyncio.create_task(self._follow(uid, visitor.known + visitor.events, click.click, started))
        self._chases.add(chase)
        chase.add_done_callback(self._chases.discard)
        return {"uid": uid, "kafka_ms": round(acknowledged_ms, 1), "time": event.time}

    async def put_in_force(self, draft: DraftRule, clicks: ClickProducer) -> Shown:
        """Send a rule to the job, whose answer comes on the control-status topic.

        Raises `SegmentRefused` and `KafkaAway`.
        """
        control = self.segments.control_of(draft)
        await clicks.put(self.settings.control_topic, f"segment/{control.name}", CONTROLS.encode(control))
        return {"name": control.name, "version": control.version}

    def _topic_reader(self) -> TopicReader | None:
        settings = self.settings
        if settings.kafka is None:
            return None
        followed = self.segments.followed(
            settings.events_topic,
            settings.control_topic,
            settings.control_status_topic,
            settings.segment_changes_topic,
            settings.drift_topic,
        )
        return TopicReader(settings.kafka, followed, lambda: self.feed.watched)

    async def _end_topics(self) -> None:
        if self._topics is not None:
            await asyncio.to_thread(self._topics.end)

    async def _end_clicks(self) -> None:
        if self.clicks is not None:
            await self.clicks.close()

    async def _follow(self, uid: str, covers: int, click: str, started: float) -> None:
        try:
            await self.feed.chase(uid, covers, click, started)
        except (RedisError, OSError):
            log.warning("Redis went away while a visitor waited for a list")

    async def _through_outages(self, keep: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await keep()
            except (RedisError, OSError) as error:
                log.warning("Redis does not answer: %s", error)
                self._redis_answers = False
                self.feed.forget_readings()
                await asyncio.sleep(AGAIN_S)

    async def _tell_health(self) -> None:
        told: Shown = {}
        while True:
            try:
                await self.redis.ping()
                self._redis_answers = True
            except (RedisError, OSError):
                self._redis_answers = False
            health = self.health()
            if health != told:
                self.feed.broadcast("health", health)
                told = health
            await asyncio.sleep(AGAIN_S)
