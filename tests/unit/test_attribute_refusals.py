"""Refused CRM records on the control-status topic: the first at once, the others counted, in ever fewer messages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from operators.attribute_refusals import LONGEST_MS, NEVER, AttributeRefusals
from operators.attributes import NO_FIELD, AttributeField, AttributeKeeper, AttributeSettings, BadAttributes
from schemas.records import Event

KEEPER = AttributeKeeper(
    AttributeSettings({"employees": AttributeField(kind="number"), "tier": AttributeField(sources=("crm",))})
)
PERSONAL = ("ann", "ann@example.org", "Ann's own crm")


def bad(**attributes: str) -> BadAttributes:
    event = Event(event_id="e", user_id="ann", type="profile_update", time=5, attributes=attributes)
    with pytest.raises(BadAttributes) as refused:
        KEEPER.parse(event)
    return refused.value


def told(statuses: Any) -> list[tuple[str, int]]:
    read = [msgspec.json.decode(status) for status in statuses if status is not None]
    return [(status["name"], status["refused"]) for status in read]


def test_of_a_flood_each_field_is_told_at_once_and_then_ever_more_seldom_until_all_are_counted() -> None:
    refusals, statuses = AttributeRefusals(), []
    for now in range(0, 300_000, 10):
        statuses += refusals.take_due(now)
        statuses.append(refusals.take(bad(employees="many"), now))
        if now % 20 == 0:
            statuses.append(refusals.take(bad(tier="gold"), now))
    statuses += refusals.take_due(NEVER - 1)
    counts = told(statuses)
    assert counts[:2] == [("employees", 1), ("tier", 1)]
    assert sum(count for name, count in counts if name == "employees") == 30_000
    assert sum(count for name, count in counts if name == "tier") == 15_000
    assert len(counts) <= 2 * (7 + 300_000 // LONGEST_MS + 1)
    assert refusals.due == NEVER


def test_after_a_quiet_spell_a_record_is_told_at_once_again() -> None:
    refusals = AttributeRefusals()
    assert refusals.take(bad(employees="many"), 0) is not None
    assert refusals.take(bad(employees="many"), 1_999) is None
    assert told(refusals.take_due(2_000)) == [("employees", 1)]
    assert refusals.take(bad(employees="many"), 2_000 + 4_000) is not None


@pytest.mark.parametrize(
    ("attributes", "field", "rule"),
    [
        ({"employees": "ann@example.org"}, "employees", "is no number"),
        ({"tier": "ann@example.org", "source": "Ann's own crm"}, "tier", "may not be told by this source; crm may"),
        ({"ann@example.org": "x"}, NO_FIELD, "is no name: "),
        ({"hobby": "ann@example.org" * 10}, NO_FIELD, "has more than 128 characters"),
        ({"source": "Ann's own crm" * 10}, NO_FIELD, "the name of its source has more than 128 characters"),
        ({f"ann{n}": "x" for n in range(33)}, NO_FIELD, "it holds more than the 32 attributes"),
    ],
)  # fmt: skip
def test_a_status_holds_what_the_settings_say_and_nothing_of_the_record(
    attributes: dict[str, str], field: str, rule: str
) -> None:
    status = AttributeRefusals().take(bad(**attributes), 0)
    assert status is not None
    read = msgspec.json.decode(status)
    assert (read["kind"], read["name"], read["applied"]) == ("profile_update", field, False)
    assert read["reason"].startswith(rule)
    assert not [text for text in PERSONAL if text in status.decode()]
