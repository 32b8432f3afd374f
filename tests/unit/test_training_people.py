"""What is learned from a file is learned from people: a robot in it is kept out as the job would keep it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from heapq import merge
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.factorise import FactorSettings
from jobs.personas_training import PersonaTraining, PersonaTrainingSettings
from jobs.settings import Settings
from jobs.train import training_by
from jobs.training import Training, TrainingSettings
from jobs.training_events import NothingToLearnError, TrainingEvents, read_training_events
from jobs.training_people import EVERYBODY, VISITORS, People
from operators.traffic_settings import TrafficSettings
from schemas.pseudonym import Pseudonym
from schemas.records import Event
from tests.robots import SAYS_SO, Site, by_exponential_gaps, by_the_clock, in_one_rush, thirty_percent

SITE = Site(people=300, items=120, begin=1_700_000_000_123)
ROBOT = "robot"
LISTED = Settings(traffic=TrafficSettings(bots=(ROBOT,)))


@cache
def honest() -> tuple[Event, ...]:
    return tuple(SITE.visits())


def robot(times: Callable[..., Iterator[int]] = by_exponential_gaps, says_so: bool = True) -> list[Event]:
    context = {"context": SAYS_SO} if says_so else {}
    return list(SITE.robot(ROBOT, thirty_percent(len(honest())), times, **context))


def write(path: Path, *streams: Iterable[Event]) -> Path:
    events = list(merge(*streams, key=lambda event: event.time))
    names = ("event_id", "user_id", "type", "time", "item_id")
    columns = {name: [getattr(event, name) for event in events] for name in names}
    columns["user_agent"] = [event.context.user_agent for event in events]
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("visits") / "visits.parquet", honest())


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same visits with a robot that makes 30 % of all events, and says what it is."""
    return write(tmp_path_factory.mktemp("crawled") / "visits.parquet", honest(), robot())


def test_training_reads_the_same_events_with_a_robot_in_the_file_as_without(
    visits: Path, crawled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_robot, without = read_training_events(crawled), read_training_events(visits)
    assert with_robot == replace(without, kept_out=len(robot()))
    assert without.kept_out == 0
    assert f"{len(robot())} of {len(honest()) + len(robot())} events are of bots" in caplog.text


@pytest.mark.parametrize(("times", "most"), [(in_one_rush, 70), (by_the_clock, 26)])
def test_a_robot_that_says_nothing_is_kept_out_once_its_pace_gives_it_away_and_nobody_else_is(
    tmp_path: Path, times: Callable[..., Iterator[int]], most: int
) -> None:
    read = read_training_events(write(tmp_path / "visits.parquet", honest(), robot(times, says_so=False)))
    assert 0 < sum(event.user_id == ROBOT for event in read.events) <= most
    assert tuple(event for event in read.events if event.user_id != ROBOT) == honest()


def test_factors_and_sampled_lists_are_those_of_the_file_without_the_robot(
    visits: Path, crawled: Path
) -> None:
    training = Training(
        TrainingSettings(lists=60, validation=60, factors=FactorSettings(factors=4, neighbours=5))
    )
    ours, theirs = (training.lists(training.read(file, None)) for file in (crawled, visits))
    assert ours.factors.item_ids == theirs.factors.item_ids
    assert (ours.factors.factors == theirs.factors.factors).all()
    for mine, other in ((ours.train, theirs.train), (ours.validation, theirs.validation)):
        assert (mine.rows == other.rows).all()
        assert mine.counted == other.counted > 0
    robots_too = training.lists(read_training_events(crawled, people=EVERYBODY))
    assert not np.array_equal(robots_too.factors.factors, ours.factors.factors)
    assert not np.array_equal(robots_too.train.rows, ours.train.rows)


def test_evaluate_judges_people_alone(visits: Path, crawled: Path) -> None:
    def judged(file: Path) -> dict[str, object]:
        result = CliRunner().invoke(
            build(("evaluate",)), ["evaluate", str(file), "--only", "popularity", "--json"]
        )
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        return {name: value for name, value in said.items() if name != "seconds"}

    assert judged(crawled) == judged(visits)


def test_personas_are_trained_on_people_alone(
    crawled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    learned: list[TrainingEvents] = []

    def learn(_self: PersonaTraining, data: TrainingEvents, *_more: object) -> None:
        learned.append(data)

    monkeypatch.setattr(PersonaTraining, "learn", learn)
    PersonaTraining(PersonaTrainingSettings()).run(crawled, None, tmp_path / "personas" / "1")
    assert tuple(learned[0].events) == honest()


def test_users_that_the_settings_list_are_known_in_a_file_by_raw_id_and_by_pseudonym(
    tmp_path: Path, headrace_home: Path
) -> None:
    file = write(tmp_path / "visits.parquet", honest(), robot(says_so=False))
    assert tuple(training_by(LISTED, TrainingSettings()).read(file, None).events) == honest()
    pseudonym = Pseudonym(LISTED.secret()).of(ROBOT)
    by_pseudonym = Settings(traffic=TrafficSettings(bots=(pseudonym,)))
    assert (
        tuple(People.by(by_pseudonym).of(merge(honest(), robot(says_so=False), key=lambda e: e.time)))
        == honest()
    )


def test_an_event_that_comes_twice_is_not_two_actions() -> None:
    once = [
        Event(event_id=str(n), user_id="ann", type="view", time=1_000 * n, item_id="mug") for n in range(50)
    ]
    twice = [event for event in once for _ in range(3)]
    assert VISITORS.of(twice) == twice


def test_a_file_of_a_robot_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError, match="all of its events are of bots"):
        read_training_events(write(tmp_path / "visits.parquet", robot()))
