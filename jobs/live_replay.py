"""Events of a file to a running job: first history in silence, then live at a pace; and the lists that came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from redis import Redis

from jobs.backfill import begin_backfill
from jobs.event_sender import EventSender
from jobs.live_stack import Running
from jobs.recommenders import CannotJudge
from jobs.send_pace import Pace
from operators.live_lists import LiveLists
from schemas.codec import RECOMMENDATIONS
from schemas.pseudonym import Pseudonym
from schemas.records import Event, Item
from schemas.redis_keys import RedisKeys

PATIENCE_S = 600.0
"""How long the job may show no progress with the catalogue, or make no list of the history."""

QUIET_S = 12.0
"""After so long without a list, none is under way any more: users known as bots get none."""

_LOOK_S = 0.5
_LONGEST_SLEEP_S = 0.05
_NS_PER_MS = 1_000_000


class LiveReplay:
    """Sends to the job of `running`, and gathers its `lists`. To be closed.

    `sent_at` is when each live event was handed to Kafka (wall clock, ms), by its id. Raises `KafkaUnreachable`
    without Kafka, and what `running.check` raises as soon as the job has ended.
    """

    def __init__(self, running: Running) -> None:
        settings = running.settings
        self._running = running
        self._topics = settings.kafka
        self._names = RedisKeys(settings.redis.prefix)
        self.pseudonym = Pseudonym(settings.secret()).of
        self._now = 0
        self._sender = EventSender(self._topics, lambda: self._now)
        self._log: Any = KafkaConsumer(
            **self._topics.access().client(), enable_auto_commit=False, metrics_enabled=False
        )
        self._redis: Any = Redis.from_url(settings.redis_url())
        self.lists = LiveLists()
        self.sent_at: dict[str, int] = {}
        self.behind_s = 0.0
        self._follow_the_log()

    def close(self) -> None:
        """End the connections."""
        for each in (self._sender, self._log, self._redis):
            each.close()

    def bring_items(self, items: Sequence[Item]) -> None:
        """Send the catalogue; returns when Redis holds it, and so the job knows it. Raises `CannotJudge`."""
        for item in items:
            self._sender.send_item(item)
        self._sender.flush()
        known, wanted = self._names.known("item"), len({item.item_id for item in items})
        held, grown = 0, time.monotonic()
        while held < wanted:
            if (now_held := int(self._redis.scard(known))) > held:
                held, grown = now_held, time.monotonic()
            elif time.monotonic() - grown > PATIENCE_S:
                raise CannotJudge(
                    f"of {wanted:,} items sent, {held:,} are in Redis, and none more came in {PATIENCE_S:.0f} s:"
                    " does a job run between this Kafka and this Redis?"
                )
            self._pause()

    def send_history(self, events: Sequence[Event], live_from: int) -> None:
        """Send what comes before `live_from` (ms of event time), which the job is to take in silence."""
        if events:
            begin_backfill(str(live_from), self._topics)
        for event in events:
            self._sender.send_event(event, live=False)
        self._sender.flush()

    def send_live(self, events: Sequence[Event], pace: Pace) -> None:
        """Send live events at a pace. `behind_s` becomes the worst delay behind it."""
        began = time.monotonic()
        for position, event in enumerate(events):
            if (due := pace.due(position, event.time)) is not None:
                while (left := began + due - time.monotonic()) > 0:
                    time.sleep(min(left, _LONGEST_SLEEP_S))
                self.behind_s = max(self.behind_s, -left)
            self._now = self.sent_at[event.event_id] = time.time_ns() // _NS_PER_MS
            self._sender.send_event(event)
            if position % 20 == 0:
                self._running.check()
        self._sender.flush()

    def await_lists(self, wanted: Mapping[str, int], needed: bool) -> int:
        """Read the log until each user's newest list covers so many events, or no list or step comes any more.

        Returns how many users' lists do not. Raises `CannotJudge` where a list is `needed` and none came at all.
        """
        left = {self.pseudonym(user): count for user, count in wanted.items()}
        heard = time.monotonic()
        before, steps = self.lists.count, self._newest_steps()
        while True:
            left = {uid: count for uid, count in left.items() if self._covered(uid) < count}
            if not left:
                return 0
            taken_in, steps = steps, self._newest_steps()
            if self._read_log() or steps != taken_in:
                heard = time.monotonic()
            came = self.lists.count > before or not needed
            if time.monotonic() - heard > (QUIET_S if came else PATIENCE_S):
                break
            self._running.check()
        if not came:
            raise CannotJudge(f"the job did nothing for {PATIENCE_S:.0f} s: does one read this Kafka?")
        return len(left)

    def amiss_in_redis(self, users: Iterable[str]) -> int:
        """Of how many users Redis holds another list than the newest of the log."""
        amiss = 0
        for user in users:
            uid = self.pseudonym(user)
            newest, stored = self.lists.newest(uid), self._redis.get(self._names.rec(uid))
            if newest is not None:
                amiss += stored is None or f'"id":"{newest.rec_id}"'.encode() not in stored
        return amiss

    def _newest_steps(self) -> Any:
        """What the job told last of users' steps: it goes on while history is taken in, in silence."""
        return self._redis.xrevrange(self._names.sessions, count=1)

    def _covered(self, uid: str) -> int:
        newest = self.lists.newest(uid)
        return 0 if newest is None else newest.covers

    def _follow_the_log(self) -> None:
        # From its end: a stack that runs already has lists of before.
        partitions = self._partitions()
        self._log.assign(partitions)
        self._log.seek_to_end()
        for partition in partitions:
            self._log.position(partition)

    def _partitions(self) -> list[Any]:
        topic = self._topics.recommendations
        return [
            TopicPartition(topic, number) for number in sorted(self._log.partitions_for_topic(topic) or ())
        ]

    def _read_log(self) -> bool:
        polled = self._log.poll(timeout_ms=int(_LOOK_S * 1000), max_records=5_000)
        for records in polled.values():
            for record in records:
                self.lists.take(RECOMMENDATIONS.decode(record.value))
        return bool(polled)

    def _pause(self) -> None:
        self._running.check()
        time.sleep(_LOOK_S)


def replaying(running: Running) -> closing[LiveReplay]:
    """A `LiveReplay` for a `with` block, which ends its connections."""
    return closing(LiveReplay(running))
