"""The glue between Flink and the plain classes: keying, state, timers, metrics, rows. It decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, KeySelector, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from pyflink.datastream.timerservice import TimerService
from pyflink.metrics import Counter

from operators.control import Configuration
from operators.dead_letters import Rejected, dead_letter
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.item_facts import NOTHING_KNOWN
from operators.preload import Preload
from operators.pressure import Pressure, PressureGauge
from operators.refresh import Edge, RefreshPolicy, RefreshSettings
from operators.refresh_request import FINAL, FORGET, LEADING, TRAILING, RefreshRequest, encode_request
from operators.user_step import LATE, NOTHING_MORE, StepOutcome, StepSettings, UserStep
from schemas.codec import DEAD_LETTERS, DRIFT_ALERTS, EVENTS
from schemas.key_of import KeyOf
from schemas.pseudonym import Pseudonym
from schemas.reason import Reason
from schemas.records import EVENT_TYPES, Event
from schemas.state import UserState, decode_state, encode_state

OURS = EVENTS.header
"""What messages of our own newest schema begin with: the key selector can always read those."""

UNUSABLE = "\0"
"""What keys of messages begin with that show no user; a user id never does."""

SPREAD = 32
"""Over how many keys messages without a user are spread."""

END_OF_TIME = 2**63 - 2
"""An event-time timer that fires at the end of bounded input, and never before."""

STEP_ROW = Types.ROW_NAMED(
    ["uid", "request", "item", "earlier", "scopes", "weight", "session", "ts", "topic", "payload"],
    [
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.STRING(),
        Types.BASIC_ARRAY(Types.STRING()),
        Types.BASIC_ARRAY(Types.STRING()),
        Types.DOUBLE(),
        Types.LONG(),
        Types.LONG(),
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
    ],
)
"""The one kind of row that leaves the user step; each of its uses reads the fields that it needs:
`uid, request` for ranking, `item` to `ts` for the item statistics, `topic, payload` for what goes to
Kafka."""

CONFIGURATION = MapStateDescriptor("configuration", Types.STRING(), Types.PICKLED_BYTE_ARRAY())


@dataclass(frozen=True)
class StepFunctionSettings:
    """All that the user step is told when the job starts; it travels in the job graph."""

    secret: bytes
    events_topic: str
    dead_letters_topic: str
    drift_topic: str
    control_status_topic: str
    catalog_topic: str
    ingest: IngestSettings = IngestSettings()
    step: StepSettings = StepSettings()
    refresh: RefreshSettings = RefreshSettings()
    state_ttl_days: int = 90
    refresh_at_end: bool = False
    pressure: PressureGauge | None = None
    preload: Preload = Preload()

    def __repr__(self) -> str:
        return f"StepFunctionSettings(events_topic={self.events_topic!r}, secret hidden)"


class KeyByUser(KeySelector):
    """The user of a row of the events source, read without decoding the rest of the message."""

    def __init__(self, preload: Preload) -> None:
        self._preload = preload
        self._key_of: KeyOf

    def open(self, runtime_context: RuntimeContext) -> None:
        self._key_of = KeyOf(self._preload.schemas())

    def get_key(self, row: Row) -> str:
        return self._key_of.user_id(row[0]) or f"{UNUSABLE}{row[2] % SPREAD}"


class Level:
    """A figure that goes up and down, kept in a counter.

    Not a gauge: Flink's metrics thread would call into Python beside the task, which in thread mode ends the
    whole TaskManager with a segmentation fault, after minutes.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._value = 0

    def set(self, value: int) -> None:
        """Let the counter show `value`. Called from the task's own thread."""
        self._counter.inc(value - self._value)
        self._value = value


