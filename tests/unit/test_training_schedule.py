"""A schedule beside requests of drift: due by the age of the newest bundle, after a restart as before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from jobs.cli import build
from jobs.train_app import WithDefault, app
from jobs.train_on_drift import BadPeriod, period_of
from jobs.training_queue import awaited
from jobs.training_schedule import AGAIN_MS, SCHEDULE, TrainingSchedule
from operators.bundle_manifest import BundleRefused, read_manifest, write_manifest
from operators.retrain_policy import RetrainRequest
from operators.segments.literals import DAY
from tests.small_bundles import write_network

WEEK = 7 * DAY
MADE = 1_767_225_600_000  # 2026-01-01, when these bundles were made


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_network(tmp_path / "shop" / "1", seed=1)
    return tmp_path / "shop"


def drifted(at: int) -> RetrainRequest:
    return RetrainRequest(at=at, scope="stream", signal="unknown_items", detector="ADWIN", reason="new")


def made_at(models: Path, version: int, at: int) -> None:
    write_network(models / str(version), seed=version)
    created = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
    manifest = read_manifest(models / str(version))
    write_manifest(models / str(version), msgspec.structs.replace(manifest, created=created))


def test_the_next_is_due_a_week_after_the_newest_bundle_was_made_and_a_restart_changes_nothing(
    models: Path,
) -> None:
    clock = Clock(MADE + DAY)
    for _ in range(2):
        schedule = TrainingSchedule(WEEK, models, clock)
        assert schedule.due_at() == MADE + WEEK
        assert schedule.wait_s() == 6 * DAY / 1000
    clock.now = MADE + 9 * DAY
    assert TrainingSchedule(WEEK, models, clock).wait_s() == 0
    made_at(models, 10, clock.now)
    assert TrainingSchedule(WEEK, models, clock).due_at() == MADE + 16 * DAY


def test_without_a_bundle_one_is_due_at_once(tmp_path: Path) -> None:
    assert TrainingSchedule(WEEK, tmp_path / "nothing", Clock(MADE)).wait_s() == 0


def test_one_that_kept_no_bundle_is_not_tried_again_before_its_time(models: Path) -> None:
    clock = Clock(MADE + 8 * DAY)
    schedule = TrainingSchedule(WEEK, models, clock)
    schedule.judged()
    assert schedule.due_at() == clock.now + WEEK
    schedule.failed()
    assert schedule.due_at() == clock.now + AGAIN_MS
    often = TrainingSchedule(60_000, models, clock)
    often.failed()
    assert often.due_at() == clock.now + 60_000


def test_a_bundle_without_a_sound_manifest_is_named(models: Path) -> None:
    (models / "1" / "manifest.json").write_text("{")
    with pytest.raises(BundleRefused, match=str(models / "1")):
        TrainingSchedule(WEEK, models, Clock(MADE)).due_at()
    with pytest.raises(ValueError, match="more than 0"):
        TrainingSchedule(0, models, Clock(MADE))


def test_requests_and_the_schedule_make_one_queue(models: Path) -> None:
    """What waits comes first; a bundle that it led to puts the schedule off; then the schedule's own turn comes."""
    clock = Clock(MADE + 6 * DAY)
    schedule = TrainingSchedule(WEEK, models, clock)
    asked = threading.Event()

    def requests() -> Iterator[RetrainRequest]:
        yield drifted(5)
        asked.wait(30)
        yield drifted(9)
        threading.Event().wait(60)

    queue = awaited(requests(), schedule)
    assert next(queue) == drifted(5)
    clock.now = MADE + 8 * DAY
    made_at(models, 2, clock.now)
    schedule.judged()
    assert schedule.wait_s() == WEEK / 1000, "it was due a day ago, and is not any more"
    clock.now += WEEK
    due = next(queue)
    assert (due.scope, due.at, due.reason) == (SCHEDULE, 0, "a new bundle every 7d")
    schedule.judged()
    asked.set()
    assert next(queue) == drifted(9)


def test_a_request_that_comes_while_the_schedule_waits_is_not_kept_waiting(models: Path) -> None:
    queue = awaited(iter([drifted(3), drifted(4)]), TrainingSchedule(WEEK, models, Clock(MADE)))
    began = time.monotonic()
    assert list(queue) == [drifted(3), drifted(4)]
    assert time.monotonic() - began < 30


def test_without_a_schedule_there_are_requests_alone(models: Path) -> None:
    assert list(awaited(iter([drifted(3)]), None)) == [drifted(3)]


@pytest.mark.parametrize("every", [None, WEEK])
def test_what_ends_the_requests_is_heard(models: Path, every: int | None) -> None:
    def requests() -> Iterator[RetrainRequest]:
        yield drifted(3)
        raise ConnectionError("the broker is gone for good")

    schedule = None if every is None else TrainingSchedule(every, models, Clock(MADE))
    queue = awaited(requests(), schedule)
    assert next(queue) == drifted(3)
    with pytest.raises(ConnectionError, match="gone for good"):
        next(queue)


def test_a_time_names_the_command_that_waits() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, WithDefault)
    assert group.named(["lake", "--every", "7d"]) == ["on-drift", "lake", "--every", "7d"]
    assert group.named(["--every=7d"]) == ["on-drift", "--every=7d"]
    assert group.named(["--on-drift", "--weekly", "lake"]) == ["on-drift", "--weekly", "lake"]
    assert group.named(["events.parquet"]) == ["ranker", "events.parquet"]


@pytest.mark.parametrize(
    ("every", "weekly", "why"),
    [
        ("soon", False, '"soon" is no duration'),
        ("5s", False, "at least 1m"),
        ("7d", True, "give one of them"),
    ],
)
def test_a_time_that_is_none_is_refused(every: str, weekly: bool, why: str) -> None:
    with pytest.raises(BadPeriod, match=why):
        period_of(every, weekly)


def test_the_refusal_is_one_line(headrace_home: Path) -> None:
    arguments = ["train", "lake", "--every", "soon"]
    result = CliRunner().invoke(build(arguments), arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--every" in result.stderr
