"""The data lake in S3 without Flink: listed, read and compacted as on this machine, on a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from jobs.bad_row import FileRefused
from jobs.files import open_events, open_items
from jobs.lake import app
from jobs.lake_files import LakeFolder, parts
from jobs.lake_place import LakePlace
from jobs.training_events import read_training_events
from tests.s3_server import S3Server
from tests.unit.test_lake import stream, write_lake


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, and an environment that leads there."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def lake(s3: S3Server, tmp_path: Path) -> str:
    """A lake in S3, the copy of one in `tmp_path`."""
    write_lake(tmp_path, stream(events=200), files=2)
    uri = f"s3://shop/{tmp_path.name}"
    there = LakePlace.of(uri)
    for file in sorted(tmp_path.rglob("*")):
        if file.is_file():
            with there.files.open_output_stream(f"{there.path}/{file.relative_to(tmp_path)}") as copy:
                copy.write(file.read_bytes())
    return uri


def test_a_lake_in_s3_reads_as_its_copy_on_this_machine(lake: str, tmp_path: Path) -> None:
    there, here = open_events(lake), open_events(tmp_path)
    assert (there.format, there.rows) == ("lake", here.rows)
    assert list(there) == list(here)
    assert read_training_events(Path(lake)) == read_training_events(tmp_path)


def test_pandas_reads_a_lake_in_s3(lake: str, tmp_path: Path) -> None:
    place = LakePlace.of(lake)
    there, here = pd.read_parquet(place.path, filesystem=place.files), pd.read_parquet(tmp_path)
    assert len(there) == len(here) > 0
    assert set(there["event_id"]) == set(here["event_id"])


def test_compaction_in_s3_makes_one_file_a_day_and_changes_no_event(lake: str) -> None:
    before = list(open_events(lake))
    said = CliRunner().invoke(app, ["compact", lake, "--before", "2030-01-01", "--json"])
    assert said.exit_code == 0, said.output
    days = LakeFolder.open(lake).days
    assert [(day["files"], day["day"]) for day in json.loads(said.output)] == [
        (1, day.name.removeprefix("day=")) for day in days
    ]
    assert [len(parts(day)) for day in days] == [1] * len(days)
    assert list(open_events(lake)) == before
    listed = json.loads(CliRunner().invoke(app, ["list", lake, "--json"]).output)
    assert sum(day["rows"] for day in listed) == len(before)
    assert all(day["bytes"] > 0 for day in listed)


def test_s3_that_does_not_let_one_in_is_refused_in_one_line(
    lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
    with pytest.raises(FileRefused, match=r"s3://shop/.*: it cannot be listed: .*") as refused:
        open_events(lake)
    assert "\n" not in str(refused.value)
    assert "another secret" not in str(refused.value)


def test_what_is_no_lake_in_s3_is_refused(s3: S3Server) -> None:
    with pytest.raises(FileRefused, match="s3://shop/nothing: no data lake"):
        open_events("s3://shop/nothing")
    with pytest.raises(FileRefused, match="give a file of items"):
        open_items("s3://shop/nothing")
