"""The glue between Flink and the plain classes: state, timers, rows. It decides nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import MapStateDescriptor
from pyflink.datastream.timerservice import TimerService

from operators.backfill import Backfill, Moment
from operators.bundle_reference import MODEL
from operators.context_rule import RULE
from operators.control import Configuration, kept_of_kind
from operators.dead_letters import Rejected
from operators.experiment import EXPERIMENT
from operators.flink_asides import Asides
from operators.flink_counts import StepCounts
from operators.flink_refusals import Aside, Refusals
from operators.flink_rows import REFERENCE, Cells, beside, message, purchase_row, user_row
from operators.flink_settings import StepFunctionSettings
from operators.flink_state import bytes_state, kept_for, subtask_of
from operators.following import Followed, Following
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.ingest import Ingest
from operators.item_facts import NOTHING_KNOWN
from operators.lake_row import LakeRows, drawn_id
from operators.next_visit import NextVisits
from operators.pressure import Pressure
from operators.refresh import Edge, RefreshPolicy, RefreshSettings
from operators.refresh_request import (
    ENDED,
    FINAL,
    FORGET,
    LEADING,
    QUIET,
    TRAILING,
    RefreshRequest,
    encode_request,
)
from operators.segments import Transition
from operators.stream_summary import Summariser
from operators.user_step import LATE, StepOutcome
from operators.waking import Waking
from schemas.pseudonym import Pseudonym
from schemas.reason import Reason
from schemas.records import Event
from schemas.state import UserState, decode_state, encode_state
from schemas.traffic_state import kind_of

END_OF_TIME = 2**63 - 2
"""An event-time timer that fires at the end of bounded input, and never before."""

QUIET_MS = 5_000
"""A user's profile and segments are published at most so often where no list is made."""

FOR_WORKERS = (MODEL, RULE, EXPERIMENT)
"""Kinds of control messages that are the rank workers' to follow."""

CONFIGURATION = MapStateDescriptor("configuration", Types.STRING(), Types.PICKLED_BYTE_ARRAY())


