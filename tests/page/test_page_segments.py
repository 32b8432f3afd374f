"""Segments on the page: counts, entries and exits with their numbers, a user's timeline, and the rule editor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from infra.kafka import KafkaBroker
from infra.redis import RedisServer
from jobs.page_clicks import ClickProducer
from jobs.page_segments import SEGMENTS
from jobs.page_server import PageSettings
from jobs.replay_clock import close_clock, replay_clock
from operators.control import ControlStatus
from operators.kafka_access import KafkaAccess
from schemas.codec import CONTROLS, DRIFT_ALERTS, EVENTS, SEGMENT_CHANGES
from schemas.records import Control, DriftAlert, Event, SegmentChange
from schemas.stats import WORKERS
from schemas.worker_models import FIELD, ShadowReading, SlotReading, WorkerModels, encode_models

HISTORY = 1_322_700_000_000
HOUR = 3_600_000
LOYAL = 'count("purchase", within="30d") >= 2'
HOSTILE = '<img src=x onerror="window.harmed=1">'


class Topics:
    """The topics that the page follows, and what is written to them."""

    def __init__(self, brokers: str, new_topic: Callable[..., str]) -> None:
        names = ("events", "control", "status", "changes", "drift")
        self.brokers = brokers
        self.names = {name: new_topic(name) for name in names}
        self._producer = KafkaProducer(bootstrap_servers=brokers)

    def put(self, name: str, value: bytes, key: str | None = None, at: int = HISTORY) -> None:
        """Write a message and wait until it is there."""
        self.hand_in(name, value, key, at).get(timeout=10)

    def hand_in(self, name: str, value: bytes, key: str | None = None, at: int = HISTORY) -> Any:
        """Write a message; the future of its place."""
        return self._producer.send(
            self.names[name], key=None if key is None else key.encode(), value=value, timestamp_ms=at
        )

    def controls(self) -> list[Control]:
        """All messages of the control topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.brokers)
        partition = TopicPartition(self.names["control"], 0)
        consumer.assign([partition])
        consumer.seek_to_beginning()
        end = consumer.end_offsets([partition])[partition]
        found: list[Control] = []
        while consumer.position(partition) < end:
            found += [CONTROLS.decode(r.value) for rs in consumer.poll(500).values() for r in rs]
        consumer.close()
        return found

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def topics(kafka_broker: KafkaBroker, new_topic: Callable[..., str]) -> Iterator[Topics]:
    """Topics on which 40 users each viewed something, and 10 of them bought twice."""
    topics = Topics(kafka_broker.brokers, new_topic)
    sent: list[Any] = []
    number = 0
    for user in range(40):
        for type in ("view", "purchase", "purchase") if user < 10 else ("view",):
            number += 1
            event = Event(
                event_id=f"e{number}",
                user_id=f"user-{user}",
                type=type,
                time=HISTORY + number * 60_000,
                item_id="22000",
                order_id=f"o{number}" if type == "purchase" else None,
            )
            sent.append(topics.hand_in("events", EVENTS.encode(event), event.user_id, event.time))
    for each in sent:
        each.get(timeout=10)
    rule = Control(
        kind="segment", name="loyal", version=4, body=msgspec.json.encode({"when": LOYAL}).decode()
    )
    topics.put("control", CONTROLS.encode(rule), "segment/loyal")
    yield topics
    topics.close()


@pytest.fixture
def page(topics: Topics, shop: Any, redis_server: RedisServer, kit: Any) -> Iterator[str]:
    """The page with Kafka."""
    events = topics.names["events"]
    kafka = KafkaAccess(topics.brokers)
    clicks = ClickProducer(kafka, events, partial(replay_clock, kafka, events))
    settings = PageSettings(
        redis_url=redis_server.url,
        secret=kit.SECRET,
        kafka=kafka,
        events_topic=events,
        control_topic=topics.names["control"],
        control_status_topic=topics.names["status"],
        segment_changes_topic=topics.names["changes"],
        drift_topic=topics.names["drift"],
    )
    with kit.served(settings, clicks) as url:
        yield url
    close_clock(kafka, events)


