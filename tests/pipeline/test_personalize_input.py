"""What becomes of input that is out of the ordinary, and how the running job shows itself."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from typing import Any

from jobs.bench_garbage import garbage_of
from operators.dead_letters import LARGEST_PAYLOAD, Rejected, dead_letter
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from operators.turned_away import MOST_BYTES
from schemas.codec import DEAD_LETTERS, EVENTS, MARKER
from schemas.records import DeadLetter, Event
from schemas.schema_book import SchemaBook
from tests.pipeline.story import BEGIN, DAY, ITEMS, Story


def test_a_customers_own_schema_is_taken_once_it_is_added(story: Story, tmp_path: Any) -> None:
    live = story.live
    schema = json.loads(EVENTS.schema_json)
    schema["namespace"] = "shop"
    schema["fields"] = [f for f in schema["fields"] if f["name"] in ("event_id", "user_id", "type", "time")]
    file = tmp_path / "event.avsc"
    file.write_text(json.dumps(schema))
    from schemas.avro_schema import fingerprint, read_schema
    from schemas.avro_writer import compile_writer

    write = compile_writer(read_schema(file.read_text()))
    header = MARKER + fingerprint(file.read_text()).to_bytes(8, "little")

    def message(number: int) -> bytes:
        return header + write(
            Event(event_id=f"c{number}", user_id="customer", type="search", time=BEGIN + DAY + number)
        )

    early = live.send_raw(message(0), "customer", BEGIN + DAY).get(30)

    def waits() -> bool:
        letters = [DEAD_LETTERS.decode(letter) for letter in live.read(live.topics.dead_letters)]
        return any(
            (letter.reason, letter.partition, letter.offset)
            == ("unknown_schema", early.partition, early.offset)
            for letter in letters
        )

    live.until(waits, "the early event among the dead letters")
    said = live.headrace("schema", "add", str(file))
    assert said.returncode == 0, said.stderr
    live.until(
        lambda: any(
            status["applied"] and status["name"].startswith("shop.Event@")
            for status in map(json.loads, live.read(live.topics.control_status))
        ),
        "the job says that it knows the schema",
    )
    live.send_raw(message(1), "customer", BEGIN + DAY)
    live.until(lambda: live.rec("customer"), "the customer's user has a list")
    assert json.loads(live.profile("customer"))["events"] == 1


def test_bad_catalogue_entries_are_dead_letters(story: Story) -> None:
    live = story.live
    live.producer.send(live.topics.catalog, b"no item at all", b"bad")

    def found() -> list[DeadLetter]:
        letters = [DEAD_LETTERS.decode(letter) for letter in live.read(live.topics.dead_letters)]
        return [letter for letter in letters if letter.topic == live.topics.catalog]

    [letter] = live.until(found, "a dead letter of the catalogue")
    assert (letter.reason, letter.payload) == ("not_avro", b"no item at all")
    assert letter.offset == len(ITEMS)


def test_bad_crm_records_are_told_in_few_statuses_that_say_nothing_of_anybody(story: Story) -> None:
    live, address = story.live, "ann@example.org"

    def send(number: int) -> None:
        live.send(
            Event(
                event_id=f"crm{number}", user_id="crm-ann", type="profile_update", time=BEGIN + DAY + number,
                attributes={address: "x", "source": "old crm"},
            )
        )  # fmt: skip

    def told() -> list[bytes]:
        return [each for each in live.read(live.topics.control_status) if b'"profile_update"' in each]

    for number in range(200):
        send(number)
    live.producer.flush()
    live.until(lambda: sum(json.loads(each)["refused"] for each in told()), "a bad record is told")
    time.sleep(1.5)
    send(200)
    looks = itertools.count()

    def all_told() -> bool:
        # What waits is told with the next event of any kind, once its time has come.
        number = next(looks)
        live.send(
            Event(event_id=f"next{number}", user_id="crm-ann", type="search", time=BEGIN + DAY + 300 + number)
        )
        live.producer.flush()
        time.sleep(0.5)
        return sum(json.loads(each)["refused"] for each in told()) == 201

    live.until(all_told, "all of them are counted")
    statuses = told()
    assert len(statuses) < 20
    for each in statuses:
        assert json.loads(each)["applied"] is False
        assert json.loads(each)["reason"].startswith("is no name: ")
        for personal in (address, "old crm", "crm-ann", live.pseudonym.of("crm-ann")):
            assert personal.encode() not in each
    letters = [DEAD_LETTERS.decode(letter) for letter in live.read(live.topics.dead_letters)]
    assert sum(letter.reason == "bad_attributes" for letter in letters) == 201, "each is kept for its sender"


def test_ten_thousand_garbage_messages_do_not_stop_the_job(story: Story) -> None:
    live = story.live
    before = live.counters_now()
    for number in range(10_000):
        event = Event(
            event_id=f"g{number}", user_id=f"guest-{number % 200}", type="search", time=BEGIN + DAY + number
        )
        live.send_raw(garbage_of(EVENTS.encode(event), number), None, BEGIN + DAY)
        if number % 10 == 0:
            live.send(event)
    live.producer.flush()
    live.until(lambda: live.counters()["accepted"] >= before["accepted"] + 1_000, "all valid ones accepted")
    rejected = lambda counted: sum(c for n, c in counted.items() if n.startswith("rejected."))  # noqa: E731
    live.until(lambda: rejected(live.counters()) >= rejected(before) + 10_000, "all garbage counted")
    live.until(lambda: live.rec("guest-190"), "a list of the last guest")
    assert rejected(live.counters_now()) == rejected(before) + 10_000
    assert live.service.alive()


def test_every_kind_of_garbage_has_the_dead_letter_that_its_bytes_deserve(story: Story) -> None:
    live, ingest = story.live, Ingest(IngestSettings(), SchemaBook())
    valid = EVENTS.encode(Event(event_id="w", user_id="whole", type="search", time=BEGIN + DAY))
    messages = [
        *(garbage_of(valid, number) for number in range(60)),
        *(MARKER[:1], MARKER, valid[:9], b"\0", b"\0\0\0\0\7" + valid[10:], b"\xff" * MOST_BYTES),
        *(b"\xff" * (MOST_BYTES + 1), MARKER + b"\xff" * MOST_BYTES, b"\xff" * (LARGEST_PAYLOAD + 1)),
        EVENTS.encode(Event(event_id="w", user_id=" ", type="search", time=BEGIN + DAY)),
        EVENTS.encode(Event(event_id="w", user_id="whole", type=" ", time=BEGIN + DAY)),
    ]
    due = set()
    for number, message in enumerate(messages):
        time = BEGIN + DAY + number
        place = live.send_raw(message, None, time).get(30)
        rejected = ingest.accept(message, time, time)
        assert isinstance(rejected, Rejected)
        due.add(
            DEAD_LETTERS.encode(
                dead_letter(rejected, message, live.topics.events, place.partition, place.offset, time)
            )
        )
    live.until(lambda: due <= {*live.read(live.topics.dead_letters)}, "every dead letter, to the byte")
    written = Counter(live.read(live.topics.dead_letters))
    assert {written[letter] for letter in due} == {1}


def test_the_web_ui_shows_names_that_people_understand(story: Story) -> None:
    names = " ".join(v["name"] for v in story.live.rest(f"/jobs/{story.live.job()}")["vertices"])
    for name in ("user step", "rank and publish users", "publish co-visitation", "key by user", "events"):
        assert name in names
    assert "Python" not in names
