"""`headrace schema`: a producer's schema reaches the control topic, or is refused by its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from typer.testing import CliRunner, Result

from infra.kafka import KafkaBroker
from jobs.cli import build
from jobs.schema import control_of
from schemas.codec import AVRO_FOLDER, CONTROLS, EVENTS
from schemas.schema_book import SchemaBook

SHOP = json.dumps(
    {
        "type": "record",
        "name": "Event",
        "namespace": "com.shop",
        "fields": [
            *({"name": name, "type": "string"} for name in ("event_id", "user_id", "type")),
            {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "basket", "type": ["null", "double"]},
        ],
    }
)


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(build(arguments), arguments)


@pytest.fixture
def shop_schema(tmp_path: Path, headrace_home: Path) -> Path:
    path = tmp_path / "event.avsc"
    path.write_text(SHOP)
    return path


def test_a_schema_that_resolves_is_put_on_the_control_topic(
    shop_schema: Path,
    kafka_broker: KafkaBroker,
    new_topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = new_topic("control")
    monkeypatch.setenv("HEADRACE_KAFKA__CONTROL", topic)
    result = headrace("schema", "add", str(shop_schema), "--brokers", kafka_broker.brokers, "--json")
    assert result.exit_code == 0, result.output
    consumer: Any = KafkaConsumer(
        topic,
        bootstrap_servers=kafka_broker.brokers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    record = next(consumer)
    consumer.close()
    control = CONTROLS.decode(record.value)
    assert record.key == f"schema/{control.name}".encode()
    mark = SchemaBook().add(control.body)
    said = json.loads(result.stdout)
    assert (control.kind, control.name) == ("schema", f"com.shop.Event@{mark:016x}")
    assert said == {"name": "com.shop.Event", "fingerprint": f"{mark:016x}", "topic": topic}


def test_two_versions_of_one_schema_stand_side_by_side() -> None:
    wider = SHOP.replace('"basket"', '"cart"')
    assert control_of(SHOP).name != control_of(wider).name


def test_a_schema_that_does_not_resolve_is_refused_by_its_field(shop_schema: Path) -> None:
    shop_schema.write_text(SHOP.replace('"user_id", "type": "string"', '"user_id", "type": "int"'))
    result = headrace("schema", "add", str(shop_schema), "--brokers", "127.0.0.1:1")
    assert result.exit_code == 2
    assert result.stderr == f"headrace: {shop_schema}: field user_id: int does not resolve to our string\n"


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path, headrace_home: Path) -> None:
    result = headrace("schema", "add", str(tmp_path / "nowhere.avsc"))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "nowhere.avsc: No such file" in result.stderr


def test_the_list_names_every_released_schema_and_its_fingerprint() -> None:
    rows = json.loads(headrace("schema", "list", "--json").stdout)
    assert {Path(row["file"]) for row in rows} == set(AVRO_FOLDER.glob("*.avsc"))
    assert f"{EVENTS.fingerprint:016x}" in {
        row["fingerprint"] for row in rows if row["name"] == "headrace.Event"
    }
    assert f"{EVENTS.fingerprint:016x}" in headrace("schema", "list").stdout