def test_counts_and_changes_show_who_entered_and_why_while_one_looks(
    tab: Any, page: str, topics: Topics, shop: Any
) -> None:
    shop.redis.hset(shop.keys.stats(SEGMENTS), mapping={"loyal": 10, "new": 31})
    tab.goto(f"{page}/#segments")
    tab.wait_for_selector("[data-segment='loyal'] strong:has-text('10')")
    tab.wait_for_selector(".segment-rule:has-text('within=\"30d\"')")
    assert tab.locator(".segment-list li").first.get_attribute("data-segment") == "new", "most users first"
    uid = shop.pseudonym.of("user-3")
    entered = SegmentChange(
        uid=uid, segment="loyal", change="entered", at=HISTORY, version=4,
        evidence={'count("purchase", within="30d")': 2.0},
    )  # fmt: skip
    topics.put("changes", SEGMENT_CHANGES.encode(entered))
    shop.redis.hset(shop.keys.stats(SEGMENTS), "loyal", 11)
    tab.wait_for_selector("[data-segment='loyal'] strong:has-text('11')")
    tab.wait_for_selector('.changes .why:has-text(\'count("purchase", within="30d") was 2\')')
    tab.click(".changes .who")
    tab.wait_for_selector(f"#watch-profile .uid:has-text('{uid}')")


def test_a_timeline_marks_drift_and_spells_in_segments(
    tab: Any, page: str, topics: Topics, shop: Any
) -> None:
    uid = shop.pseudonym.of("user-3")
    shop.publish(uid, shop.some_items(5, seed=1), recent=shop.some_items(6, seed=2))
    changes = (("loyal", "entered", 1), ("loyal", "left", 3), (HOSTILE, "entered", 2))
    for segment, change, hours in changes:
        at = HISTORY + hours * HOUR
        message = SegmentChange(
            uid=uid, segment=segment, change=change, at=at, version=4, evidence={"n": 2.5}
        )
        topics.put("changes", SEGMENT_CHANGES.encode(message))
    alert = DriftAlert(
        uid=uid, detector="ADWIN", at=HISTORY + 2 * HOUR, labelled=64, error_before=0.2, error_after=0.5
    )
    topics.put("drift", DRIFT_ALERTS.encode(alert))
    tab.goto(f"{page}/#watch={uid}")
    tab.wait_for_selector("#timeline .drift-mark", state="attached")
    tab.wait_for_selector("#timeline .spell", state="attached")
    assert tab.locator("#timeline .dot").count() == 6
    assert tab.locator("#timeline .lane").first.text_content() == "loyal"
    tab.click("#timeline summary")
    said = tab.text_content("#timeline .timeline-said")
    assert "Taste changed: the error went from 0.20 to 0.50 (ADWIN, after 64 events)" in said
    assert f"entered {HOSTILE}: n was 2.5" in said
    assert tab.evaluate("window.harmed") is None


def test_the_editor_says_where_a_rule_is_wrong_as_one_types(tab: Any, page: str) -> None:
    tab.goto(f"{page}/#segments")
    tab.fill("#rule-name", "vip")
    tab.fill("#rule-when", 'count("view") > 1 and counts("purchase") > 3')
    tab.wait_for_selector("#rule-verdict.bad:has-text('did you mean count?')")
    assert tab.text_content("#rule-verdict").startswith("Column 23: ")
    assert tab.text_content(".marked mark") == "c"
    assert tab.is_disabled("#rule-editor button[type='submit']")
    tab.fill("#rule-when", "")
    tab.wait_for_selector("#rule-verdict:not(.bad)", state="attached")


def test_the_editor_counts_who_would_match_and_says_from_what(tab: Any, page: str) -> None:
    tab.goto(f"{page}/#segments")
    tab.wait_for_selector(".segment-rule")
    for _ in range(40):  # until the page has read all events
        tab.fill("#rule-when", LOYAL)
        tab.wait_for_selector(".matches strong, .matches .basis")
        if "of 40 users" in tab.text_content(".matches"):
            break
        tab.fill("#rule-when", LOYAL + " ")
        tab.wait_for_timeout(400)
    assert "10 of 40 users would match now (25 %)" in tab.text_content(".matches")
    basis = tab.text_content(".matches .basis")
    assert "60 events of all users seen since 1 Dec 2011" in basis
    assert "What they did before is not known here." in basis


