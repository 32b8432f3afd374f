"""The rank worker: user records in, lists and profiles out to Redis, the log of it back to Flink.

One per worker process, shared by every function that runs in it: they share the shelf, the connection and
the interpreter lock anyway.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from redis import Redis

from operators.affinity import AffinityModel
from operators.bundle import load_bundle
from operators.candidates import SOURCES
from operators.drift import DriftDetector
from operators.feature_plan import known_features
from operators.model_reference import ModelRecord
from operators.next_visit import list_time
from operators.profile import ProfileReading, learning_classes, profile_of
from operators.ranked_list import RankedList
from operators.refresh_request import ENDED, FORGET, QUIET, RefreshRequest, decode_request
from operators.shelf import Shelf
from operators.shelf_records import ShelfRecord
from operators.slot_ranker import SlotList
from schemas.list_log import ListLog
from schemas.publication import PUBLISH_SCRIPT, Published, UserValues, publish_arguments
from schemas.records import Recommendation
from schemas.redis_keys import HOME, RedisKeys, seq
from schemas.redis_values import RecValue, SlotValue, profile_value, rec_value, slot_value
from schemas.state import UserState, decode_state
from schemas.stats import SEGMENTS, WORKERS
from udfs.experiment_side import write_experiment
from udfs.figures import Figures
from udfs.inputs_log import InputsLog, Taken
from udfs.item_side import ItemSide
from udfs.machine_code import compile_ahead
from udfs.model_follower import ModelFollower
from udfs.patience import patiently
from udfs.reference_side import write_reference
from udfs.renderer import Renderer
from udfs.rule_side import write_rule
from udfs.shelf_follower import ShelfFollower
from udfs.slot_follower import SlotFollower
from udfs.slot_names import published_slots
from udfs.worker_settings import WorkerSettings

logger = logging.getLogger(__name__)

FIRST_ITEM_S = 3.0
"""For how long the first list may wait until there is an item to name."""
_SOCKET_TIMEOUT_S = 5.0
_CLAIM_S = 300
"""For how long a worker may be busy writing the item side again before another one takes over."""


class RankWorker:
    """Ranks and publishes batches of users, and writes the item side. Not started until `start`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._redis = Redis.from_url(
            settings.redis_url, socket_timeout=_SOCKET_TIMEOUT_S, socket_connect_timeout=_SOCKET_TIMEOUT_S
        )
        self._names = RedisKeys(settings.prefix)
        self.shelf = Shelf(settings.bounds)
        known = known_features(settings.step)
        bundle = self._bundle = load_bundle(settings.bundle, known) if settings.bundle else None
        if bundle is None:
            logger.warning("no model bundle is configured: lists come from neighbours, sessions and trending")
        step = settings.step
        self._learning = learning_classes(AffinityModel(step.affinity), DriftDetector(step.drift))
        self._reading = ProfileReading.of(step)
        self._side = ItemSide(self._redis, self._names, settings.publish)
        self.figures = Figures(self._redis, self._names, f"rank-{socket.gethostname()}-{os.getpid()}")
        self.models = ModelFollower(
            self.shelf,
            settings.rank,
            bundle,
            settings.step,
            lambda models: self.figures.tell_models(models, self._slots.refused()),
        )
        self._slots = SlotFollower(
            self.shelf,
            settings.rank,
            settings.slots,
            settings.rules,
            settings.step.habits.time_zone,
            settings.experiments,
        )
        self._follower = ShelfFollower(
            self._redis,
            self._names,
            self.shelf,
            settings.bounds.neighbours,
            self.models.offer,
            self._slots.offer,
            self._slots.try_out,
        )
        self._renderer = Renderer(self._redis, self._names, self.shelf, settings.publish)
        self._log = ListLog(SOURCES)
        self._inputs = InputsLog(self._redis, self._names, settings.publish.inputs_share)
        self._publish = self._redis.register_script(PUBLISH_SCRIPT)
        self._waited_for_items = False
        self.began_empty = False
        """Redis held nothing at the start, and no worker lived who could have known what it had held."""

    def start(self) -> None:
        """Compile, fill the shelf from Redis, and begin to follow and to render: no list waits for these."""
        compile_ahead(self._bundle, self._settings.step)
        patiently(self._follower.fill)
        self.models.catch_up()
        patiently(self._inputs.look)
        # Where other workers are at work, they may hold what an emptied Redis has lost, and are to notice.
        if not patiently(lambda: self._redis.hlen(self._names.stats(WORKERS))):
            self.began_empty = bool(patiently(lambda: self._redis.set(self._names.alive, _now(), nx=True)))
        self._tell_slots()
        self._follower.start()
        self.models.start()
        self._inputs.start()
        self._renderer.start()
        logger.info("the shelf holds %d items in %d bytes", len(self.shelf), self.shelf.nbytes())

    def stop(self) -> None:
        """End the threads and the connection; what was asked for is written."""
        self._follower.stop()
        self.models.stop()
        self._inputs.stop()
        self._renderer.stop()
        self.figures.write(_now())
        self._redis.close()

    def wait_for_items(self) -> None:
        """Hold the first lists of a new shop back: what their users' own events make popular is on its way.

        Called before each batch; waits once, and for `FIRST_ITEM_S` seconds at most.
        """
        if self._waited_for_items:
            return
        self._waited_for_items = True
        latest = time.monotonic() + FIRST_ITEM_S
        while not self.shelf.anything_popular and time.monotonic() < latest:
            time.sleep(0.05)

    def rank(self, requests: Sequence[bytes]) -> list[bytes | None]:
        """Rank and publish a batch. A user asked for several times is ranked once, by the last request.

        A user for whom no list is asked has only their profile and segments published. Returns one
        `headrace.Recommendation` message per request that led to a list, None for the others.
        """
        began = time.perf_counter()
        asked = [decode_request(request) for request in requests]
        states = [decode_state(request.state) for request in asked]
        last = {state.uid: place for place, state in enumerate(states)}
        forgotten = list(
            {state.uid for state, each in zip(states, asked, strict=True) if each.edge == FORGET}
        )
        listed = {
            state.uid for state, each in zip(states, asked, strict=True) if each.edge not in (QUIET, FORGET)
        }
        kept = [place for place in last.values() if asked[place].edge != FORGET]
        places = [place for place in kept if states[place].uid in listed]
        users = [states[place] for place in places]
        times = self._list_times(users, asked, states)
        ids = [_rec_id(user, at) for user, at in zip(users, times, strict=True)]
        taken = self._inputs.taking(ids, [user.uid for user in users])
        slots = self._rank(users, times, taken)
        lists = [made.ranked for made in slots[HOME]]
        values = [
            self._values(user, times[k], lists[k], {name: slots[name][k] for name in self._slots.names})
            for k, user in enumerate(users)
        ]
        values += [self._quiet_values(states[place]) for place in kept if states[place].uid not in listed]
        ranked_at = time.perf_counter()
        self._forget(forgotten)
        self._write(values)
        written_at = time.perf_counter()
        now = _now()
        self._count(asked, len(users), ranked_at - began, written_at - ranked_at)
        log: list[bytes | None] = [None] * len(requests)
        for place, message in zip(places, self._logged(users, times, lists, now, taken), strict=True):
            log[place] = message
        self.figures.write_when_due(_now(), [user.uid for user in users])
        return log

    def _list_times(
        self, users: Sequence[UserState], asked: Sequence[RefreshRequest], states: Sequence[UserState]
    ) -> list[int]:
        """As of when each user's list is made (ms): for the next visit only if nothing came after the session's end."""
        ended = {state.uid: state.n for state, each in zip(states, asked, strict=True) if each.edge == ENDED}
        gap = self._settings.step.session_gap
        return [
            list_time(user, sys.maxsize, gap) if ended.get(user.uid) == user.n else user.last
            for user in users
        ]

    def _rank(
        self, users: Sequence[UserState], times: Sequence[int], taken: Taken | None
    ) -> dict[str, list[SlotList]]:
        # One reference for the whole batch: a model that has come meanwhile ranks from the next one on.
        ranker, shadow = self.models.ranker, self.models.shadow
        compare = None if shadow is None else shadow.compare
        return self._slots.ranker(ranker).rank(users, times, compare=compare, record=taken)

    def write_items(self, records: Sequence[ShelfRecord]) -> None:
        """Write a batch of the item side to Redis and announce it to every shelf."""
        patiently(lambda: self._side.write(records))

    def write_segments(self, members: Mapping[str, int]) -> None:
        """Write how many users are in segments."""
        if members:
            key = self._names.stats(SEGMENTS)
            patiently(lambda: self._redis.hset(key, mapping=dict(members)))

    def _quiet_values(self, user: UserState) -> UserValues:
        return UserValues(user.uid, b"", self._profile(user), user.segments)

    def _profile(self, user: UserState) -> bytes:
        return profile_value(profile_of(user, self._learning, self._reading))

    def _values(
        self, user: UserState, at: int, ranked: RankedList, slots: Mapping[str, SlotList]
    ) -> UserValues:
        version = seq(user.born, user.n)
        rec = RecValue(
            seq=version,
            id=_rec_id(user, at),
            at=at,
            model=ranked.model,
            experiment=dict(ranked.experiment),
            items=list(zip(ranked.items, ranked.scores, ranked.whys, strict=True)),
        )
        further = [
            slot_value(
                SlotValue(
                    seq=version,
                    id=f"{rec.id}-{name}",
                    at=rec.at,
                    model=made.ranked.model,
                    experiment=dict(made.ranked.experiment),
                    items=list(zip(made.ranked.items, made.ranked.scores, made.ranked.whys, strict=True)),
                    slot=name,
                    item=made.item,
                )
            )
            for name, made in slots.items()
        ]
        return UserValues(user.uid, rec_value(rec), self._profile(user), user.segments, further)

    def _logged(
        self,
        users: Sequence[UserState],
        times: Sequence[int],
        lists: Sequence[RankedList],
        now: int,
        taken: Taken | None,
    ) -> list[bytes]:
        if not lists:
            return []
        heads = [
            Recommendation(
                rec_id=_rec_id(user, at),
                uid=user.uid,
                seq=seq(user.born, user.n),
                at=at,
                written_at=now,
                model=ranked.model,
                experiment=dict(ranked.experiment),
                inputs=None if taken is None else taken.encoded(place),
            )
            for place, (user, at, ranked) in enumerate(zip(users, times, lists, strict=True))
        ]
        return self._log.encode(
            heads,
            [ranked.items for ranked in lists],
            [ranked.scores for ranked in lists],
            [ranked.whys for ranked in lists],
            np.concatenate([ranked.said for ranked in lists]),
        )

    def _forget(self, uids: Sequence[str]) -> None:
        """Erase the keys of users; what comes for them later in the batch is of a new record."""
        if uids:
            slots = patiently(lambda: published_slots(self._redis, self._names))
            keys = [key for uid in uids for key in self._names.of_user(uid, slots)]
            patiently(lambda: self._redis.delete(*keys))
            patiently(lambda: self._redis.zrem(self._names.asked, *uids))

    def _write(self, values: Sequence[UserValues]) -> None:
        if values:
            keys, args = publish_arguments(
                self._names, values, self._settings.publish.user_ttl, slots=self._slots.names
            )
            published = Published.of(patiently(lambda: self._publish(keys=keys, args=args)))
            if not published.marker:
                self._refill()

    def _refill(self) -> None:
        """The marker is gone, so Redis is empty: one worker writes the item side again from its shelf, then the marker.

        A worker that dies on the way leaves it to the next that notices.
        """
        claim = self._names.refill
        if not patiently(lambda: self._redis.set(claim, _now(), nx=True, ex=_CLAIM_S)):
            return
        with self.shelf.lock:
            kept = list(self.shelf.dump())
        if kept:
            logger.error(
                "Redis has lost its data: the item side is written back from this worker's shelf;"
                " each user's keys return with their next event"
            )
        for record in kept:
            self.write_items([record])
        for reference in self.models.records():
            self._write_reference(reference)
        most = self._settings.publish.most_changes
        for rule in self._slots.records():
            patiently(partial(write_rule, self._redis, self._names, rule, most))
        for tried in self._slots.tried():
            patiently(partial(write_experiment, self._redis, self._names, tried, most))
        self._tell_slots()
        patiently(lambda: self._redis.set(self._names.alive, _now()))
        patiently(lambda: self._redis.delete(claim))

    def _tell_slots(self) -> None:
        """Have the slots known for which lists are written, so that who is forgotten loses them all."""
        if self._slots.names:
            patiently(lambda: self._redis.sadd(self._names.slots, *self._slots.names))

    def _write_reference(self, reference: ModelRecord) -> None:
        most = self._settings.publish.most_changes
        patiently(lambda: write_reference(self._redis, self._names, reference, most))

    def _count(self, asked: Sequence[RefreshRequest], lists: int, rank_s: float, redis_s: float) -> None:
        now = _now()
        self.figures.count(lists, rank_s, redis_s)
        for request in asked:
            self.figures.late(request.edge, now - request.asked)


def _rec_id(user: UserState, at: int) -> str:
    """A list's id, the same for a list that is made again; one for the next visit is another list."""
    return f"{user.uid}-{user.born:x}-{user.n:x}{'-end' if at > user.last else ''}"


def _now() -> int:
    return time.time_ns() // 1_000_000
