"""The plain classes of the job in one Python loop, from encoded events to the values for Redis, stage by stage."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.bench_events import START, Traffic, events_of, items_of
from jobs.bench_rank import LOG, RANK, VALUES, TimedWorker
from jobs.engine import BUNDLE_MS
from operators.ingest import Ingest
from operators.item_facts import NOTHING_KNOWN, Catalogue, facts_of
from operators.refresh import Edge, RefreshPolicy, RefreshSettings
from operators.refresh_request import LEADING, TRAILING, RefreshRequest, encode_request
from operators.shelf_records import Items
from operators.statistics import ItemStatistics, StatisticsSettings
from operators.user_step import StepSettings, UserStep
from operators.ingest_settings import IngestSettings
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


@dataclass(frozen=True)
class PlainSettings:
    """The settings of the job that the loop goes by."""

    step: StepSettings = StepSettings()
    ingest: IngestSettings = IngestSettings()
    refresh: RefreshSettings = RefreshSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    worker: WorkerSettings = WorkerSettings(redis_url="redis://127.0.0.1:1/0")


class PlainLoop:
    """All that the job does to an event, without Flink, Kafka and Redis, with a clock on every stage.

    Lists are asked for by the same policy as in the job, on the wall clock: so a slower machine makes fewer of
    them per second, not per event.
    """

    def __init__(self, items: Sequence[Item], settings: PlainSettings) -> None:
        catalogue: Catalogue = {item.item_id: facts_of(item) for item in items}
        book = SchemaBook()
        self._key_of = KeyOf(book)
        self._ingest = Ingest(
            settings.ingest, book, lambda item_id: catalogue.get(item_id, NOTHING_KNOWN).category
        )
        self._step = UserStep(settings.step, catalogue)
        self._statistics = ItemStatistics(settings.statistics)
        self._policy = RefreshPolicy(settings.refresh)
        self._pseudonym = Pseudonym(b"a secret of the benchmark")
        self.worker = TimedWorker(settings.worker)
        self.worker.shelf.apply(Items(list(items)))
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
            UserState(self._pseudonym.of(user_id), born=record_time) if stored is None else decode_state(stored)
        )
        t3 = clock()
        window = self.windows.get(user_id) if self._step.needs_drift_window(user, event) else None
        outcome = self._step.update(user, event, window)
        if outcome.drift_window is not None:
            self.windows[user_id] = outcome.drift_window
        t4 = clock()
        state = self.states[user_id] = encode_state(user)
        t5 = clock()
        if outcome.step is not None:
            self._statistics.update(outcome.step)
        t6 = clock()
        if outcome.changes_list:
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
        if self._waiting and (len(self._waiting) >= BATCH or t7 - self._waiting_since >= BUNDLE_MS / 1000):
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
