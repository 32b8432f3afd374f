"""What becomes of input that is out of the ordinary, and how the running job shows itself."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from schemas.codec import DEAD_LETTERS, EVENTS, MARKER
from schemas.records import DeadLetter, Event
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
    live.producer.flush()
    live.until(lambda: sum(json.loads(each)["refused"] for each in told()) == 201, "all of them are counted")
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
    live, rng = story.live, random.Random(1)
    before = live.counters()
    for number in range(10_000):
        live.send_raw(rng.randbytes(60), None, BEGIN + DAY)
        if number % 10 == 0:
            live.send(
                Event(
                    event_id=f"g{number}", user_id=f"guest-{number % 200}", type="search",
                    time=BEGIN + DAY + number,
                )
            )  # fmt: skip
    live.producer.flush()
    live.until(lambda: live.counters()["accepted"] >= before["accepted"] + 1_000, "all valid ones accepted")
    rejected = lambda counted: sum(c for n, c in counted.items() if n.startswith("rejected."))  # noqa: E731
    live.until(lambda: rejected(live.counters()) >= rejected(before) + 10_000, "all garbage counted")
    live.until(lambda: live.rec("guest-190"), "a list of the last guest")
    assert live.service.alive()


def test_the_web_ui_shows_names_that_people_understand(story: Story) -> None:
    names = " ".join(v["name"] for v in story.live.rest(f"/jobs/{story.live.job()}")["vertices"])
    for name in ("user step", "rank and publish users", "publish co-visitation", "key by user", "events"):
        assert name in names
    assert "Python" not in names
