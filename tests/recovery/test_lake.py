"""The data lake through a crash: each row in exactly one visible file, on disk and in S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from infra.flink import FlinkCluster, wait_for_tasks
from jobs.files import open_events
from jobs.lake_place import LakePlace
from schemas.lake import NAMES
from schemas.records import Event
from tests.job_feed import until
from tests.recovery.cluster import worker_of
from tests.s3_server import S3Server

ROWS = 10_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lakes(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LakePlace]]:
    """Lakes on disk and in S3 that one job wrote whose TaskManager was killed on the way."""
    run = tmp_path_factory.mktemp("lake")
    folders = {"disk": (run / "lake").as_uri(), "s3": f"s3://shop/{run.name}"}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in s3_server.variables.items():
            environment.setenv(name, value)
        _write_through_a_crash(run, list(folders.values()))
        yield {"disk": LakePlace.of(run / "lake"), "s3": LakePlace.of(folders["s3"])}


@pytest.fixture(params=["disk", "s3"])
def lake(request: pytest.FixtureRequest, lakes: dict[str, LakePlace]) -> LakePlace:
    """One of the lakes."""
    return lakes[request.param]


def _write_through_a_crash(run: Path, folders: list[str]) -> None:
    groups = ("connector", "lake", "s3")
    with FlinkCluster(task_managers=2, jar_groups=groups, run=run / "flink") as cluster:
        said = subprocess.run(
            [sys.executable, ROOT / "tests/recovery/lake_job.py", str(cluster.web_port), str(ROWS), *folders],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr[-3000:]
        job = said.stdout.split()[-1]
        wait_for_tasks(cluster, job)
        until(
            lambda: cluster.rest(f"/jobs/{job}/checkpoints")["counts"]["completed"] >= 3, "three checkpoints"
        )
        cluster.kill_task_manager(worker_of(cluster, job))
        until(lambda: cluster.rest(f"/jobs/{job}")["state"] == "FINISHED", "the job's end")
        assert cluster.rest(f"/jobs/{job}/checkpoints")["counts"]["restored"] >= 1


def rows_of(lake: LakePlace) -> Any:
    """All rows, as pyarrow finds them."""
    return ds.dataset(lake.path, filesystem=lake.files, format="parquet", partitioning="hive").to_table()


def test_every_row_is_there_once_though_a_task_manager_was_killed(lake: LakePlace) -> None:
    assert sorted(rows_of(lake)["n"].to_pylist()) == list(range(1, ROWS + 1))


def test_rows_lie_in_the_folder_of_their_day(lake: LakePlace) -> None:
    table = rows_of(lake).to_pandas()
    assert set(table.columns) == {"v", *NAMES, "day"}
    assert (table["at"].dt.strftime("%Y-%m-%d") == table["day"].astype(str)).all()
    assert table["day"].nunique() == 4


def test_train_and_evaluate_read_the_lake_as_they_read_a_file(lake: LakePlace) -> None:
    source = open_events(str(lake))
    events = list(source)
    assert source.rows == len(events) == ROWS
    assert [event.time for event in events if isinstance(event, Event)] == [
        1_700_000_000_000 + n * 20_000 for n in range(1, ROWS + 1)
    ]
    sixth = events[5]
    assert sixth == Event(
        event_id="e6", user_id="0123456789abcdef01234567", type="view", time=1_700_000_120_000,
        items=("a", "b"), attributes={"k": "v"},
    )  # fmt: skip


def test_pandas_reads_the_lake(lake: LakePlace) -> None:
    table = pd.read_parquet(lake.path, filesystem=lake.files)
    assert len(table) == ROWS
    assert table["time"].min() == pd.Timestamp("2023-11-14T22:13:40")


def test_duckdb_reads_the_lake(lakes: dict[str, LakePlace]) -> None:
    query = f"select count(*), count(distinct n), min(items[1]) from read_parquet('{lakes['disk']}/*/part-*')"
    assert duckdb.sql(query).fetchall() == [(ROWS, ROWS, "a")]
