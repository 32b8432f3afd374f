"""The metrics in Flink of the user step, and of the detectors beside it."""

from __future__ import annotations

from pyflink.metrics import Counter, MetricGroup

from operators.following import Followed
from schemas.records import EVENT_TYPES, POOL, STREAM, DriftAlert, Event
from schemas.traffic_state import ALL_REASONS, reasons


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


class StepCounts:
    """Counters of one subtask; `interval` (ms) and `budget` (lists/s) are levels."""

    def __init__(self, group: MetricGroup) -> None:
        self.accepted = group.counter("accepted")
        self.duplicates = group.counter("duplicates")
        self.drifts = group.counter("drifts")
        self.leading = group.counter("leading_refreshes")
        self.trailing = group.counter("trailing_refreshes")
        self.segment_changes = group.counter("segment_changes")
        self.interval = Level(group.counter("refresh_interval_ms"))
        self.budget = Level(group.counter("refresh_budget_per_s"))
        self._unknown_types = group.counter("unknown_types")
        kept_out = group.add_group("kept_out")
        self._kept_out = {reason: kept_out.counter(reason) for reason in ALL_REASONS}

    def accept(self, event: Event, followed: Followed) -> None:
        """Count an accepted event."""
        self.accepted.inc()
        if event.type not in EVENT_TYPES:
            self._unknown_types.inc()
        if followed.verdict.tagged:
            for reason in reasons(followed.verdict.marks):
                self._kept_out[reason].inc()


class WatchCounts:
    """Counters of the detectors of pools and of the whole stream; `requests` are those for a retraining."""

    def __init__(self, group: MetricGroup) -> None:
        self._alerts = {POOL: group.counter("drifts_of_pools"), STREAM: group.counter("drifts_of_stream")}
        self.requests = group.counter("retrain_requests")

    def alert(self, alert: DriftAlert) -> None:
        """Count an alert that is told."""
        self._alerts[alert.scope].inc()
