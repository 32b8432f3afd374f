"""The plain classes of the job in one loop, from encoded events to the values for Redis, stage by stage."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from jobs.bench_events import Traffic, events_of, items_of
from jobs.bench_rank import LOG, NOWHERE, RANK, VALUES, TimedWorker
from operators.following import Following, FollowingSettings
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.item_facts import NOTHING_KNOWN, Catalogue, facts_of
from operators.refresh import Edge, RefreshPolicy, RefreshSettings
from operators.refresh_request import LEADING, TRAILING, RefreshRequest, encode_request
from operators.segments.rules_file import ready_rules
from operators.shelf_records import Items
from operators.statistics import ItemStatistics, StatisticsSettings
from operators.user_step import StepSettings
from schemas.codec import encode_event
from schemas.key_of import KeyOf
from schemas.pseudonym import Pseudonym
from schemas.records import Event, Item
from schemas.schema_book import SchemaBook
from schemas.state import UserState, decode_state, encode_state
from udfs.worker_settings import WorkerSettings

KEY, INGEST, READ, STEP, WRITE, STATISTICS, ASK, SHELF = (
    "read key", "decode, validate", "decode record", "user step", "encode record", "item statistics",
    "ask for lists", "bring shelf up to date",
)  # fmt: skip
PER_EVENT = (KEY, INGEST, READ, STEP, WRITE, STATISTICS, ASK, SHELF)
PER_LIST = (RANK, VALUES, LOG)
CATCH_UP_S = 1.0
BATCH = 500
GATHER_S = 0.02
"""How long users are gathered for a batch, as in the job (`jobs.engine.BUNDLE_MS`)."""


@dataclass(frozen=True)
class PlainSettings:
    """The settings of the job that the loop goes by; without `lists` users are followed and never ranked."""

    step: StepSettings = StepSettings()
    ingest: IngestSettings = IngestSettings()
    refresh: RefreshSettings = RefreshSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    worker: WorkerSettings = WorkerSettings(redis_url=NOWHERE)
    lists: bool = True


class PlainLoop:
    """All that the job does to an event, without Flink, Kafka and Redis, with a clock on every stage.

    Lists are asked for by the same policy as in the job, on the wall clock: how many there are an event
    depends on how fast the loop is.
    """

    def __init__(self, items: Sequence[Item], settings: PlainSettings) -> None:
        catalogue: Catalogue = {item.item_id: facts_of(item) for item in items}
        book = SchemaBook()
        self._key_of = KeyOf(book)
        self._ingest = Ingest(
            settings.ingest, book, lambda item_id: catalogue.get(item_id, NOTHING_KNOWN).category
        )
        self._step = Following(FollowingSettings(settings.step), catalogue)
        self._step.use_segments(self._step.book(ready_rules()))
        self._statistics = ItemStatistics(settings.statistics)
        self._policy = RefreshPolicy(settings.refresh)
        self._pseudonym = Pseudonym(b"a secret of the benchmark")
        self.worker = TimedWorker(settings.worker)
        self.worker.shelf.apply(Items(list(items)))
        self._lists = settings.lists
        self.states: dict[str, bytes] = {}
        self.windows: dict[str, bytes] = {}
        self.spent = dict.fromkeys(PER_EVENT, 0.0)
        self.events = self.accepted = self.list_changing = 0
        self._timers: list[tuple[int, str]] = []
        self._waiting: list[bytes] = []
        self._waiting_since = 0.0
        self._caught_up = time.perf_counter()

    def take(self, message: bytes, record_time: int) -> None:
        """Do everything that this event asks for now."""
        clock = time.perf_counter
        spent = self.spent
        t0 = clock()
        user_id = self._key_of.user_id(message)
        t1 = clock()
        now = time.time_ns() // 1_000_000
        event = self._ingest.accept(message, record_time, now)
        t2 = clock()
        self.events += 1
        spent[KEY] += t1 - t0
        spent[INGEST] += t2 - t1
        if user_id is None or not isinstance(event, Event):
            return
        stored = self.states.get(user_id)
        user = (
            UserState(self._pseudonym.of(user_id), born=record_time)
            if stored is None
            else decode_state(stored)
        )
        t3 = clock()
        window = self.windows.get(user_id) if self._step.needs_drift_window(user, event) else None
        outcome = self._step.update(user, event, window).outcome
        if outcome.drift_window is not None:
            self.windows[user_id] = outcome.drift_window
        t4 = clock()
        state = self.states[user_id] = encode_state(user)
        t5 = clock()
        if outcome.step is not None:
            self._statistics.update(outcome.step)
        t6 = clock()
        if outcome.changes_list and self._lists:
            self.list_changing += 1
            self._ask(user_id, user.uid, state, now)
        self._fire(now)
        t7 = clock()
        spent[READ] += t3 - t2
        spent[STEP] += t4 - t3
        spent[WRITE] += t5 - t4
        spent[STATISTICS] += t6 - t5
        spent[ASK] += t7 - t6
        self.accepted += outcome.refused is None
        if t7 - self._caught_up >= CATCH_UP_S:
            self.catch_up()
        if self._waiting and (len(self._waiting) >= BATCH or t7 - self._waiting_since >= GATHER_S):
            self.make_lists()

    def make_lists(self) -> None:
        """Rank and render what was asked for."""
        requests, self._waiting = self._waiting, []
        self.worker.rank(requests)

    def catch_up(self) -> None:
        """Bring the shelf to the statistics of now."""
        began = time.perf_counter()
        for record in self._statistics.records():
            self.worker.shelf.apply(record)
        self._caught_up = time.perf_counter()
        self.spent[SHELF] += self._caught_up - began

    def _ask(self, user_id: str, uid: str, state: bytes, now: int) -> None:
        edge, due = self._policy.ask(uid, now, now)
        if edge is Edge.LEADING:
            self._request(RefreshRequest(state, now, LEADING))
        elif edge is Edge.TRAILING:
            heapq.heappush(self._timers, (due, user_id))

    def _fire(self, now: int) -> None:
        while self._timers and self._timers[0][0] <= now:
            _, user_id = heapq.heappop(self._timers)
            state = self.states[user_id]
            asked = self._policy.fired(decode_state(state).uid, now)
            self._request(RefreshRequest(state, asked, TRAILING))

    def _request(self, request: RefreshRequest) -> None:
        if not self._waiting:
            self._waiting_since = time.perf_counter()
        self._waiting.append(encode_request(request))


class PlainFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The loop over warm state. `stages` are µs an event, or µs a list for those of `PER_LIST`.

    `processor` is the share of a processor that the loop had: under 1 the machine was busy with other things.
    """

    events: int
    events_per_s: float
    processor: float
    lists_per_s: float
    lists_per_event: float
    event_us: float
    list_us: float
    stages: dict[str, float]

    def at_share(self, lists_per_event: float) -> float:
        """Events per second of such a loop that makes so many lists an event."""
        return 1e6 / (self.event_us + lists_per_event * self.list_us)


