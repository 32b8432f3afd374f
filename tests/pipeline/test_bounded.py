"""`headrace run --source FILE`: a file through the whole job, without Kafka."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from avro.datafile import DataFileReader
from avro.io import DatumReader

from infra.redis import RedisServer
from jobs.logged_lists import LoggedLists
from jobs.plain_stream import PlainStream
from jobs.replay import replay
from jobs.settings import Settings
from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.item_hash import hashes_of
from operators.profile import learning_classes, profile_of
from operators.segments.rules_file import ready_rules
from schemas.item_scores import log_score
from schemas.pseudonym import Pseudonym
from schemas.records import Event
from schemas.redis_keys import RedisKeys
from schemas.redis_values import profile_value
from tests.job_feed import own_home

SECRET = "the secret of the bounded tests"
BEGIN = 1_700_000_000_000
EVENTS = 3_000
ITEMS = 50
BACK = "user-7"
GONE = "user-13"
ROBOT = "robot"


def rows() -> list[dict[str, Any]]:
    """Events of 60 users, with lines that are there twice and lines that are of no use.

    One user is forgotten halfway and comes back, one is forgotten at the end, and one is a robot.
    """
    rng = random.Random(5)
    made: list[dict[str, Any]] = []
    for number in range(EVENTS):
        row = {
            "event_id": f"e{number}", "user_id": f"user-{rng.randrange(60)}",
            "type": rng.choice(("view", "view", "click", "purchase", "search")),
            "time": BEGIN + number * 30_000, "item_id": f"item-{rng.randrange(ITEMS)}", "value": 4.5,
            "country": rng.choice(("GB", "Germany")), "user_agent": None,
        }  # fmt: skip
        chance = rng.random()
        if chance < 0.02:
            row["user_id"] = None
        elif chance < 0.04:
            row |= {"type": "purchase", "item_id": None}
        elif chance < 0.06:
            row |= {"type": "purchase", "value": -1.0}
        elif chance < 0.07:
            row |= {"time": 5_000}
        made.append(row)
        if chance > 0.95:
            made.append(row)
        if number % 100 == 0 and chance > 0.1:
            crawl = {
                "event_id": f"r{number}",
                "user_id": ROBOT,
                "type": "view",
                "user_agent": "Examplebot/1.0",
            }
            made.append(row | crawl)
        if number == EVENTS // 2:
            made.append(forgetting(BACK, row["time"]))
    made.append(forgetting(GONE, BEGIN + EVENTS * 30_000))
    return made


def forgetting(user: str, time: int) -> dict[str, Any]:
    """The row by which a user is forgotten."""
    return {
        "event_id": f"forget-{user}", "user_id": user, "type": "forget", "time": time,
        "item_id": None, "value": None, "country": None, "user_agent": None,
    }  # fmt: skip


@dataclass
class Ran:
    """A run that has ended."""

    summary: dict[str, Any]
    redis: redis.Redis
    out: Path


@pytest.fixture(scope="module")
def run_headrace(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs `headrace run` with a HEADRACE_HOME of its own."""
    own = own_home(tmp_path_factory.mktemp("home"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment |= {"HEADRACE_HOME": str(own), "HEADRACE_PRIVACY__SECRET": SECRET}
    environment["HEADRACE_PUBLISH__INPUTS_SHARE"] = "1"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "jobs.cli", "run", *words],
            env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def ran(
    run_headrace: Callable[..., Any], redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """One run over the file, into the Redis of the tests."""
    folder = tmp_path_factory.mktemp("bounded")
    source, out = folder / "events.parquet", folder / "out"
    pq.write_table(pa.Table.from_pylist(rows()), source)
    client = redis.Redis.from_url(redis_process.url)
    client.flushall()
    said = run_headrace("--source", str(source), "--redis", redis_process.url, "--out", str(out), "--json")
    assert said.returncode == 0, said.stderr
    return Ran(json.loads(said.stdout), client, out)


@pytest.fixture(scope="module")
def plain() -> tuple[PlainStream, Counter[str]]:
    """What the plain classes make of the rows, and what becomes of each row."""
    stream, ends = PlainStream(segments=ready_rules()), Counter[str]()
    for row in rows():
        if row["user_id"] is None or (row["type"] == "purchase" and row["item_id"] is None):
            ends["missing_field"] += 1
        elif row["time"] == 5_000:
            ends["implausible_time"] += 1
        elif row["type"] == "purchase" and row["value"] < 0:
            ends["out_of_range"] += 1
        elif row["type"] == "forget":
            stream.forget(row["user_id"])
            ends["accepted"] += 1
        else:
            event = {name: row[name] for name in ("event_id", "user_id", "type", "time", "item_id", "value")}
            from schemas.records import Context

            country = {"GB": "GB", "Germany": "DE"}[row["country"]]
            context = Context(country=country, user_agent=row["user_agent"])
            outcome = stream.learn(Event(**event, context=context))
            ends[outcome.refused or "accepted"] += 1
    return stream, ends


def read_avro(path: Path) -> list[dict[str, Any]]:
    """All records of a file, as the reference implementation of Avro reads them."""
    with path.open("rb") as file, DataFileReader(file, DatumReader()) as reader:
        return list(reader)


def test_the_summary_accounts_for_every_row(ran: Ran, plain: tuple[PlainStream, Counter[str]]) -> None:
    stream, ends = plain
    summary = ran.summary
    assert summary["events_in"] == len(rows()) == ends.total()
    assert summary["accepted"] == ends["accepted"]
    assert summary["duplicates"] == ends["duplicate"] > 100
    assert summary["dead_letters"] == {
        reason: count for reason, count in ends.items() if reason not in ("accepted", "duplicate")
    }
    assert summary["users"] == len(stream.states)
    assert summary["refreshes"] == summary["recommendations"] == len(stream.states) - 1  # not the robot
    assert summary["seconds"] > 0


def test_each_user_is_published_once_with_the_whole_profile(
    ran: Ran, plain: tuple[PlainStream, Counter[str]]
) -> None:
    stream, _ = plain
    learning = learning_classes(AffinityModel(AffinitySettings()), DriftDetector(DriftSettings()))
    names, pseudonym = RedisKeys(), Pseudonym(SECRET.encode())
    for user, state in stream.states.items():
        stored = ran.redis.get(names.profile(pseudonym.of(user)))
        assert stored == profile_value(profile_of(state, learning)), user
    log = read_avro(ran.out / "headrace.recommendations.avro")
    states = {pseudonym.of(user): state for user, state in stream.states.items()}
    assert states.pop(pseudonym.of(ROBOT)).traffic.marks
    assert ran.redis.exists(names.rec(pseudonym.of(ROBOT))) == 0
    assert Counter(entry["uid"] for entry in log) == dict.fromkeys(states, 1)
    for entry in log:
        stored_list = json.loads(ran.redis.get(names.rec(entry["uid"])))
        assert [item["item_id"] for item in entry["items"]] == [i for i, _, _ in stored_list["items"]]
        state = states[entry["uid"]]
        met = set(hashes_of(state.touched + state.bought).tolist())
        assert len(entry["items"]) == min(20, ITEMS - len(met))


def test_every_logged_list_is_made_again_from_its_inputs_bit_for_bit(ran: Ran) -> None:
    summary = replay(LoggedLists(Settings().kafka, ran.out), lambda sha256: None)
    assert summary.with_inputs == summary.equal == ran.summary["recommendations"], summary.differences[:3]


def test_of_a_user_who_was_forgotten_only_what_came_after_it_is_left(
    ran: Ran, plain: tuple[PlainStream, Counter[str]]
) -> None:
    names, pseudonym = RedisKeys(), Pseudonym(SECRET.encode())
    assert ran.redis.exists(*names.of_user(pseudonym.of(GONE))) == 0
    assert ran.redis.exists(names.rec(pseudonym.of(BACK))) == 1
    whole = sum(row["user_id"] == BACK for row in rows())
    stored = json.loads(ran.redis.get(names.profile(pseudonym.of(BACK))))
    assert stored["events"] == plain[0].states[BACK].n < whole * 2 / 3


def test_dead_letters_lie_in_a_file_that_others_read(ran: Ran) -> None:
    letters = read_avro(ran.out / "headrace.dead-letters.avro")
    assert Counter(letter["reason"] for letter in letters) == ran.summary["dead_letters"]
    assert all(letter["detail"] and letter["payload"] for letter in letters)
    assert read_avro(ran.out / "headrace.drift.avro") == []


def test_item_sums_of_a_file_are_the_plain_ones(ran: Ran, plain: tuple[PlainStream, Counter[str]]) -> None:
    statistics = plain[0]._statistics
    for item in ("item-1", "item-7", "item-49"):
        found = ran.redis.zrange(RedisKeys().co(item), 0, -1, withscores=True)
        held = {member.decode(): log_score(score) for member, score in found}
        sums = dict(statistics.neighbours(item))
        assert held.keys() == sums.keys()
        assert all(abs(held[b] - score) <= 1e-9 for b, score in sums.items())


def test_a_file_that_is_not_there_is_named_in_one_line(run_headrace: Callable[..., Any]) -> None:
    said = run_headrace("--source", "/nowhere/events.parquet", "--json")
    assert said.returncode != 0
    assert "/nowhere/events.parquet" in said.stderr
    assert "Traceback" not in said.stderr
