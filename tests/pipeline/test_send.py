"""`headrace send` on a real broker: what arrives where, in which order and how fast; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.kafka import COMPACTED, KafkaBroker, kept
from jobs.files import open_events, open_items
from jobs.replay_clock import KafkaUnreachable, replay_clock
from jobs.send import SendSummary, send
from jobs.send_pace import AsFastAsPossible, FixedRate, Pace, RecordedTime
from jobs.settings import KafkaSection
from operators.dead_letters import LARGEST_PAYLOAD
from operators.kafka_access import KafkaAccess
from schemas.codec import DEAD_LETTERS, EVENTS, ITEMS
from schemas.records import Event

TopicRecords = Callable[[str], list[Any]]

HOUR_MS = 3_600_000
START_MS = 1_600_000_000_000


@pytest.fixture
def topics(kafka_broker: KafkaBroker) -> KafkaSection:
    """Topics of the test's own.

    The events topic refuses what lies more than an hour ahead, the catalogue topic what is larger than 100 kB.
    """
    label = uuid.uuid4().hex[:8]
    names = {name: f"test.{name}.{label}" for name in ("events", "catalog", "dead_letters")}
    kafka_broker.create_topics(
        {
            names["events"]: kept(future_ms=HOUR_MS),
            names["catalog"]: {**COMPACTED, "max.message.bytes": "100000"},
            names["dead_letters"]: kept(),
        },
        partitions=2,
    )
    return KafkaSection(brokers=kafka_broker.brokers, **names)


def events_file(folder: Path, count: int, step_ms: int = 1_000, users: int = 10, name: str = "e.csv") -> Path:
    path = folder / name
    lines = [f"{name}-{i},u{i % users},view,{START_MS + i * step_ms},i{i % 7}" for i in range(count)]
    path.write_text("\n".join(["event_id,user_id,type,time,item_id", *lines, ""]))
    return path


def replay(topics: KafkaSection, *files: Path, pace: Pace | None = None, **options: Any) -> SendSummary:
    return send([open_events(file) for file in files], [], topics, pace or AsFastAsPossible(), **options)


def test_events_arrive_keyed_by_user_and_stamped_with_their_time(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    before = time.time_ns() // 1_000_000
    summary = replay(topics, events_file(tmp_path, 500))
    assert (summary.events, summary.undelivered, summary.dead_letters) == (500, 0, {})
    assert (summary.first_time, summary.last_time) == (START_MS, START_MS + 499_000)
    arrived = topic_records(topics.events)
    assert {record.partition for record in arrived} == {0, 1}
    of_user: dict[str, list[int]] = {}
    for record in arrived:
        event = EVENTS.decode(record.value)
        assert record.key == event.user_id.encode()
        assert record.timestamp == event.time
        assert event.sent is not None
        assert before <= event.sent <= time.time_ns() // 1_000_000
        of_user.setdefault(event.user_id, []).append(event.time)
    assert len(of_user) == 10
    assert all(times == sorted(times) and len(times) == 50 for times in of_user.values())


def test_items_arrive_keyed_by_their_id(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\nA,Mug\nB,Cup\n,nothing\n")
    summary = send([open_events(events_file(tmp_path, 1))], [open_items(path)], topics, AsFastAsPossible())
    assert (summary.items, summary.dead_letters) == (2, {"missing_field": 1})
    arrived = {record.key: ITEMS.decode(record.value).title for record in topic_records(topics.catalog)}
    assert arrived == {b"A": "Mug", b"B": "Cup"}


def test_rows_that_make_no_event_become_dead_letters_with_their_reason(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,type,time\nu,view,1\nu,view,never\n,view,3\n")
    summary = replay(topics, path)
    assert (summary.events, summary.dead_letters) == (1, {"malformed": 1, "missing_field": 1})
    letters = [DEAD_LETTERS.decode(record.value) for record in topic_records(topics.dead_letters)]
    malformed, missing = sorted(letters, key=lambda letter: letter.offset)
    assert (malformed.topic, malformed.offset, malformed.reason) == (str(path), 2, "malformed")
    assert json.loads(malformed.payload) == {"user_id": "u", "type": "view", "time": "never"}
    assert "column user_id is empty" in missing.detail


def test_events_that_kafka_refuses_become_dead_letters_and_take_no_other_with_them(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    path = events_file(tmp_path, 200)
    ahead = time.time_ns() // 1_000_000 + 48 * HOUR_MS
    lines = path.read_text().splitlines()
    lines[100:100] = [f"future,u1,view,{ahead},i1"]
    lines[50:50] = [f"large,u1,view,{START_MS},{'x' * 2_000_000}"]
    path.write_text("\n".join(lines))
    summary = replay(topics, path)
    assert (summary.events, summary.undelivered, summary.dead_letters) == (200, 0, {"refused_by_kafka": 2})
    arrived = [EVENTS.decode(record.value).event_id for record in topic_records(topics.events)]
    assert sorted(arrived) == sorted(f"e.csv-{i}" for i in range(200))
    letters = [DEAD_LETTERS.decode(record.value) for record in topic_records(topics.dead_letters)]
    (future,) = (letter for letter in letters if letter.time == ahead)
    assert EVENTS.decode(future.payload).event_id == "future"
    assert "cut at" in next(letter.detail for letter in letters if letter.time != ahead)


def test_items_that_kafka_refuses_become_dead_letters_and_take_no_other_with_them(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    titles = {"A": "Mug", "wide": "x" * 300_000, "B": "Cup", "vast": "x" * 2_000_000, "C": "Jug"}
    path.write_text("\n".join(["item_id,title", *(f"{name},{title}" for name, title in titles.items())]))
    summary = send([open_events(events_file(tmp_path, 1))], [open_items(path)], topics, AsFastAsPossible())
    assert (summary.items, summary.undelivered, summary.dead_letters) == (3, 0, {"refused_by_kafka": 2})
    assert sorted(record.key for record in topic_records(topics.catalog)) == [b"A", b"B", b"C"]
    letters = [DEAD_LETTERS.decode(record.value) for record in topic_records(topics.dead_letters)]
    assert [letter.topic for letter in letters] == [topics.catalog] * 2
    assert all(f"cut at {LARGEST_PAYLOAD}" in letter.detail for letter in letters)
    assert all(len(letter.payload) == LARGEST_PAYLOAD for letter in letters)


def test_a_dead_letter_that_kafka_refuses_is_counted(
    topics: KafkaSection, kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    narrow = f"{topics.dead_letters}.narrow"
    kafka_broker.create_topics({narrow: {**kept(), "max.message.bytes": "1000"}}, partitions=1)
    path = tmp_path / "events.csv"
    path.write_text(f"user_id,type,time\nu,view,1\nu,{'x' * 5_000},never\n")
    summary = replay(topics.model_copy(update={"dead_letters": narrow}), path)
    assert (summary.events, summary.undelivered) == (1, 1)


def test_several_files_are_merged_by_time(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    files = [events_file(tmp_path, 50, step_ms, users=1, name=f"{step_ms}.csv") for step_ms in (1_000, 1_700)]
    replay(topics, *files)
    times = [record.timestamp for record in topic_records(topics.events)]
    assert len(times) == 100
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("pace", "seconds"), [(FixedRate(200), 0.995), (RecordedTime(200), 0.995)], ids=["rate", "speed"]
)
def test_the_schedule_is_kept(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path, pace: Pace, seconds: float
) -> None:
    summary = replay(topics, events_file(tmp_path, 200), pace=pace)
    assert summary.events == 200
    assert seconds <= summary.seconds < seconds + 10
    sent = [EVENTS.decode(record.value).sent or 0 for record in topic_records(topics.events)]
    assert max(sent) - min(sent) >= 900


def test_a_limit_ends_the_replay(topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path) -> None:
    assert replay(topics, events_file(tmp_path, 100), limit=30).events == 30
    assert len(topic_records(topics.events)) == 30


def test_the_replay_clock_is_the_newest_event_time(topics: KafkaSection, tmp_path: Path) -> None:
    assert abs(replay_clock(topics.access(), topics.events) - time.time_ns() // 1_000_000) < 60_000
    replay(topics, events_file(tmp_path, 30))
    assert replay_clock(topics.access(), topics.events) == START_MS + 29_000


def test_the_replay_clock_says_that_kafka_is_away() -> None:
    with pytest.raises(KafkaUnreachable, match="does not answer"):
        replay_clock(KafkaAccess("127.0.0.1:9"), "headrace.events")


@pytest.fixture
def headrace(topics: KafkaSection, headrace_home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the command as a person does, on the test's topics."""
    environment = {
        **os.environ,
        "HEADRACE_HOME": str(headrace_home),
        "HEADRACE_KAFKA__EVENTS": topics.events,
        "HEADRACE_KAFKA__CATALOG": topics.catalog,
        "HEADRACE_KAFKA__DEAD_LETTERS": topics.dead_letters,
    }

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "jobs.cli",
            "send",
            *map(str, arguments),
            "--brokers",
            topics.brokers,
        ]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def test_the_command_prints_its_summary_as_json(
    headrace: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    said, errors = headrace(events_file(tmp_path, 100), "--json").communicate(timeout=60)
    summary = json.loads(said)
    assert (summary["events"], summary["interrupted"], summary["undelivered"]) == (100, False, 0), errors


def test_ctrl_c_delivers_what_was_read_and_says_so(
    headrace: Callable[..., subprocess.Popen[str]],
    topics: KafkaSection,
    topic_records: TopicRecords,
    tmp_path: Path,
) -> None:
    running = headrace(events_file(tmp_path, 10_000), "--rate", "100/s", "--json")
    deadline = time.monotonic() + 60
    while abs(replay_clock(topics.access(), topics.events) - START_MS) > 24 * HOUR_MS:
        assert time.monotonic() < deadline, "no event arrived"
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    summary = json.loads(said)
    assert running.returncode == 130
    assert summary["interrupted"] is True
    assert 0 < summary["events"] == len(topic_records(topics.events)) < 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.parquet"], "absent.parquet: no such file"),
        (["data/serenade/test.txt", "--rate", "fast"], "--rate 'fast' is not a number above zero"),
        (["data/serenade/test.txt", "--rate", "1", "--speed", "2"], "exclude each other"),
    ],
)
def test_bad_input_ends_with_one_clear_line(
    headrace: Callable[..., subprocess.Popen[str]], arguments: list[str], message: str
) -> None:
    running = headrace(*arguments)
    said, errors = running.communicate(timeout=60)
    assert running.returncode == 2
    assert said == ""
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_an_event_keeps_its_own_fields(
    topics: KafkaSection, topic_records: TopicRecords, tmp_path: Path
) -> None:
    replay(topics, events_file(tmp_path, 1))
    (record,) = topic_records(topics.events)
    event = EVENTS.decode(record.value)
    assert event == Event(
        event_id="e.csv-0", user_id="u0", type="view", time=START_MS, item_id="i0", sent=event.sent
    )