def measure_plain(traffic: Traffic, settings: PlainSettings, warm: float = 0.5) -> PlainFigures:
    """Run the loop over `traffic`; its first part (share `warm`) fills state and shelf and is not counted."""
    loop = PlainLoop(items_of(traffic), settings)
    messages = [(encode_event(event), event.time) for event in events_of(traffic)]
    first = int(warm * len(messages))
    for message, at in messages[:first]:
        loop.take(message, at)
    loop.catch_up()
    before = {**loop.spent, **loop.worker.spent}
    lists_before = loop.worker.lists
    cpu, began = time.process_time(), time.perf_counter()
    for message, at in messages[first:]:
        loop.take(message, at)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    events, lists = len(messages) - first, loop.worker.lists - lists_before
    spent = {name: total - before[name] for name, total in {**loop.spent, **loop.worker.spent}.items()}
    stages = {name: spent[name] / events * 1e6 for name in PER_EVENT}
    stages |= {name: spent[name] / max(lists, 1) * 1e6 for name in PER_LIST}
    return PlainFigures(
        events=events,
        events_per_s=events / seconds,
        processor=used / seconds,
        lists_per_s=lists / seconds,
        lists_per_event=lists / events,
        event_us=sum(stages[name] for name in PER_EVENT),
        list_us=sum(stages[name] for name in PER_LIST),
        stages=stages,
    )


def measure_batches(
    traffic: Traffic, settings: PlainSettings, sizes: Iterable[int] = (1, 16, 64, 256), lists: int = 2_048
) -> dict[int, dict[str, float]]:
    """µs a user of the rank stage and of its parts, by users in a batch, after all of `traffic`."""
    loop = followed(traffic, settings)
    requests = [encode_request(RefreshRequest(state, 0, LEADING)) for state in loop.states.values()][:lists]
    worker = loop.worker
    worker.rank(requests[:64])  # compiles
    found = {}
    for size in sizes:
        worker.spent = dict.fromkeys(worker.spent, 0.0)
        used = requests[: max(size * 32, 64)]
        for first in range(0, len(used), size):
            worker.rank(used[first : first + size])
        parts = {name: total / len(used) * 1e6 for name, total in worker.spent.items()}
        found[size] = {**parts, "rank stage": sum(parts.values())}
    return found


def followed(traffic: Traffic, settings: PlainSettings) -> PlainLoop:
    """A loop that has followed all of `traffic` without making lists."""
    loop = PlainLoop(items_of(traffic), replace(settings, lists=False))
    for event in events_of(traffic):
        loop.take(encode_event(event), event.time)
    loop.catch_up()
    return loop


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Cost at one size of the world: µs an event (lists apart), and µs of a list in batches of 64."""

    users: int
    items: int
    event_us: float
    list_us: float


def measure_scale(
    settings: PlainSettings, users: Iterable[int], items: Iterable[int], events: int
) -> list[Scale]:
    """The cost of an event by how many users are in state, and by how many items are in the catalogue."""
    return [
        *(_scale(settings, each, 10_000, events) for each in users),
        *(_scale(settings, 10_000, each, events) for each in items),
    ]


def _scale(settings: PlainSettings, users: int, items: int, events: int) -> Scale:
    # Everyone has a record before the clock starts; then users come up evenly, which is hardest on caches.
    traffic = Traffic(events=users, users=users, items=items, everyone=True)
    loop = PlainLoop(items_of(traffic), replace(settings, lists=False))
    for event in events_of(traffic):
        loop.take(encode_event(event), event.time)
    loop.catch_up()
    loop.spent = dict.fromkeys(loop.spent, 0.0)
    again = replace(
        traffic, events=events, skew=0.2, everyone=False, seed=traffic.seed + 1,
        start=traffic.start + int(users / traffic.per_second * 1_000),
    )  # fmt: skip
    seen = []
    for event in events_of(again):
        loop.take(encode_event(event), event.time)
        seen.append(event.user_id)
    requests = [
        encode_request(RefreshRequest(loop.states[uid], 0, LEADING)) for uid in dict.fromkeys(seen[-2_048:])
    ]
    loop.worker.rank(requests[:64])
    loop.worker.spent = dict.fromkeys(loop.worker.spent, 0.0)
    for first in range(0, len(requests), 64):
        loop.worker.rank(requests[first : first + 64])
    return Scale(
        users=users,
        items=items,
        event_us=sum(loop.spent.values()) / events * 1e6,
        list_us=sum(loop.worker.spent.values()) / len(requests) * 1e6,
    )