class UserStepFunction(KeyedBroadcastProcessFunction):
    """Wraps `Following`: one call per event, on one state record."""

    def __init__(self, settings: StepFunctionSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        settings = self._settings
        kept = kept_for(settings.state_ttl_days)
        self._state = runtime_context.get_state(bytes_state("user", kept))
        self._drift_state = runtime_context.get_state(bytes_state("drift", kept))
        book = settings.preload.schemas()
        self._pseudonym = Pseudonym(settings.secret)
        self._configuration = Configuration(book, settings.ingest)
        self._following = Following(settings.following, self._configuration.catalogue, self._pseudonym.of)
        self._backfill = Backfill(settings.backfill)
        self._clock = IdleClock(now=_now())
        takers = FollowingControl(
            self._following,
            settings.segments,
            settings.following.traffic,
            self._backfill,
            self._clock,
            settings.context_rules,
            settings.experiments,
        ).takers()
        self._configuration.give(takers)
        for item in settings.preload.items():
            self._configuration.apply_item(item)
        self._configuration.apply_all(settings.preload.control())
        self._restored = False
        self._ingest = Ingest(settings.ingest, book, self._category_of)
        self._policy = RefreshPolicy(settings.refresh)
        self._quiet = RefreshPolicy(RefreshSettings(interval=QUIET_MS, followed=settings.refresh.followed))
        gap = settings.following.step.session_gap if settings.refresh.at_session_end else 0
        self._visits = NextVisits(gap, settings.refresh.followed)
        self._waking = Waking(self._clock, settings.refresh.followed)
        self._pressure = Pressure(settings.pressure) if settings.pressure else None
        self._lake = LakeRows(settings.lake) if settings.lake.folder else None
        self._first_subtask = subtask_of(runtime_context) == 0
        group = runtime_context.get_metrics_group().add_group("headrace")
        self._counts = StepCounts(group)
        summaries = Summariser(settings.stream_drift.batch_events)
        self._asides = Asides(
            settings, self._following, self._configuration.catalogue, self._backfill, self._counts, summaries
        )
        self._refusals = Refusals(settings.events_topic, settings.dead_letters_topic, group, summaries)

    def process_element(
        self, row: Row, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext
    ) -> Iterator[Row | Aside]:
        if not self._restored:
            yield from self._restore(ctx)
        payload = row[0]
        now = _now()
        if now >= self._asides.refusals.due:
            yield from self._asides.told_late(now)
        # A record without a timestamp has a negative one.
        record_time = stamped if (stamped := ctx.timestamp()) >= 0 else now
        event = self._ingest.accept(payload, record_time, now)
        if isinstance(event, Rejected):
            yield from self._refusals.refuse(event, row, record_time)
            return
        stored = self._state.value()
        if stored is None:
            user = UserState(uid=self._pseudonym.of(event.user_id), born=record_time)
        else:
            user = decode_state(stored)
        if event.type == "forget":
            if stored is not None and record_time < user.born:
                # A retry of one that was obeyed: this record is of later events.
                self._counts.duplicates.inc()
            else:
                yield from self._forget(user, now)
            return
        example = self._asides.example(user, event)
        window = self._drift_state.value() if self._following.needs_drift_window(user, event) else None
        followed = self._following.update(user, event, window)
        outcome = followed.outcome
        if outcome.refused is not None:
            yield from self._refuse(outcome, user, event, row, record_time, now)
            return
        self._counts.accept(event, followed)
        self._clock.met(event.time, now)
        if self._lake is not None:
            user.lake_id = drawn_id(user.lake_id, secrets.token_bytes)
        state = encode_state(user)
        self._state.update(state)
        if outcome.drift_window is not None:
            self._drift_state.update(outcome.drift_window)
        timers = ctx.timer_service()
        request = None
        if self._settings.refresh_at_end:
            if user.n == 1:
                timers.register_event_time_timer(END_OF_TIME)
        else:
            if followed.outcome.changes_list:
                self._visits.replaced(user.uid)
            self._wake(timers, user, event.time, now)
            if not self._backfill.is_history(event.time):
                request = self._ask(timers, event, user, state, now, followed)
            elif (moment := self._backfill.met(user.uid, now)) is not None:
                timers.register_processing_time_timer(moment)
        cells = self._lake_cells(event, user, followed)
        if request is not None or outcome.step is not None or cells:
            yield user_row(user.uid, request, outcome.step, cells)
        if (step := outcome.step) is not None and step.purchase is not None:
            yield purchase_row(step, step.purchase)
        if followed.transitions:
            yield from self._asides.segments(user.uid, followed.transitions)
        if outcome.drift is not None:
            yield from self._asides.drift(outcome.drift)
        yield from self._asides.heard(event, followed, example)

    def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterator[Row]:
        stored = self._state.value()
        if stored is None:
            return
        now = _now()
        user = decode_state(stored)
        timers = ctx.timer_service()
        if now >= self._asides.refusals.due:
            yield from self._asides.told_late(now)
        if self._settings.refresh_at_end:
            transitions = self._following.advance(user, self._clock.latest or user.last)
            yield from self._asides.segments(user.uid, transitions)
            yield _request(user, encode_state(user), now, FINAL)
        elif ctx.time_domain() is TimeDomain.EVENT_TIME:
            yield from self._bring_up(timers, user, timestamp, now)
        elif (again := self._backfill.postponed(user.uid, now)) is not None:
            timers.register_processing_time_timer(again)
        else:
            yield from self._wall_timer(timers, user, stored, timestamp, now)

    def process_broadcast_element(
        self, row: Row, ctx: KeyedBroadcastProcessFunction.Context
    ) -> Iterator[Row]:
        payload, topic = row[0], row[1]
        if topic == self._settings.catalog_topic:
            applied = self._configuration.apply_item(payload)
        else:
            applied = self._configuration.apply_control(payload)
        if applied.entry is not None:
            ctx.get_broadcast_state(CONFIGURATION).put(*applied.entry)
        if applied.status is not None and (self._first_subtask or applied.of_host):
            yield message(self._settings.control_status_topic, applied.status)
        if applied.kind in FOR_WORKERS and self._first_subtask:
            yield beside(REFERENCE, REFERENCE, bytes(payload))

    def _category_of(self, item_id: str) -> str:
        return self._configuration.catalogue.get(item_id, NOTHING_KNOWN).category

    def _restore(self, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Row]:
        """Take configuration up again after a restart: broadcast state is to be had with an element only.

        What was in force and is not any more is told by every subtask: a bundle may be gone from one machine alone.
        Which model serves, which rules and experiments, is told again, since Redis may have been emptied meanwhile.
        """
        self._restored = True
        kept = dict(ctx.get_broadcast_state(CONFIGURATION).items())
        for status in self._configuration.restore(kept):
            yield message(self._settings.control_status_topic, status)
        if self._first_subtask:
            for kind in FOR_WORKERS:
                for offer in kept_of_kind(kept, kind):
                    yield beside(REFERENCE, REFERENCE, offer)

    def _ask(
        self,
        timers: TimerService,
        event: Event,
        user: UserState,
        state: bytes,
        now: int,
        followed: Followed,
    ) -> bytes | None:
        """What the event asks the rank stage for: a list, or only to show what is known now."""
        self._adapt(now)
        since = event.sent if event.sent is not None else now
        policy, kind = (self._policy, LEADING) if followed.outcome.changes_list else (self._quiet, QUIET)
        edge, due = policy.ask(user.uid, now, since)
        if edge is Edge.LEADING:
            if kind == LEADING:
                self._counts.leading.inc()
            return encode_request(RefreshRequest(state, since, kind))
        if edge is Edge.TRAILING:
            timers.register_processing_time_timer(due)
        return None

    def _adapt(self, now: int) -> None:
        if self._pressure is not None and self._pressure.is_due(now):
            self._policy.adapt(*self._pressure.read(now))
            self._counts.interval.set(int(self._policy.interval))
            self._counts.budget.set(int(self._policy.budget.rate))

    def _wake(self, timers: TimerService, user: UserState, time: int, now: int) -> None:
        """Have the user looked at again when time alone may change something."""
        live = not self._backfill.is_history(time)
        due = self._next_due(user, time)
        event_time, wall = self._waking.timers(user.uid, due, now, live=live)
        if event_time is not None:
            timers.register_event_time_timer(event_time)
        if wall is not None:
            timers.register_processing_time_timer(wall)

    def _next_due(self, user: UserState, now: int) -> int | None:
        """When (event time, ms) something is to happen without an event after `now`; None: never."""
        other = self._following.next_due(user)
        end = self._visits.next_due(user, now)
        if end is None or self._backfill.is_history(end):
            return other
        return end if other is None else min(end, other)

    def _wall_timer(
        self, timers: TimerService, user: UserState, stored: bytes, timestamp: int, now: int
    ) -> Iterator[Row]:
        """A timer of the wall clock: of a cut-over, or of a list, a profile or a look at the user."""
        is_live = not self._backfill.waits(user.uid)
        looked = self._waking.set_for(user.uid, timestamp) and is_live
        listed = self._policy.waits(user.uid, timestamp) and is_live
        # Whose latest event is history is looked at as anybody is, once brought to the cut-over.
        moment = (
            Moment.NOT_OURS if looked or listed else self._backfill.fired(user.uid, timestamp, user.last, now)
        )
        if moment is Moment.CUT_OVER:
            yield from self._cut_over(timers, user, now)
        elif moment is Moment.AGAIN:
            if (again := self._backfill.met(user.uid, now)) is not None:
                timers.register_processing_time_timer(again)
        elif moment is Moment.NOT_OURS:
            if self._waking.is_look(user.uid, timestamp):
                yield from self._look(timers, user, now)
                stored = encode_state(user)
            if self._quiet.waits(user.uid, timestamp):
                yield _request(user, stored, self._quiet.fired(user.uid, now), QUIET)
            if listed or not (looked or self._is_known(user.uid)):
                yield from self._late_list(timers, user, stored, now)

    def _is_known(self, uid: str) -> bool:
        return self._policy.knows(uid) or self._quiet.knows(uid)

    def _bring_up(self, timers: TimerService, user: UserState, to: int, now: int) -> Iterator[Row]:
        """Let time pass for a user, up to the event time `to`."""
        self._waking.fired(user.uid, to)
        transitions = self._following.advance(user, to)
        self._wake(timers, user, to, now)
        if self._visits.take(user, to) and not self._backfill.is_history(to):
            moment = self._policy.ask_at_leisure(user.uid, now)
            if moment is not None:
                timers.register_processing_time_timer(moment)
        if not transitions:
            return
        state = encode_state(user)
        self._state.update(state)
        yield from self._asides.segments(user.uid, transitions)
        if not self._backfill.is_history(transitions[-1].at):
            edge, due = self._quiet.ask(user.uid, now, now)
            if edge is Edge.LEADING:
                yield _request(user, state, now, QUIET)
            elif edge is Edge.TRAILING:
                timers.register_processing_time_timer(due)

    def _late_list(self, timers: TimerService, user: UserState, stored: bytes, now: int) -> Iterator[Row]:
        """A list whose time has come; one for the next visit where the session has ended meanwhile."""
        end = self._visits.end(user)
        come = end if end is not None and self._waking.has_come(end, now) else self._clock.latest
        edge = ENDED if self._visits.take_over(user, come) else TRAILING
        if self._policy.is_at_leisure(user.uid):
            if edge == TRAILING:
                return  # the session went on with an event that asked for no list
            if (later := self._policy.put_off(user.uid, now)) is not None:
                timers.register_processing_time_timer(later)
                return
        self._counts.trailing.inc()
        if edge == TRAILING and not self._is_known(user.uid):
            # A timer of before a restart, after which neither clock knows yet whether the session is over.
            self._wake(timers, user, user.last, now)
        yield _request(user, stored, self._policy.fired(user.uid, now), edge)

    def _look(self, timers: TimerService, user: UserState, now: int) -> Iterator[Row]:
        """Bring a user up to what is due, if it has come by the wall clock; else look again later."""
        due = self._next_due(user, user.last)
        if due is None or self._backfill.waits(user.uid):
            return
        if self._waking.has_come(due, now):
            yield from self._bring_up(timers, user, due, now)
        elif (wall := self._waking.look(user.uid, due, now)) is not None:
            timers.register_processing_time_timer(wall)

    def _cut_over(self, timers: TimerService, user: UserState, now: int) -> Iterator[Row]:
        """History has run dry: bring the user to the cut-over, in silence, and ask for their list once."""
        self._following.advance(user, self._backfill.until - 1)
        state = encode_state(user)
        self._state.update(state)
        self._wake(timers, user, self._backfill.until, now)
        over = self._visits.take_over(user, self._backfill.until)
        yield _request(user, state, now, ENDED if over else TRAILING)

    def _lake_cells(self, event: Event, user: UserState, followed: Followed) -> Cells:
        if self._lake is None:
            return ()
        return self._lake.cells(event, user, user.consent, kind_of(followed.verdict.marks)) or ()

    def _forget(self, user: UserState, now: int) -> Iterator[Row]:
        self._state.clear()
        self._drift_state.clear()
        self._visits.replaced(user.uid)
        self._counts.accepted.inc()
        left = [Transition(segment, False, user.last, 0) for segment in user.segments]
        yield from self._asides.segments(user.uid, left)
        yield _request(user, encode_state(user), now, FORGET)

    def _refuse(
        self, outcome: StepOutcome, user: UserState, event: Event, row: Row, record_time: int, now: int
    ) -> Iterator[Row | Aside]:
        if outcome.refused == LATE:
            behind = f"{user.last - event.time} ms behind the user's latest event"
            yield from self._refusals.refuse(Rejected(Reason.LATE, behind), row, record_time)
        elif outcome.bad is not None:
            bad = Rejected(Reason.BAD_ATTRIBUTES, str(outcome.bad))
            yield from self._refusals.refuse(bad, row, record_time)
            yield from self._asides.bad_attributes(outcome.bad, now)
        else:
            self._counts.duplicates.inc()


def _request(user: UserState, state: bytes, asked: int, edge: int) -> Row:
    """Ask the rank stage for a user, whose record is `state`. Whoever was tagged since is shown without a list."""
    if user.traffic.marks and edge != FORGET:
        edge = QUIET
    return user_row(user.uid, encode_request(RefreshRequest(state, asked, edge)))


def _now() -> int:
    return time.time_ns() // 1_000_000
