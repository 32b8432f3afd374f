"""What `headrace bench` says, on traffic too small for its figures to mean anything."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from jobs import bench
from jobs.bench_events import LIST_CHANGING, MIX, QUIET, Traffic, events_of, items_of
from jobs.bench_latency import Coverage, quantiles
from jobs.bench_models import LEARNERS
from jobs.bench_pipeline import Look, judged
from jobs.bench_plain import PER_EVENT, PER_LIST, PlainSettings, measure_batches, measure_plain
from jobs.bench_producer import timed_events
from jobs.bench_size import fifty_each
from jobs.bench_sources import measure_sources, without
from operators.candidates import SOURCES
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.item_facts import facts_of
from operators.model_members import MEMBERS
from operators.stream_models import BUYS, ENGAGES
from operators.user_step import StepSettings, UserStep
from schemas.codec import encode_event
from schemas.records import Event
from schemas.schema_book import SchemaBook
from schemas.state import UserState
from schemas.stats import Histogram
from schemas.worker_reading import WorkerReading

TINY = Traffic(events=600, users=40, items=120)


def test_the_mix_is_the_one_that_is_stated() -> None:
    kinds = Counter(event.type for event in events_of(replace(TINY, events=20_000)))
    for kind, share in MIX.items():
        assert kinds[kind] / 20_000 == pytest.approx(share, abs=0.015)
    assert LIST_CHANGING >= 0.5


def test_every_generated_event_is_accepted_and_changes_a_list_as_the_mix_says() -> None:
    ingest = Ingest(IngestSettings(), SchemaBook())
    step = UserStep(StepSettings(), {item.item_id: facts_of(item) for item in items_of(TINY)})
    users: dict[str, UserState] = {}
    for event in events_of(TINY):
        accepted = ingest.accept(encode_event(event), event.time, event.time)
        assert isinstance(accepted, Event)
        user = users.setdefault(event.user_id, UserState(event.user_id, born=event.time))
        outcome = step.update(user, accepted, None)
        assert outcome.refused is None
        assert outcome.changes_list == (event.type not in QUIET)


def test_everyone_is_among_the_events_when_asked_for() -> None:
    everyone = replace(TINY, users=500, everyone=True)
    assert len({event.user_id for event in events_of(everyone)}) == 500
    assert len({event.user_id for event in events_of(replace(everyone, everyone=False))}) < 500


def test_the_same_traffic_is_the_same_events() -> None:
    assert list(events_of(TINY)) == list(events_of(TINY))


def test_preloaded_events_tell_no_time_of_sending_and_live_ones_their_intended_one() -> None:
    assert all(event.sent is None for event in events_of(TINY))
    assert all(event.sent == event.time for event in timed_events(TINY))


def test_the_plain_loop_tells_every_stage() -> None:
    figures = measure_plain(TINY, PlainSettings())
    assert set(figures.stages) == {*PER_EVENT, *PER_LIST}
    assert figures.events == 300
    assert figures.lists_per_event > 0
    assert figures.at_share(0.0) > figures.at_share(1.0) > 0


def test_the_rank_stage_is_told_by_batch() -> None:
    batches = measure_batches(TINY, PlainSettings(), (1, 4), lists=8)
    assert list(batches) == [1, 4]
    assert set(batches[1]) == {*PER_LIST, "rank stage"}


def test_each_generated_user_weighed_did_fifty_things() -> None:
    _, events = fifty_each(3, items=120)
    assert set(Counter(event.user_id for event in events).values()) == {50}


def test_a_list_covers_coalesced_events_from_their_intended_time_on() -> None:
    coverage = Coverage(interval=200)
    for n, at in ((1, 1_000), (2, 1_050), (4, 1_100)):
        coverage.expect("ann", n, at, True, True)
    coverage.expect("ann", 3, 1_060, False, True)
    coverage.take("ann", 1, 1_030)
    coverage.take("ann", 4, 1_240)
    assert (coverage.leading, coverage.trailing) == ([30], [190, 140])
    assert (coverage.coalesced, coverage.uncovered) == (1, 0)


def test_an_event_in_no_list_is_counted_and_warm_up_is_not() -> None:
    coverage = Coverage(interval=200)
    coverage.expect("ann", 1, 1_000, True, False)
    coverage.expect("bob", 1, 1_000, True, True)
    coverage.take("ann", 1, 1_010)
    assert (coverage.leading, coverage.trailing, coverage.uncovered) == ([], [], 1)


def test_quantiles_of_nothing_are_none() -> None:
    assert math.isnan(quantiles([]).p99)
    assert quantiles(range(1, 101)).p99 == 99.0


def reading(at: int, lists: int, ms: int) -> WorkerReading:
    ages = Histogram()
    ages.add(ms, lists)
    return WorkerReading(at, lists, lists, 100 * lists, 10 * lists, ages, Histogram())


def looks(ms: int) -> list[Look]:
    return [
        Look(float(second), second * 1_000, {"a": reading(second, 400 * second, ms)}) for second in range(11)
    ]


def test_throughput_is_that_of_the_steady_state() -> None:
    run = judged(looks(ms=80), 10_000, 100_000, 8_500, 2, start_s=20.0, restarts=0)
    assert run.events_per_s == pytest.approx(1_000)
    assert run.refreshes_per_s == pytest.approx(400)
    assert (run.rank_us, run.redis_us, run.counts) == (100.0, 10.0, True)


@pytest.mark.parametrize(
    ("ms", "users", "list_changing", "restarts", "reason"),
    [
        (1_500, 100_000, 8_500, 0, "p99 list age"),
        (80, 99_999, 8_500, 0, "distinct users"),
        (80, 100_000, 4_000, 0, "change a list"),
        (80, 100_000, 8_500, 1, "restarted"),
    ],
)
def test_a_throughput_that_misses_a_condition_does_not_count(
    ms: int, users: int, list_changing: int, restarts: int, reason: str
) -> None:
    run = judged(looks(ms), 10_000, users, list_changing, 1, start_s=1.0, restarts=restarts)
    assert not run.counts
    assert reason in run.why_not[0]


# PyFlink itself still imports what it calls deprecated.
@pytest.mark.filterwarnings("ignore:.*has been deprecated since version:DeprecationWarning")
def test_bench_plain_prints_for_machines(monkeypatch: pytest.MonkeyPatch, headrace_home: object) -> None:
    monkeypatch.setattr(
        bench, "QUICK", bench.Extent(
            plain_events=400, users=30, items=120, state_users=(20,), catalogue=(120,), scale_events=60,
            model_examples=40,
        )
    )  # fmt: skip
    said = CliRunner().invoke(_app(), ["plain", "--quick", "--json"])
    assert said.exit_code == 0, said.stderr
    assert all(learner in said.stderr for learner in LEARNERS)
    report = json.loads(said.stdout)
    assert set(report) == {"machine", "settings", "plain", "batches", "scale", "models"}
    assert report["machine"]["cores"] > 0
    assert report["settings"]["refresh"]["interval"] > 0
    assert [(scale["users"], scale["items"]) for scale in report["scale"][0]] == [(20, 10_000), (10_000, 120)]
    (models,) = report["models"]
    assert set(models["users"]) == set(LEARNERS) == set(models["user_bytes"])
    assert set(models["update"]) == {*(f"{ENGAGES}, {each}" for each in (*MEMBERS, "all")), f"{BUYS}, all"}
    assert min(*models["users"].values(), *models["update"].values(), models["predict"]) > 0


def _app() -> object:
    import typer

    app = typer.Typer()
    app.command()(bench.command)
    return app


def test_every_source_has_its_cost_and_says_whether_it_is_on() -> None:
    costs = measure_sources(TINY, PlainSettings(), users=20, rounds=1)
    assert {*costs.saved, *costs.added} == {*SOURCES}
    assert costs.users == 20
    assert costs.list_us > 0.0
    assert not without(PlainSettings().worker.rank, "covisit").candidates.covisit
