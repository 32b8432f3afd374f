"""`headrace dead-letters` on a real broker: counted by reason, and put back once they can be read."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from infra.kafka import KafkaBroker
from jobs.cli import build
from jobs.schema import control_of
from jobs.settings import KafkaSection
from operators.attributes import AttributeField, AttributeKeeper, AttributeSettings, BadAttributes
from operators.dead_letters import LARGEST_PAYLOAD, Rejected, dead_letter
from schemas.avro_schema import fingerprint, read_schema
from schemas.avro_writer import compile_writer
from schemas.codec import CONTROLS, DEAD_LETTERS, EVENTS, ITEMS, MARKER
from schemas.reason import Reason
from schemas.records import DeadLetter, Event, Item

HOUR = 3_600_000
NOON = 1_772_366_400_000
"""2026-03-01 12:00 UTC"""


def shop_schema() -> str:
    """A producer's own schema, of which no other test has heard: a process remembers what was made known."""
    fields = [*({"name": name, "type": "string"} for name in ("event_id", "user_id", "type"))]
    fields.append({"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}})
    return json.dumps(
        {"type": "record", "name": "Event", "namespace": f"shop_{uuid.uuid4().hex}", "fields": fields}
    )


def written_by(schema: str, event: Event) -> bytes:
    """An event as a producer with that schema sends it."""
    mark = fingerprint(schema).to_bytes(8, "little")
    return MARKER + mark + compile_writer(read_schema(schema))(event)


def event(number: int, time: int = NOON) -> Event:
    return Event(event_id=f"e{number}", user_id=f" user-{number} ", type="search", time=time)


class Topics:
    """Topics of one test, and what is on them."""

    def __init__(self, kafka: KafkaSection, read: Callable[[str], list[Any]]) -> None:
        self.kafka = kafka
        self.read = read

    def put(self, topic: str, *messages: bytes) -> None:
        producer = KafkaProducer(bootstrap_servers=self.kafka.brokers, acks="all", enable_idempotence=False)
        try:
            for message in messages:
                producer.send(topic, message).get(timeout=30)
        finally:
            producer.close()

    def put_letters(self, *letters: DeadLetter) -> None:
        self.put(self.kafka.dead_letters, *map(DEAD_LETTERS.encode, letters))

    def letter(
        self, payload: bytes, reason: Reason, time: int = NOON, topic: str | None = None
    ) -> DeadLetter:
        return dead_letter(Rejected(reason, f"why {reason}"), payload, topic or self.kafka.events, 0, 7, time)


@pytest.fixture
def topics(
    kafka_broker: KafkaBroker,
    new_topic: Callable[..., str],
    topic_records: Callable[[str], list[Any]],
    headrace_home: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Topics:
    names = {name: new_topic(name, partitions=2) for name in ("events", "catalog", "control", "dead_letters")}
    for name, topic in names.items():
        monkeypatch.setenv(f"HEADRACE_KAFKA__{name.upper()}", topic)
    monkeypatch.setenv("HEADRACE_KAFKA__BROKERS", kafka_broker.brokers)
    return Topics(KafkaSection(brokers=kafka_broker.brokers, **names), topic_records)


def dead_letters(*words: str) -> Result:
    return CliRunner().invoke(build(["dead-letters"]), ["dead-letters", *words])


def told(*words: str) -> Any:
    said = dead_letters(*words, "--json")
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


def test_letters_are_counted_by_reason_with_their_times_and_a_detail(topics: Topics) -> None:
    topics.put_letters(
        topics.letter(b"\xc3", Reason.TRUNCATED, NOON),
        topics.letter(b"\xc3", Reason.TRUNCATED, NOON + HOUR),
        topics.letter(b"no", Reason.NOT_AVRO, NOON - HOUR),
    )
    topics.put(topics.kafka.dead_letters, b"no letter")
    said = told("list")
    assert (said["topic"], said["letters"], said["unreadable"]) == (topics.kafka.dead_letters, 3, 1)
    assert said["reasons"] == {
        "truncated": {"letters": 2, "first": NOON, "last": NOON + HOUR, "detail": "why truncated"},
        "not_avro": {"letters": 1, "first": NOON - HOUR, "last": NOON - HOUR, "detail": "why not_avro"},
    }
    later = told("list", "--since", "2026-03-01T12:00:00Z", "--until", str(NOON))
    assert {reason: found["letters"] for reason, found in later["reasons"].items()} == {"truncated": 1}
    shown = dead_letters("list").stdout
    assert "3 dead letters" in shown
    assert "why truncated" in shown


def test_letters_of_bad_attributes_are_counted_by_the_attribute_that_they_name(topics: Topics) -> None:
    keeper = AttributeKeeper(
        AttributeSettings({name: AttributeField(kind="number") for name in ("age", "size")})
    )

    def letter(**attributes: str) -> DeadLetter:
        given = Event(event_id="e", user_id="u", type="profile_update", time=NOON, attributes=attributes)
        with pytest.raises(BadAttributes) as bad:
            keeper.parse(given)
        return dead_letter(
            Rejected(Reason.BAD_ATTRIBUTES, str(bad.value)), b"", topics.kafka.events, 0, 7, NOON
        )

    topics.put_letters(letter(age="x"), letter(size="x"), letter(age="y"), letter(source="s" * 200))
    topics.put_letters(topics.letter(b"no", Reason.NOT_AVRO))
    reasons = told("list")["reasons"]
    assert reasons["bad_attributes"]["attributes"] == {"age": 2, "size": 1, "record": 1}
    assert "attributes" not in reasons["not_avro"]
    assert "age 2, record 1, size 1" in dead_letters("list").stdout


def test_an_empty_topic_has_no_letters(topics: Topics) -> None:
    assert told("list")["reasons"] == {}
    assert told("replay")["sent"] == {}


def test_what_waits_for_a_schema_goes_back_when_it_is_known_and_not_before(topics: Topics) -> None:
    schema = shop_schema()
    waiting = written_by(schema, event(1, NOON))
    topics.put_letters(topics.letter(waiting, Reason.UNKNOWN_SCHEMA, NOON))
    assert told("replay") == {
        "read": 1, "chosen": 1, "sent": {}, "stay": {"unknown_schema": 1},
        "refused": 0, "undelivered": 0, "interrupted": False,
    }  # fmt: skip
    topics.put(topics.kafka.control, CONTROLS.encode(control_of(schema)))
    assert told("replay")["sent"] == {topics.kafka.events: 1}
    [record] = topics.read(topics.kafka.events)
    assert (record.value, record.key, record.timestamp) == (waiting, b"user-1", NOON)


def test_only_chosen_reasons_and_times_go_back_each_to_the_topic_it_came_from(topics: Topics) -> None:
    item = ITEMS.encode(Item(item_id="mug", title="Mug"))
    good, late, old = (EVENTS.encode(event(number)) for number in (1, 2, 3))
    topics.put_letters(
        topics.letter(good, Reason.OUT_OF_RANGE),
        topics.letter(late, Reason.LATE),
        topics.letter(old, Reason.OUT_OF_RANGE, NOON - HOUR),
        topics.letter(item, Reason.OUT_OF_RANGE, topic=topics.kafka.catalog),
        topics.letter(b'{"a":1}', Reason.OUT_OF_RANGE, topic="my.csv"),
        topics.letter(b"\0" * LARGEST_PAYLOAD, Reason.OUT_OF_RANGE),
        topics.letter(good[:-1], Reason.OUT_OF_RANGE),
    )
    said = told("replay", "--reason", "out_of_range", "--since", str(NOON))
    assert said["sent"] == {topics.kafka.events: 1, topics.kafka.catalog: 1}
    assert said["stay"] == {"not_of_a_topic": 1, "cut": 1, "truncated": 1}
    assert [(r.key, r.value) for r in topics.read(topics.kafka.events)] == [(b"user-1", good)]
    assert [(r.key, r.value) for r in topics.read(topics.kafka.catalog)] == [(b"mug", item)]
    assert "1 stay: cut" in dead_letters("replay", "--reason", "out_of_range").stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["replay", "--reason", "bad_luck"], "--reason bad_luck: no message is refused for that; known: not_avro,"),
        (["list", "--since", "yesterday"], "--since: 'yesterday' is no time; write ms since 1970 or ISO 8601"),
        (["list", "--since", "2026-03-02", "--until", "2026-03-01"], "--until 2026-03-01 lies before --since"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_one_line(words: list[str], line: str, headrace_home: object) -> None:
    said = dead_letters(*words)
    assert (said.exit_code, said.stderr.count("\n")) == (2, 1)
    assert said.stderr.startswith(f"headrace: {line}")


@pytest.mark.parametrize("word", ["list", "replay"])
def test_a_kafka_that_is_away_is_told_in_one_line(word: str) -> None:
    # In a process of its own: kafka-python leaves sockets open where it finds no broker.
    said = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "dead-letters", word, "--brokers", "127.0.0.1:1"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert said.stderr.startswith("headrace: Kafka at 127.0.0.1:1 does not answer")


def test_a_missing_topic_is_named(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA__DEAD_LETTERS", "nowhere")
    said = dead_letters("list")
    assert said.exit_code == 2
    assert "has no topic nowhere; headrace up makes it" in said.stderr
