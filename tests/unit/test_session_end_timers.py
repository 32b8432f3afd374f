"""The user step of the job with clocks that the test turns: one list at the end of a session, by either clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.common import Row
from pyflink.datastream import TimeDomain

from operators import flink
from operators.flink import UserStepFunction
from operators.flink_settings import StepFunctionSettings
from operators.idle_clock import PATIENCE
from operators.refresh import LEISURE, RefreshPolicy, RefreshSettings
from operators.refresh_request import ENDED, LEADING, QUIET, TRAILING, decode_request
from operators.segments import SegmentRule
from operators.user_step import StepSettings
from schemas.codec import EVENTS
from schemas.records import Event
from schemas.state import UserState, decode_state

BEGIN = 1_700_000_000_000
GAP = StepSettings().session_gap
MINUTE = 60_000
OVER = GAP + 1
SETTINGS = StepFunctionSettings(
    secret=b"secret of a test",
    events_topic="events",
    dead_letters_topic="dead",
    drift_topic="drift",
    control_status_topic="status",
    catalog_topic="catalog",
    segment_changes_topic="segments",
)


class Cell:
    """The value of one key."""

    def __init__(self) -> None:
        self.held: bytes | None = None

    def value(self) -> bytes | None:
        return self.held

    def update(self, value: bytes) -> None:
        self.held = value

    def clear(self) -> None:
        self.held = None


class Metrics:
    """Takes the counters of the step."""

    def add_group(self, name: str) -> Metrics:
        return self

    def counter(self, name: str) -> Any:
        return SimpleNamespace(inc=lambda by=1: None)


@dataclass
class Engine:
    """Runs the step for the one user "ann", with Flink's rules of timers: one of a kind and time fires once.

    `wall` is the clock on the wall and `time` the watermark, which somebody else's events move. Both are ms.
    """

    settings: StepFunctionSettings = SETTINGS
    wall: int = BEGIN
    time: int = 0
    asked: list[tuple[int, UserState]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._timers: dict[TimeDomain, set[int]] = {kind: set() for kind in TimeDomain}
        self._number = count()
        cells: dict[str, Cell] = {}
        where = SimpleNamespace(getTaskInfo=lambda: SimpleNamespace(getIndexOfThisSubtask=lambda: 0))
        self.step = UserStepFunction(self.settings)
        self.step.open(
            SimpleNamespace(
                get_state=lambda descriptor: cells.setdefault(descriptor.name, Cell()),
                get_metrics_group=Metrics,
                _runtime_context=where,
            )  # type: ignore[arg-type]
        )

    def event(self, at: int, kind: str = "view", *, moves: bool = True) -> None:
        """An event of the user, at the time of the wall clock; without `moves` event time is past it already."""
        event = Event(event_id=str(next(self._number)), user_id="ann", type=kind, time=at, item_id="mug")
        self._run(self.step.process_element, Row(EVENTS.encode(event), 0, 0, at), at)
        if moves:
            self.somebody_elses(at)

    def somebody_elses(self, at: int, *, here: bool = True) -> None:
        """Event time goes on to `at` without an event of the user: `here`, or of users of another subtask alone."""
        if here:
            self.step._clock.met(at, self.wall)
        self.time = at
        self._fire(TimeDomain.EVENT_TIME, lambda: self.time)

    def wait(self, ms: int) -> None:
        """Time passes on the wall."""
        end = self.wall + ms
        timers = self._timers[TimeDomain.PROCESSING_TIME]
        while due := sorted(timer for timer in timers if timer <= end):
            self.wall = max(self.wall, due[0])
            self._fire(TimeDomain.PROCESSING_TIME, lambda: self.wall)
        self.wall = end

    def lists(self) -> list[int]:
        """The edges of the lists that were asked for since the last call."""
        asked, self.asked = self.asked, []
        return [edge for edge, _ in asked if edge != QUIET]

    @property
    def timers(self) -> int:
        """How many timers wait."""
        return sum(map(len, self._timers.values()))

    def _fire(self, kind: TimeDomain, now: Callable[[], int]) -> None:
        timers = self._timers[kind]
        while due := sorted(timer for timer in timers if timer <= now()):
            timers.discard(due[0])
            self._run(self.step.on_timer, due[0], due[0], kind)

    def _run(
        self, what: Callable[..., Iterable[Row]], first: Any, at: int, kind: TimeDomain | None = None
    ) -> None:
        service = SimpleNamespace(
            register_event_time_timer=self._timers[TimeDomain.EVENT_TIME].add,
            register_processing_time_timer=self._timers[TimeDomain.PROCESSING_TIME].add,
        )
        context = SimpleNamespace(
            timestamp=lambda: at,
            get_current_key=lambda: "ann",
            timer_service=lambda: service,
            time_domain=lambda: kind,
            get_broadcast_state=lambda descriptor: {},
        )
        for row in what(first, context):
            if row[1] is not None:
                request = decode_request(row[1])
                self.asked.append((request.edge, decode_state(request.state)))


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    """Makes an engine whose wall clock is the step's."""

    def made(settings: StepFunctionSettings = SETTINGS) -> Engine:
        engines: list[Engine] = []
        monkeypatch.setattr(flink, "_now", lambda: engines[0].wall if engines else BEGIN)
        engines.append(Engine(settings))
        return engines[0]

    return made


