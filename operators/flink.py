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
from operators.flink_requests import Requests
from operators.flink_rows import REFERENCE, Cells, beside, message, purchase_row, request_row, user_row
from operators.flink_settings import StepFunctionSettings
from operators.flink_state import bytes_state, kept_for, subtask_of
from operators.flink_waking import WakingTimers
from operators.following import Followed, Following
from operators.following_control import FollowingControl
from operators.idle_clock import IdleClock
from operators.ingest import Ingest
from operators.item_facts import NOTHING_KNOWN
from operators.lake_row import LakeRows, drawn_id
from operators.refresh_request import FINAL, FORGET, QUIET, TRAILING
from operators.segments import Transition
from operators.stream_summary import Summariser
from operators.user_step import LATE, StepOutcome
from schemas.pseudonym import Pseudonym
from schemas.reason import Reason
from schemas.records import Event
from schemas.state import UserState, decode_state, encode_state
from schemas.traffic_state import kind_of

END_OF_TIME = 2**63 - 2
"""An event-time timer that fires at the end of bounded input, and never before."""

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
        self._lake = LakeRows(settings.lake) if settings.lake.folder else None
        self._first_subtask = subtask_of(runtime_context) == 0
        group = runtime_context.get_metrics_group().add_group("headrace")
        self._counts = StepCounts(group)
        self._requests = Requests(settings, self._counts)
        self._waking = WakingTimers(
            settings, self._following, self._backfill, self._clock, self._requests.lists
        )
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
            if outcome.changes_list:
                self._waking.visits.replaced(user.uid)
            self._waking.wake(timers, user, event.time, now)
            if not self._backfill.is_history(event.time):
                request = self._requests.of_event(
                    timers, event, user, state, now, changes_list=outcome.changes_list
                )
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
            yield request_row(user, encode_state(user), now, FINAL)
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

    def _wall_timer(
        self, timers: TimerService, user: UserState, stored: bytes, timestamp: int, now: int
    ) -> Iterator[Row]:
        """A timer of the wall clock: of a cut-over, or of a list, a profile or a look at the user."""
        is_live = not self._backfill.waits(user.uid)
        looked = self._waking.wakes(user.uid, timestamp) and is_live
        listed = self._requests.lists.waits(user.uid, timestamp) and is_live
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
                if (due := self._waking.look(timers, user, now)) is not None:
                    yield from self._bring_up(timers, user, due, now)
                stored = encode_state(user)
            if self._requests.quiet.waits(user.uid, timestamp):
                yield request_row(user, stored, self._requests.quiet.fired(user.uid, now), QUIET)
            if listed or not (looked or self._requests.knows(user.uid)):
                yield from self._late_list(timers, user, stored, now)

    def _bring_up(self, timers: TimerService, user: UserState, to: int, now: int) -> Iterator[Row]:
        """Let time pass for a user, up to the event time `to`."""
        transitions = self._following.advance(user, to)
        self._waking.brought_up(timers, user, to, now)
        if not transitions:
            return
        state = encode_state(user)
        self._state.update(state)
        yield from self._asides.segments(user.uid, transitions)
        if not self._backfill.is_history(transitions[-1].at):
            yield from self._requests.of_time(timers, user, state, now)

    def _late_list(self, timers: TimerService, user: UserState, stored: bytes, now: int) -> Iterator[Row]:
        """A list whose time has come; one for the next visit where the session has ended meanwhile."""
        edge = self._waking.late_edge(timers, user, now)
        if edge is None:
            return
        self._counts.trailing.inc()
        if edge == TRAILING and not self._requests.knows(user.uid):
            # A timer of before a restart, after which neither clock knows yet whether the session is over.
            self._waking.wake(timers, user, user.last, now)
        yield request_row(user, stored, self._requests.lists.fired(user.uid, now), edge)

    def _cut_over(self, timers: TimerService, user: UserState, now: int) -> Iterator[Row]:
        """History has run dry: bring the user to the cut-over, in silence, and ask for their list once."""
        self._following.advance(user, self._backfill.until - 1)
        state = encode_state(user)
        self._state.update(state)
        self._waking.wake(timers, user, self._backfill.until, now)
        yield request_row(user, state, now, self._waking.edge_at(user, self._backfill.until))

    def _lake_cells(self, event: Event, user: UserState, followed: Followed) -> Cells:
        if self._lake is None:
            return ()
        return self._lake.cells(event, user, user.consent, kind_of(followed.verdict.marks)) or ()

    def _forget(self, user: UserState, now: int) -> Iterator[Row]:
        self._state.clear()
        self._drift_state.clear()
        self._waking.visits.replaced(user.uid)
        self._counts.accepted.inc()
        left = [Transition(segment, False, user.last, 0) for segment in user.segments]
        yield from self._asides.segments(user.uid, left)
        yield request_row(user, encode_state(user), now, FORGET)

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


def _now() -> int:
    return time.time_ns() // 1_000_000
