"""The programs of README and docs/events.md run as they stand there, some against a real broker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from infra.kafka import KafkaBroker, kept
from jobs.bad_row import BadRow
from jobs.files import open_events, open_items
from operators.dead_letters import Rejected, dead_letter
from schemas.codec import DEAD_LETTERS, EVENTS
from schemas.reason import Reason
from schemas.records import Event, Item

ROOT = Path(__file__).parents[2]


def program(page: str, marker: str) -> str:
    """The one Python program of a page that holds the marker."""
    text = (ROOT / page).read_text("utf-8")
    [found] = [one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if marker in one]
    return str(found)


def run(source: str, folder: Path, **variables: str) -> str:
    """What a program prints, run in a folder of its own with this environment's Python."""
    said = subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_the_readme_writes_a_file_of_events_and_one_of_items_that_can_be_sent(tmp_path: Path) -> None:
    run(program("README.md", "to_parquet"), tmp_path)
    events = open_events(tmp_path / "my.parquet")
    items = open_items(tmp_path / "items.csv")
    assert events.notes == items.notes == ()
    read = [event for event in events if isinstance(event, Event)]
    assert [event.user_id for event in read] == ["ann", "ann", "ann", "bob", "bob", "cyd"]
    assert (read[0].time, read[2].value, read[0].context.country) == (1_772_359_200_000, 19.0, "GB")
    assert not any(isinstance(row, BadRow) for row in (*events, *items))
    assert {event.item_id for event in read} == {item.item_id for item in items if isinstance(item, Item)}


@pytest.fixture
def documented_topics(kafka_broker: KafkaBroker) -> str:
    """The brokers, with the topics that the pages name."""
    kafka_broker.create_topics({"headrace.events": kept(), "headrace.dead-letters": kept()})
    return kafka_broker.brokers


def test_the_readme_sends_an_event_from_an_application(documented_topics: str, tmp_path: Path) -> None:
    run(program("README.md", "KafkaProducer"), tmp_path, HEADRACE_KAFKA__BROKERS=documented_topics)
    consumer = KafkaConsumer(
        "headrace.events",
        bootstrap_servers=documented_topics,
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    try:
        record = next(iter(consumer))
    finally:
        consumer.close()
    event = EVENTS.decode(record.value)
    assert (record.key, record.timestamp) == (b"dee", event.time)
    assert (event.type, event.item_id, event.context.country) == ("view", "mug-red", "GB")


def test_the_page_of_events_prints_dead_letters(documented_topics: str, tmp_path: Path) -> None:
    letter = dead_letter(Rejected(Reason.TRUNCATED, "cut short"), b"\xc3\x01", "headrace.events", 1, 17, 0)
    producer = KafkaProducer(bootstrap_servers=documented_topics)
    try:
        producer.send("headrace.dead-letters", DEAD_LETTERS.encode(letter)).get(timeout=30)
    finally:
        producer.close()
    said = run(program("docs/events.md", "DEAD_LETTERS"), tmp_path, HEADRACE_KAFKA__BROKERS=documented_topics)
    assert "truncated headrace.events/1/17 cut short" in said