def with_refresh(**changes: Any) -> StepFunctionSettings:
    return StepFunctionSettings(**{**vars(SETTINGS), "refresh": RefreshSettings(**changes)})


def test_one_list_is_asked_for_when_the_session_is_over_by_event_time(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.wait(MINUTE)
    engine.event(BEGIN + 20 * MINUTE)
    assert engine.lists() == [LEADING, LEADING]
    engine.wait(MINUTE)
    engine.somebody_elses(BEGIN + 20 * MINUTE + GAP)
    assert engine.lists() == []
    engine.somebody_elses(BEGIN + 20 * MINUTE + OVER)
    assert engine.lists() == []
    engine.wait(LEISURE)
    [(edge, user)] = engine.asked
    assert (edge, user.n, user.last) == (ENDED, 2, BEGIN + 20 * MINUTE)
    engine.asked = []
    engine.wait(100 * GAP)  # what was registered for the wall clock finds nothing left to do
    engine.somebody_elses(BEGIN + 100 * GAP)
    assert engine.lists() == []
    assert engine.timers == 0


def test_one_list_is_asked_for_by_the_wall_clock_while_no_event_comes(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.lists()
    engine.wait(GAP - PATIENCE)
    assert engine.lists() == []
    engine.wait(3 * PATIENCE + LEISURE)
    assert engine.lists() == [ENDED]
    engine.somebody_elses(BEGIN + 50 * GAP)
    engine.wait(50 * GAP)
    assert engine.lists() == []
    assert engine.timers == 0


def test_every_session_has_its_list_and_who_comes_back_has_one_of_the_new_session(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    for visit in range(3):
        for step in range(4):
            engine.wait(MINUTE)
            engine.event(BEGIN + visit * 10 * GAP + step * MINUTE)
        engine.wait(MINUTE)
        engine.somebody_elses(BEGIN + visit * 10 * GAP + 5 * GAP)
        engine.wait(MINUTE)
    assert engine.lists() == [LEADING] * 4 + [ENDED] + [LEADING] * 4 + [ENDED] + [LEADING] * 4 + [ENDED]


def test_who_is_back_before_event_time_tells_that_they_were_gone_needs_no_list_for_it(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.wait(MINUTE)
    engine.event(BEGIN + 10 * GAP)
    assert engine.lists() == [LEADING, LEADING]


def test_beyond_the_budget_the_list_waits_and_is_still_one_for_the_next_visit(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.lists()
    engine.wait(MINUTE)
    budget = engine.step._requests.lists.budget
    engine.step._requests.lists.budget = RefreshPolicy(RefreshSettings(burst=0)).budget
    engine.somebody_elses(BEGIN + OVER)
    engine.wait(20 * LEISURE)
    assert engine.lists() == []
    assert engine.timers <= 2
    engine.step._requests.lists.budget = budget
    engine.wait(LEISURE)
    assert engine.lists() == [ENDED]


def test_while_a_backlog_is_read_whoever_comes_back_in_it_needs_no_list_for_the_visits_between(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    for visit in range(20):
        engine.event(BEGIN + visit * 10 * GAP)
        engine.wait(LEISURE // 10)
    assert engine.lists() == [LEADING] * 20
    engine.somebody_elses(BEGIN + 200 * GAP)
    engine.wait(LEISURE)
    assert engine.lists() == [ENDED]


def test_an_event_that_comes_when_its_session_is_over_brings_a_list_and_then_one_for_the_next_visit(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.wait(MINUTE)
    engine.somebody_elses(BEGIN + 2 * GAP)
    engine.wait(MINUTE)
    assert engine.lists() == [LEADING, ENDED]
    engine.event(BEGIN, moves=False)
    engine.wait(MINUTE)
    assert engine.lists() == [LEADING, ENDED]


def test_an_event_without_a_list_goes_on_with_a_session_that_was_over_and_its_end_is_due_later(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.wait(MINUTE)
    engine.somebody_elses(BEGIN + OVER)
    engine.event(BEGIN + OVER + 1, kind="scroll")
    engine.wait(MINUTE)
    assert engine.lists() == [LEADING]
    engine.somebody_elses(BEGIN + 2 * OVER + 1)
    engine.wait(LEISURE)
    assert engine.lists() == [ENDED]


def test_events_of_others_in_another_subtask_tell_of_an_end_as_well(engine_of: Callable[..., Engine]) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.wait(MINUTE)
    engine.somebody_elses(BEGIN + 2 * GAP, here=False)
    engine.wait(LEISURE)
    assert engine.lists() == [LEADING, ENDED]


def test_a_list_that_waits_within_the_session_is_one_of_the_session(engine_of: Callable[..., Engine]) -> None:
    engine = engine_of()
    engine.event(BEGIN)
    engine.event(BEGIN + 1)
    engine.wait(1_000)
    assert engine.lists() == [LEADING, TRAILING]


def test_a_segment_that_is_left_later_has_its_own_time(engine_of: Callable[..., Engine]) -> None:
    rule = SegmentRule(name="keen", when='count("view", within="2h") >= 1')
    engine = engine_of(StepFunctionSettings(**{**vars(SETTINGS), "segments": (rule,)}))
    engine.event(BEGIN)
    engine.wait(10_000)
    engine.somebody_elses(BEGIN + 3 * 60 * MINUTE)
    assert [(edge, list(user.segments)) for edge, user in engine.asked] == [
        (LEADING, ["keen"]),
        (QUIET, []),
    ]
    engine.wait(LEISURE)
    assert engine.lists() == [LEADING, ENDED]


def test_without_lists_at_session_ends_there_is_neither_list_nor_timer(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of(with_refresh(at_session_end=False))
    engine.event(BEGIN)
    assert engine.timers == 0
    engine.somebody_elses(BEGIN + 100 * GAP)
    engine.wait(100 * GAP)
    assert engine.lists() == [LEADING]


def test_history_sets_no_timer_for_ends_and_whoever_is_gone_at_the_cut_over_has_one_list(
    engine_of: Callable[..., Engine],
) -> None:
    engine = engine_of()
    engine.step._backfill.cut_over(BEGIN + 10 * GAP)
    for visit in range(3):
        engine.event(BEGIN + visit * 2 * GAP)
    assert not engine._timers[TimeDomain.EVENT_TIME]
    engine.wait(5 * MINUTE)
    assert engine.lists() == [ENDED]
    engine.somebody_elses(BEGIN + 100 * GAP)
    engine.wait(100 * GAP)
    assert engine.lists() == []


def test_whose_session_ends_after_the_cut_over_has_a_list_then(engine_of: Callable[..., Engine]) -> None:
    engine = engine_of()
    until = BEGIN + 10 * GAP
    engine.step._backfill.cut_over(until)
    engine.event(until - MINUTE)
    engine.wait(5 * MINUTE)
    assert engine.lists() == [TRAILING]
    engine.somebody_elses(until + GAP)
    engine.wait(LEISURE)
    assert engine.lists() == [ENDED]
    engine.wait(100 * GAP)
    assert engine.lists() == []
