"""Events that came before their schema was known reach their users once it is, and count once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.avro_schema import fingerprint, read_schema
from schemas.avro_writer import compile_writer
from schemas.codec import DEAD_LETTERS, MARKER
from schemas.records import Event

NOON = 1_772_366_400_000
EVENTS = 5
SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Event",
        "namespace": "early.bird",
        "fields": [
            *({"name": name, "type": "string"} for name in ("event_id", "user_id", "type")),
            {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
)


def message(number: int) -> bytes:
    """An event as a producer with a schema of its own sends it."""
    event = Event(event_id=f"early-{number}", user_id="early", type="search", time=NOON + number)
    return MARKER + fingerprint(SCHEMA).to_bytes(8, "little") + compile_writer(read_schema(SCHEMA))(event)


def test_a_replay_brings_events_in_that_waited_for_their_schema_and_twice_changes_nothing(
    live_job: Any, tmp_path: Path
) -> None:
    live = live_job
    for number in range(EVENTS):
        live.send_raw(message(number), "early", NOON + number)
    live.producer.flush()

    def waiting() -> bool:
        letters = map(DEAD_LETTERS.decode, live.read(live.topics.dead_letters))
        payloads = {each.payload for each in letters if each.reason == "unknown_schema"}
        return {message(number) for number in range(EVENTS)} <= payloads

    live.until(waiting, "all events wait in the dead letters")
    file = tmp_path / "event.avsc"
    file.write_text(SCHEMA)
    added = live.headrace("schema", "add", str(file))
    assert added.returncode == 0, added.stderr
    live.until(
        lambda: any(
            status["applied"] and status["name"].startswith("early.bird.Event@")
            for status in map(json.loads, live.read(live.topics.control_status))
        ),
        "the job says that it knows the schema",
    )
    duplicates = live.counters()["duplicates"]
    said = live.headrace(
        "dead-letters", "replay", "--since", str(NOON), "--until", str(NOON + EVENTS), "--json"
    )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["sent"] == {live.topics.events: EVENTS}
    live.until(
        lambda: json.loads(live.profile("early") or '{"events":0}')["events"] == EVENTS,
        "the profile has all of them",
    )
    again = live.headrace("dead-letters", "replay", "--since", str(NOON), "--until", str(NOON + EVENTS))
    assert again.returncode == 0, again.stderr
    live.until(lambda: live.counters()["duplicates"] == duplicates + EVENTS, "the second replay is known")
    assert json.loads(live.profile("early"))["events"] == EVENTS
