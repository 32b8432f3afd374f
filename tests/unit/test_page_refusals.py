"""What the page tells of refusals: the newest of each name, until something no older is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jobs.page_refusals import KEPT, SHOWN, Refusals
from operators.attribute_refusals import AttributeRefusals
from operators.attributes import BadAttributes
from operators.control import ControlStatus
from operators.worker_refusals import WorkerRefusals
from schemas.worker_models import RuleRefusal, ShadowReading, SlotReading, WorkerModels


def status(kind: str, name: str, version: int, reason: str = "", **more: Any) -> bytes:
    return msgspec.json.encode(
        ControlStatus(kind=kind, name=name, version=version, applied=not reason, reason=reason, **more)
    )


def refusals(in_force: Mapping[str, int] | None = None) -> Refusals:
    return Refusals((in_force or {}).get)


def words(told: Refusals) -> list[tuple[str, str, str, str]]:
    return [(each["kind"], each["name"], each["reason"], each["stays"]) for each in told.shown()]


def test_whatever_kind_is_refused_is_told_the_newest_first_with_what_goes_on() -> None:
    told = refusals({"vip": 4})
    told.take_status(status("segment", "vip", 5, "too dear"), at=1)
    told.take_status(status("segment", "keen", 1, "unknown function"), at=2)
    told.take_status(status("policy", "traffic", 3, "rate_limit is 0"), at=3)
    told.take_status(b"no status", at=4)
    assert words(told) == [
        ("policy", "traffic", "rate_limit is 0", "what was in force goes on"),
        ("segment", "keen", "unknown function", "no rule of this name is in force"),
        ("segment", "vip", "too dear", "version 4 goes on"),
    ]


def test_a_refusal_goes_when_a_version_that_is_no_older_is_taken() -> None:
    told = refusals()
    told.take_status(status("segment", "vip", 5, "too dear"), at=1)
    told.take_status(status("segment", "vip", 4), at=2)
    told.take_status(status("segment", "keen", 9), at=2)
    assert len(told.shown()) == 1
    told.take_status(status("segment", "vip", 6), at=3)
    assert told.shown() == []


def test_what_one_machine_refused_stays_told_though_another_took_it() -> None:
    told = refusals()
    told.take_status(status("personas", "personas", 5, "no folder", host="b"), at=1)
    told.take_status(status("personas", "personas", 5), at=2)
    told.take_status(status("personas", "personas", 5, "no folder", host="c"), at=3)
    [refusal] = told.shown()
    assert refusal["hosts"] == ["b", "c"]
    told.take_status(status("personas", "personas", 6), at=4)
    assert told.shown() == []


def test_records_of_one_kind_of_fault_are_added_up() -> None:
    told, job = refusals(), AttributeRefusals()
    for now in (0, 10, 20, 1_000):
        for rule in ("is no number", "is not from 1 to 9"):
            message = job.take(BadAttributes("attribute", "employees", rule), now)
            for each in (*([] if message is None else [message]), *job.take_due(now)):
                told.take_status(each, at=now)
    for each in job.take_due(60_000):
        told.take_status(each, at=60_000)
    assert {each["reason"]: each["refused"] for each in told.shown()} == {
        "is no number": 4,
        "is not from 1 to 9": 4,
    }


def test_workers_that_refuse_the_same_are_one_line_that_names_them_and_goes_with_them() -> None:
    told = refusals()

    def models(rules: list[RuleRefusal], shadow: ShadowReading | None = None) -> WorkerModels:
        serve = SlotReading(model="shop/1", version=7, refused="golden row 7", refused_at=50)
        return WorkerModels(at=60, serve=serve, shadow=shadow or ShadowReading(), rules=rules)

    rule = RuleRefusal(name="calm", version=3, why="201 rules are in force with this one", at=70)
    compared = ShadowReading(version=8, refused="no manifest.json", refused_at=40)
    told.take_workers({"rank-a": models([rule]), "rank-b": models([], compared)})
    assert words(told) == [
        ("rule", "calm", "201 rules are in force with this one", "the rules in force go on"),
        ("model", "to rank with", "golden row 7", "lists go on with shop/1"),
        ("model", "to compare", "no manifest.json", "nothing is compared"),
    ]
    assert [each["hosts"] for each in told.shown()] == [["rank-a"], ["rank-a", "rank-b"], ["rank-b"]]
    told.take_workers({"rank-a": WorkerModels(at=90, serve=SlotReading(), shadow=ShadowReading())})
    assert told.shown() == []


def test_what_a_worker_refused_is_one_line_though_the_topic_tells_it_too() -> None:
    told = refusals()
    rule = RuleRefusal(name="calm", version=3, why="17 rules are in force with this one", at=70)
    serve = SlotReading(model="shop/1", version=7, refused="golden row 7", refused_at=50)
    living = {"rank-a": WorkerModels(at=90, serve=serve, shadow=ShadowReading(), rules=[rule])}
    for each in WorkerRefusals().news(living, most=10):
        told.take_status(msgspec.json.encode(each), at=80)
    told.take_workers(living)
    assert words(told) == [
        ("rule", "calm", "17 rules are in force with this one", "the rules in force go on"),
        ("model", "to rank with", "golden row 7", "lists go on with shop/1"),
    ]
    told.take_workers({})
    assert told.shown() == [], "the topic's word goes with the worker's"
    told.take_status(status("rule", "calm", 4, "a boost of 9"), at=90)
    assert [each["reason"] for each in told.shown()] == ["a boost of 9"], "the job's own refusals are shown"


def test_however_many_are_refused_few_are_kept_and_shown() -> None:
    told = refusals()
    for number in range(5 * KEPT):
        told.take_status(status("segment", f"s{number}", 1, "bad"), at=number)
    assert [each["name"] for each in told.shown()] == [f"s{5 * KEPT - 1 - k}" for k in range(SHOWN)]
    assert len(told._told) == KEPT
