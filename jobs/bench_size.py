"""What a user costs: bytes in Redis by key, and bytes of Flink state by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from redis import Redis

from infra.redis import RedisServer
from jobs.bench_events import Traffic, events_of
from jobs.bench_plain import PlainLoop, PlainSettings
from jobs.files import read_events, read_items
from operators.refresh_request import FINAL, RefreshRequest, encode_request
from operators.state_size import PartSize, size_by_part, size_report
from schemas.codec import encode_event
from schemas.records import Event, Item
from schemas.redis_keys import RedisKeys
from schemas.state import decode_state
from udfs.rank_worker import RankWorker

GIB = 1024**3
EVENTS_A_USER = 50
_BATCH = 256


class UserSize(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes a user. `redis` are the keys by kind, as `MEMORY USAGE` tells, `state` the parts of the record.

    `gib_per_million` is what the keys of a million such users take, by kind and in all.
    """

    users: int
    mean_events: float
    redis: dict[str, PartSize]
    gib_per_million: dict[str, float]
    state: dict[str, PartSize]


def measure_size(
    items: Sequence[Item], events: Iterable[Event], settings: PlainSettings, most_users: int = 5_000
) -> UserSize:
    """Follow the events with the plain classes, publish every user once to a Redis of its own, and weigh."""
    loop = PlainLoop(items, replace(settings, lists=False))
    for event in events:
        loop.take(encode_event(event), event.time)
    loop.catch_up()
    stored = dict(list(loop.states.items())[:most_users])
    states = {user: decode_state(state) for user, state in stored.items()}
    names = RedisKeys(settings.worker.prefix)
    keys: dict[str, Callable[[str], str]] = {"rec": names.rec, "profile": names.profile, "seg": names.seg}
    with RedisServer() as server, Redis.from_url(server.url) as redis:
        redis.set(names.alive, 0)
        worker = RankWorker(replace(settings.worker, redis_url=server.url))
        for record in loop.worker.shelf.dump():
            worker.shelf.apply(record)
        requests = [encode_request(RefreshRequest(state, 0, FINAL)) for state in stored.values()]
        for first in range(0, len(requests), _BATCH):
            worker.rank(requests[first : first + _BATCH])
        weights = {
            kind: [int(redis.memory_usage(key(state.uid), samples=0) or 0) for state in states.values()]
            for kind, key in keys.items()
        }
    sizes = size_report(
        [dict(zip(weights, each, strict=True)) for each in zip(*weights.values(), strict=True)]
    )
    million = {kind: size.mean * 1e6 / GIB for kind, size in sizes.items()}
    return UserSize(
        users=len(states),
        mean_events=sum(state.n for state in states.values()) / max(len(states), 1),
        redis=sizes,
        gib_per_million={**million, "all": sum(million.values())},
        state=size_report(size_by_part(state, loop.windows.get(user)) for user, state in states.items()),
    )


def fifty_each(users: int, items: int = 10_000) -> tuple[Traffic, Iterator[Event]]:
    """Generated users who each did 50 things: the traffic, and its events without what goes beyond.

    >>> from collections import Counter
    >>> _, events = fifty_each(4)
    >>> sorted(Counter(event.user_id for event in events).values())
    [50, 50, 50, 50]
    """
    traffic = Traffic(events=2 * EVENTS_A_USER * users, users=users, items=items, skew=0.0)
    return traffic, _at_most(events_of(traffic), EVENTS_A_USER)


def recorded(path: Path) -> tuple[list[Item], Iterator[Event]]:
    """The items of a file, and its events; rows that make none are left out."""
    items = [item for item in read_items(path) if isinstance(item, Item)]
    return items, (event for event in read_events(path) if isinstance(event, Event))


def _at_most(events: Iterable[Event], most: int) -> Iterator[Event]:
    done: dict[str, int] = {}
    for event in events:
        count = done[event.user_id] = done.get(event.user_id, 0) + 1
        if count <= most:
            yield event