class UserStepFunction(KeyedBroadcastProcessFunction):
    """Wraps `UserStep`: one call per event, on one state record, with one row out at most for most events."""

    def __init__(self, settings: StepFunctionSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        settings = self._settings
        ttl = _ttl(settings.state_ttl_days)
        self._state = runtime_context.get_state(_bytes_state("user", ttl))
        self._drift_state = runtime_context.get_state(_bytes_state("drift", ttl))
        book = settings.preload.schemas()
        self._configuration = Configuration(book, settings.ingest)
        for message in settings.preload.items():
            self._configuration.apply_item(message)
        self._restored = False
        self._ingest = Ingest(settings.ingest, book, self._category_of)
        self._step = UserStep(settings.step, self._configuration.catalogue)
        self._policy = RefreshPolicy(settings.refresh)
        self._pressure = Pressure(settings.pressure) if settings.pressure else None
        self._pseudonym = Pseudonym(settings.secret)
        self._first_subtask = _subtask(runtime_context) == 0
        metrics = runtime_context.get_metrics_group().add_group("headrace")
        self._accepted = metrics.counter("accepted")
        self._duplicates = metrics.counter("duplicates")
        self._drifts = metrics.counter("drifts")
        self._unknown_types = metrics.counter("unknown_types")
        self._leading = metrics.counter("leading_refreshes")
        self._trailing = metrics.counter("trailing_refreshes")
        rejected = metrics.add_group("rejected")
        self._rejected = {reason: rejected.counter(str(reason)) for reason in Reason}
        self._interval = Level(metrics.counter("refresh_interval_ms"))
        self._budget = Level(metrics.counter("refresh_budget_per_s"))

    def process_element(self, row: Row, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Row]:
        if not self._restored:
            self._restore(ctx)
        message = row[0]
        now = time.time_ns() // 1_000_000
        # A record without a timestamp has a negative one.
        record_time = stamped if (stamped := ctx.timestamp()) >= 0 else now
        event = self._ingest.accept(message, record_time, now)
        if (
            isinstance(event, Event)
            and not message.startswith(OURS)
            and ctx.get_current_key().startswith(UNUSABLE)
        ):
            # It became readable between the key selector and here: its user's record is elsewhere.
            event = Rejected(
                Reason.UNKNOWN_SCHEMA, "its schema became known too late to find its user; send it again"
            )
        if isinstance(event, Rejected):
            yield self._dead_letter(event, row, record_time)
            return
        stored = self._state.value()
        if stored is None:
            user = UserState(uid=self._pseudonym.of(event.user_id), born=record_time)
        else:
            user = decode_state(stored)
        if event.type == "forget":
            if stored is not None and record_time < user.born:
                # A retry of one that was obeyed: this record is of later events.
                self._duplicates.inc()
            else:
                yield from self._forget(user, now)
            return
        window = self._drift_state.value() if self._step.needs_drift_window(user, event) else None
        outcome = self._step.update(user, event, window)
        if outcome.refused is not None:
            if outcome.refused == LATE:
                behind = f"{user.last - event.time} ms behind the user's latest event"
                yield self._dead_letter(Rejected(Reason.LATE, behind), row, record_time)
            else:
                self._duplicates.inc()
            return
        self._accepted.inc()
        if event.type not in EVENT_TYPES:
            self._unknown_types.inc()
        state = encode_state(user)
        self._state.update(state)
        if outcome.drift_window is not None:
            self._drift_state.update(outcome.drift_window)
        if self._settings.refresh_at_end:
            if user.n == 1:
                ctx.timer_service().register_event_time_timer(END_OF_TIME)
            request = None
        else:
            request = (
                self._ask(ctx.timer_service(), event, user, state, now) if outcome.changes_list else None
            )
        if request is not None or outcome.step is not None:
            yield _row(user.uid, request, outcome)
        if outcome.drift is not None:
            self._drifts.inc()
            yield _message(self._settings.drift_topic, DRIFT_ALERTS.encode(outcome.drift))

    def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterator[Row]:
        stored = self._state.value()
        if stored is None:
            return
        user = decode_state(stored)
        if self._settings.refresh_at_end:
            edge, asked = FINAL, time.time_ns() // 1_000_000
        else:
            edge, asked = TRAILING, self._policy.fired(user.uid, time.time_ns() // 1_000_000)
            self._trailing.inc()
        yield _row(user.uid, encode_request(RefreshRequest(stored, asked, edge)), NOTHING_MORE)

    def process_broadcast_element(
        self, row: Row, ctx: KeyedBroadcastProcessFunction.Context
    ) -> Iterator[Row]:
        message, topic = row[0], row[1]
        if topic == self._settings.catalog_topic:
            applied = self._configuration.apply_item(message)
        else:
            applied = self._configuration.apply_control(message)
        if applied.entry is not None:
            ctx.get_broadcast_state(CONFIGURATION).put(*applied.entry)
        if applied.status is not None and self._first_subtask:
            yield _message(self._settings.control_status_topic, applied.status)

    def _category_of(self, item_id: str) -> str:
        return self._configuration.catalogue.get(item_id, NOTHING_KNOWN).category

    def _restore(self, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> None:
        """Take configuration up again after a restart: broadcast state is to be had with an element only."""
        self._restored = True
        for key, value in ctx.get_broadcast_state(CONFIGURATION).items():
            self._configuration.restore(key, value)

    def _ask(
        self,
        timers: TimerService,
        event: Event,
        user: UserState,
        state: bytes,
        now: int,
    ) -> bytes | None:
        policy = self._policy
        if self._pressure is not None and self._pressure.is_due(now):
            policy.adapt(*self._pressure.read(now))
            self._interval.set(int(policy.interval))
            self._budget.set(int(policy.budget.rate))
        since = event.sent if event.sent is not None else now
        edge, due = policy.ask(user.uid, now, since)
        if edge is Edge.LEADING:
            self._leading.inc()
            return encode_request(RefreshRequest(state, since, LEADING))
        if edge is Edge.TRAILING:
            timers.register_processing_time_timer(due)
        return None

    def _forget(self, user: UserState, now: int) -> Iterator[Row]:
        self._state.clear()
        self._drift_state.clear()
        self._accepted.inc()
        yield _row(user.uid, encode_request(RefreshRequest(encode_state(user), now, FORGET)), NOTHING_MORE)

    def _dead_letter(self, rejected: Rejected, row: Row, record_time: int) -> Row:
        self._rejected[rejected.reason].inc()
        letter = dead_letter(rejected, row[0], self._settings.events_topic, row[1], row[2], record_time)
        return _message(self._settings.dead_letters_topic, DEAD_LETTERS.encode(letter))


def _row(uid: str, request: bytes | None, outcome: StepOutcome) -> Row:
    step = outcome.step
    if step is None:
        return Row(uid, request, None, (), (), None, None, None, None, None)
    return Row(
        uid, request, step.item, step.prev, step.scopes, step.weight, step.session, step.time, None, None
    )


def _message(topic: str, payload: bytes) -> Row:
    return Row(None, None, None, (), (), None, None, None, topic, payload)


def _subtask(context: RuntimeContext) -> int:
    # PyFlink's own method asks for one that Flink 2 no longer has.
    return int(context._runtime_context.getTaskInfo().getIndexOfThisSubtask())


def _bytes_state(name: str, ttl: StateTtlConfig) -> ValueStateDescriptor:
    # PRIMITIVE_ARRAY(BYTE) cannot be read in thread mode while it is empty; bytes pickle cheaply.
    descriptor = ValueStateDescriptor(name, Types.PICKLED_BYTE_ARRAY())
    descriptor.enable_time_to_live(ttl)
    return descriptor


def _ttl(days: int) -> StateTtlConfig:
    # The default clean-up asks the client's gateway, which a TaskManager does not have.
    return (
        StateTtlConfig.new_builder(Time.days(days))
        .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
        .disable_cleanup_in_background()
        .cleanup_incrementally(5, False)
        .cleanup_in_rocksdb_compact_filter(1000, "unused")
        .build()
    )
