"""The lake of the live job, in S3: every accepted event once, under a pseudonym of its own."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.dataset as datasets
import pytest

from jobs.lake_place import LakePlace
from tests.pipeline.story import Story
from tests.s3_server import S3Server


@pytest.fixture
def lake(story: Story, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> LakePlace:
    """The lake's folder."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    return LakePlace.of(story.live.lake)


def rows_of(lake: LakePlace) -> Any:
    """The rows that are visible now."""
    parts = [part.path for day in lake.folders() for part in day.parts()]
    return datasets.dataset(parts, filesystem=lake.files, format="parquet").to_table() if parts else ()


def test_the_lake_holds_every_accepted_event_once_and_no_raw_id(story: Story, lake: LakePlace) -> None:
    live = story.live
    forgets = 1  # which leave no row
    live.until(lambda: len(rows_of(lake)) >= story.accepted - forgets, "the accepted events in the lake", 60)
    table = rows_of(lake)
    users, numbers = table["user"].to_pylist(), table["n"].to_pylist()
    assert len(set(zip(users, numbers, strict=True))) == len(users)
    assert set(users).isdisjoint(story.plain.states)
    assert set(users).isdisjoint({live.pseudonym.of(user) for user in story.plain.states})


def test_the_command_lists_the_lake_and_no_log_holds_a_key(story: Story, lake: LakePlace) -> None:
    live = story.live
    live.until(lambda: len(rows_of(lake)) > 0, "rows in the lake", 60)
    said = live.headrace("lake", "list", live.lake, "--json")
    assert said.returncode == 0, said.stderr
    assert sum(day["rows"] for day in json.loads(said.stdout)) > 0
    secret = live.environment["AWS_SECRET_ACCESS_KEY"]
    assert secret not in said.stdout + said.stderr
    assert secret not in live.service.log.read_text(errors="replace")
