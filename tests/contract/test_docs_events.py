"""docs/events.md says what the schemas, the rules of ingest and the reasons in the code say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.kafka import COMPACTED, kept
from jobs.record_columns import EVENT_COLUMNS, ITEM_COLUMNS, NEEDED_BY_EVENTS, NEEDED_BY_ITEMS
from jobs.settings import KafkaSection
from operators.ingest_settings import ANY_NUMBER, VALUES, IngestSettings
from operators.user_step import LIST_TYPES, StepSettings, UserStep
from schemas.codec import AVRO_FOLDER
from schemas.reason import Reason
from schemas.records import EVENT_TYPES, Event
from schemas.state import UserState

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
INGEST = IngestSettings()


def type_of(avro: Any) -> str:
    """How the page writes an Avro type; `?` marks one that may be missing."""
    if isinstance(avro, list):
        return "".join(type_of(branch) for branch in avro if branch != "null") + "?"
    if isinstance(avro, str):
        return avro
    if avro.get("logicalType"):
        return f"{avro['type']} ({avro['logicalType']})"
    if avro["type"] == "array":
        return f"array of {type_of(avro['items'])}"
    if avro["type"] == "map":
        return f"map of {type_of(avro['values'])}"
    return str(avro["name"])


def records_in(avro: Any) -> list[Any]:
    """The record and the records inside its fields, outermost first."""
    if isinstance(avro, list):
        return [found for branch in avro for found in records_in(branch)]
    if not isinstance(avro, dict):
        return []
    if avro.get("type") == "record":
        return [avro, *(found for field in avro["fields"] for found in records_in(field["type"]))]
    return records_in(avro.get("items", avro.get("values")))


def field_table(record: Any) -> str:
    """The table of a record's fields."""
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [
        f"| `{field['name']}` | {type_of(field['type'])} | {field['doc']} |" for field in record["fields"]
    ]
    return "\n".join(rows)


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = PAGE.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table[0].splitlines()[2:]]


SCHEMAS = [json.loads((AVRO_FOLDER / f"{name}.v1.avsc").read_text("utf-8")) for name in ("event", "item")]


@pytest.mark.parametrize(
    "record", [record for schema in SCHEMAS for record in records_in(schema)], ids=lambda r: r["name"]
)
def test_the_page_has_every_field_as_the_schema_documents_it(record: Any) -> None:
    table = field_table(record)
    assert table in PAGE, f"the table of {record['name']} in docs/events.md should be\n{table}"


def test_the_page_has_every_event_type_with_what_the_code_does_with_it() -> None:
    rows = {row[0].strip("`"): row[1:] for row in rows_below("## Event types")}
    assert set(rows) == EVENT_TYPES
    weights = StepSettings().item_weights
    for kind, (needs, value, changes, interest) in rows.items():
        wanted = [
            name
            for name, types in (("item_id", INGEST.item_types), ("value", INGEST.value_types))
            if kind in types
        ]
        assert needs == (", ".join(f"`{name}`" for name in wanted) or "–"), kind
        ranged = VALUES.get(kind, ANY_NUMBER)
        assert (str(ranged) if ranged is not ANY_NUMBER else "any number") in value, kind
        assert (changes == "no") == (kind not in LIST_TYPES or kind == "forget"), kind
        weight = weights.get(kind)
        assert interest.startswith("–" if weight is None else f"{weight:g}") or kind == "rating", kind


def test_the_page_says_what_a_type_that_is_not_known_does() -> None:
    user = UserState("pseudonym", born=1_000)
    event = Event(event_id="e1", user_id="ann", type="wishlist_share", time=1_000, item_id="mug")
    assert event.type not in EVENT_TYPES
    outcome = UserStep(StepSettings(), {}).update(user, event, None)
    assert (outcome.refused, outcome.changes_list, user.n) == (None, False, 1)
    said = " ".join(PAGE.split())
    assert "A type that is not in this table is accepted and counted, and asks for no new list." in said


def test_the_page_has_every_reason_and_no_other() -> None:
    rows = {row[0].strip("`"): row[1] for row in rows_below("## What is refused")}
    assert list(rows) == [reason.value for reason in Reason]
    assert all(rows.values())


@pytest.mark.parametrize(
    ("heading", "columns", "needed"),
    [
        ("### Columns of an events file", EVENT_COLUMNS, NEEDED_BY_EVENTS),
        ("### Columns of an items file", ITEM_COLUMNS, NEEDED_BY_ITEMS),
    ],
)
def test_the_page_has_every_column_that_a_file_may_have(
    heading: str, columns: dict[str, Any], needed: tuple[str, ...]
) -> None:
    rows = rows_below(heading)
    named = {name: row[1] for row in rows for name in re.findall(r"`([a-z_]+)`", row[0])}
    assert set(named) == set(columns)
    assert {name for name, wanted in named.items() if wanted == "yes"} == set(needed)


def test_the_topics_of_the_page_are_configured_as_those_of_headrace_up() -> None:
    topics = KafkaSection()
    created = dict(re.findall(r"--topic (\S+)(.*)", PAGE.replace("\\\n", " ")))
    names = {name for name in topics.model_dump().values() if str(name).startswith("headrace.")}
    assert set(created) == names
    for name, options in created.items():
        configuration = dict(pair.split("=") for pair in re.findall(r"--config (\S+)", options))
        ours = COMPACTED if name in (topics.catalog, topics.control) else kept(future_ms=24 * 3_600_000)
        assert configuration.items() <= dict(ours).items(), name
        if name not in (topics.catalog, topics.control):
            assert configuration["retention.ms"] == "-1", name