def test_a_rule_is_put_in_force_and_the_jobs_answer_is_shown(tab: Any, page: str, topics: Topics) -> None:
    tab.goto(f"{page}/#segments")
    tab.click("[data-segment='loyal'] .deed")
    assert tab.input_value("#rule-when") == LOYAL
    tab.fill("#rule-when", LOYAL.replace("2", "3"))
    tab.click("#rule-editor button[type='submit']:enabled")
    tab.wait_for_selector(".sent:has-text('Version 5 is sent')")
    control = topics.controls()[-1]
    assert (control.kind, control.name, control.version) == ("segment", "loyal", 5)
    status = {
        "v": 1,
        "kind": "segment",
        "name": "loyal",
        "version": 5,
        "applied": False,
        "reason": "too dear.",
    }
    topics.put("status", msgspec.json.encode(status))
    tab.wait_for_selector(".sent.bad:has-text('The job refuses it: too dear.')", timeout=15_000)


def test_what_was_refused_is_told_on_every_view_with_what_goes_on_and_goes_when_it_is_mended(
    tab: Any, page: str, topics: Topics, shop: Any
) -> None:
    def status(kind: str, name: str, version: int, reason: str, **more: Any) -> None:
        told = ControlStatus(kind=kind, name=name, version=version, applied=not reason, reason=reason, **more)
        topics.put("status", msgspec.json.encode(told))

    tab.goto(page)
    tab.wait_for_selector("#live.good")
    assert not tab.is_visible("#refused"), "nothing was refused"
    shop.redis.hset(shop.keys.stats(WORKERS), "rank-7", time.time_ns() // 1_000_000)
    reading = WorkerModels(
        at=time.time_ns() // 1_000_000 + 3_600_000,  # lives as long as the test takes
        serve=SlotReading(
            model="shop/1", version=7, refused="shop/2: golden row 7 differs", refused_at=HISTORY
        ),
        shadow=ShadowReading(),
    )
    shop.redis.hset(shop.keys.stats("rank-7"), FIELD, encode_models(reading))
    tab.wait_for_selector(
        "#refused summary:has-text('Model to rank with, version 7: lists go on with shop/1')"
    )
    status("profile_update", "employees", 0, "is no number", refused=1_204)
    status("policy", "traffic", 3, f"policy traffic: {HOSTILE} " + "w" * 200)
    status("segment", "loyal", 5, 'segment "loyal", column 1: unknown function "counts"; did you mean count?')
    tab.wait_for_selector("#refused strong:has-text('4 refused')", timeout=15_000)
    tab.wait_for_selector("#refused summary:has-text('Segment loyal, version 5: version 4 goes on')")
    tab.click("#refused summary")
    said = tab.text_content(".refusals")
    assert 'unknown function "counts"; did you mean count?' in said
    assert "CRM record: employees" in said
    assert "1,204 records of this kind. What was known of these users goes on." in said
    assert "Lists go on with shop/1. Refused on rank-7." in said
    assert "1 Dec 2011" in said, "each tells when"
    assert tab.evaluate("window.harmed") is None
    for width, place in ((1440, "segments"), (390, "watch")):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(f"{page}/#{place}")
        tab.wait_for_selector(".refusals li >> nth=3")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    status("segment", "loyal", 6, "")
    tab.wait_for_selector("#refused strong:has-text('3 refused')", timeout=15_000)


def test_without_kafka_the_editor_still_checks_and_says_what_it_cannot(tab: Any, page_url: str) -> None:
    tab.goto(f"{page_url}/#segments")
    tab.wait_for_selector("#segment-changes .empty:has-text('started without Kafka')")
    tab.fill("#rule-when", LOYAL)
    tab.wait_for_selector(".matches .basis:has-text('cannot say how many')")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/rules/check", {"name": "x", "when": "a" * 2_001}, 400),
        ("/rules/check", {"name": "x"}, 400),
        ("/rules", {"name": "x", "when": LOYAL}, 503),
    ],
)
def test_what_is_no_rule_is_refused(page_url: str, path: str, body: dict[str, str], status: int) -> None:
    assert httpx.post(page_url + path, json=body).status_code == status


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_the_segments_sideways(tab: Any, page: str, shop: Any, scheme: str) -> None:
    shop.redis.hset(shop.keys.stats(SEGMENTS), mapping={"loyal": 10, "w" * 64: 31})
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"{page}/#segments")
    tab.wait_for_selector(".segment-rule")
    tab.fill("#rule-when", LOYAL + " and " + "x" * 300)
    tab.wait_for_selector("#rule-verdict.bad")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
