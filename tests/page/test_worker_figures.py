"""Rates and quantiles from the workers' cumulative figures, and the count of events from Flink."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from jobs.flink_rest import EventRate, FlinkAway, FlinkRest, JobReading
from jobs.worker_figures import WINDOW_MS, WorkerFigures
from schemas.stats import Histogram
from schemas.worker_models import ShadowReading, SlotReading, WorkerModels, encode_models, living_models
from schemas.worker_reading import WorkerReading, worker_reading


def reading(at: int, lists: int, leading: list[float] | None = None) -> WorkerReading:
    histogram = Histogram()
    for ms in leading or []:
        histogram.add(ms)
    return WorkerReading(at, lists, lists // 10, 90 * lists, 12 * lists, histogram, Histogram())


def test_workers_rates_add_up() -> None:
    figures = WorkerFigures()
    figures.take({"a": reading(0, 100), "b": reading(500, 7)}, now=500)
    figures.take({"a": reading(1_000, 300), "b": reading(1_500, 107)}, now=1_500)
    assert figures.current.lists_per_s == pytest.approx(300)
    assert figures.current.rank_us == pytest.approx(90)
    assert figures.current.redis_us == pytest.approx(12)


def test_one_reading_says_nothing_yet() -> None:
    figures = WorkerFigures()
    figures.take({"a": reading(0, 100, [5.0])}, now=0)
    assert figures.current.workers == 1
    assert figures.current.lists_per_s is None
    assert figures.current.leading.p50 is None


def test_latency_is_of_the_last_seconds_not_since_the_start() -> None:
    figures = WorkerFigures()
    figures.take({"a": reading(0, 10, [4_000.0] * 1_000)}, now=0)
    figures.take({"a": reading(1_000, 20, [4_000.0] * 1_000 + [30.0] * 10)}, now=1_000)
    assert figures.current.leading.count == 10
    assert figures.current.leading.p99 == pytest.approx(30, abs=5)


def test_readings_older_than_the_window_no_longer_count() -> None:
    figures = WorkerFigures()
    for second in range(20):
        figures.take({"a": reading(1_000 * second, 1_000 if second == 0 else 2_000)}, now=1_000 * second)
    assert WINDOW_MS < 19_000
    assert figures.current.lists_per_s == 0


def test_a_worker_that_started_again_gives_no_negative_rate() -> None:
    figures = WorkerFigures()
    figures.take({"a": reading(0, 5_000)}, now=0)
    figures.take({"a": reading(1_000, 6_000)}, now=1_000)
    figures.take({"a": reading(2_000, 10)}, now=2_000)
    figures.take({"a": reading(3_000, 30)}, now=3_000)
    assert figures.current.lists_per_s == pytest.approx(20)


def test_a_silent_worker_is_left_out() -> None:
    figures = WorkerFigures()
    figures.take({"a": reading(0, 5)}, now=0)
    figures.take({}, now=60_000)
    assert figures.current.workers == 0


@pytest.mark.parametrize("fields", [{}, {b"at": b"1"}, {b"at": b"x"}])
def test_a_hash_of_another_release_is_no_reading(fields: dict[bytes, bytes]) -> None:
    assert worker_reading(fields) is None


def job(events: int, name: str = "j1") -> JobReading:
    return JobReading(id=name, name="personalize", state="RUNNING", running_ms=1, events=events)


def test_event_rate_counts_between_readings_and_begins_anew_with_a_new_job() -> None:
    rate = EventRate()
    rate.take(job(100), at=0.0)
    assert rate.per_second is None
    rate.take(job(300), at=2.0)
    assert rate.per_second == pytest.approx(100)
    rate.take(job(5, "j2"), at=3.0)
    assert rate.per_second is None


ANSWERS = {
    "/jobs/overview": {
        "jobs": [
            {"jid": "old", "name": "before", "state": "FINISHED", "start-time": 9, "duration": 1},
            {"jid": "j1", "name": "personalize", "state": "RUNNING", "start-time": 5, "duration": 7_000},
        ]
    },
    "/jobs/j1": {
        "vertices": [{"id": "v0", "name": "Source: events of users"}, {"id": "v1", "name": "user step"}]
    },
    "/jobs/j1/vertices/v1/subtasks/metrics?get=numRecordsIn&agg=sum": [{"id": "numRecordsIn", "sum": 1234.0}],
}


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as Flink 2.3 does."""

    def do_GET(self) -> None:
        found = ANSWERS.get(self.path)
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def rest() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_running_job_and_what_its_user_step_read(rest: str) -> None:
    found = FlinkRest(rest).running_job()
    assert found is not None
    assert (found.id, found.name, found.events) == ("j1", "personalize", 1234)


def test_flink_away_is_an_error_that_names_the_address() -> None:
    with pytest.raises(FlinkAway, match=r"127\.0\.0\.1:1"):
        FlinkRest("http://127.0.0.1:1").running_job()


def test_an_address_that_is_not_http_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        FlinkRest("file:///etc/passwd")


def told(at: int, model: str | None, refused: str | None = None) -> bytes:
    models = WorkerModels(at=at, serve=SlotReading(model=model, refused=refused), shadow=ShadowReading())
    return encode_models(models)


def test_of_models_living_workers_alone_are_asked() -> None:
    workers = {
        "a": told(20_000, "shop/2"),
        "b": told(19_000, "shop/1", "golden row 7"),
        "c": told(1_000, "old/1"),
        "d": None,
        "e": b"no reading",
    }
    living = living_models(workers, now=20_000)
    assert {name: models.serve.model for name, models in living.items()} == {"a": "shop/2", "b": "shop/1"}
    assert living["b"].serve.refused == "golden row 7"
