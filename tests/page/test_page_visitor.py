"""A visitor clicks: the event is on Kafka, and their list follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from infra.kafka import KafkaBroker
from infra.redis import RedisServer
from jobs.page_clicks import ClickProducer
from jobs.page_server import PageSettings
from jobs.replay_clock import close_clock, replay_clock
from operators.kafka_access import KafkaAccess
from schemas.codec import EVENTS
from schemas.records import Event

HISTORY = 1_322_700_000_000
CLICK = {"visitor": "visitor-" + "a" * 32, "click": "c1", "type": "view", "item_id": "22000"}


class Job:
    """Stands where the job is: reads the visitors' events from Kafka and publishes a list for each."""

    def __init__(self, brokers: str, topic: str, shop: Any) -> None:
        self.events: list[Event] = []
        self._shop = shop
        self._consumer = KafkaConsumer(bootstrap_servers=brokers, fetch_max_wait_ms=20)
        self._consumer.assign([TopicPartition(topic, 0)])
        self._consumer.seek_to_beginning()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            for records in self._consumer.poll(timeout_ms=50).values():
                for record in records:
                    event = EVENTS.decode(record.value)
                    if not event.user_id.startswith("visitor-"):
                        continue
                    self.events.append(event)
                    assert record.key == event.user_id.encode()
                    assert record.timestamp == event.time
                    ids = self._shop.some_items(20, seed=len(self.events))
                    self._shop.publish(self._shop.pseudonym.of(event.user_id), ids, recent=[event.item_id])

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        self._consumer.close()


@pytest.fixture
def topic(kafka_broker: KafkaBroker, new_topic: Callable[..., str]) -> str:
    """A topic on which history is being replayed: its newest record is of the year 2011."""
    name = new_topic("events")
    producer = KafkaProducer(bootstrap_servers=kafka_broker.brokers)
    past = Event(event_id="h1", user_id="17850", type="view", time=HISTORY, item_id="22000")
    producer.send(name, key=b"17850", value=EVENTS.encode(past), timestamp_ms=HISTORY).get(timeout=10)
    producer.close()
    return name


@pytest.fixture
def visited(
    kafka_broker: KafkaBroker, topic: str, shop: Any, redis_server: RedisServer, kit: Any
) -> Iterator[str]:
    """The page with Kafka."""
    kafka = KafkaAccess(kafka_broker.brokers)
    clicks = ClickProducer(kafka, topic, partial(replay_clock, kafka, topic))
    settings = PageSettings(redis_url=redis_server.url, secret=kit.SECRET, kafka=kafka, events_topic=topic)
    with kit.served(settings, clicks) as url:
        kit.until(lambda: httpx.get(f"{url}/health").json()["kafka"], "the page did not find Kafka")
        yield url
    # Else its kept connection goes on asking for a broker that the end of the tests has stopped.
    close_clock(kafka, topic)


@pytest.fixture
def job(kafka_broker: KafkaBroker, topic: str, shop: Any) -> Iterator[Job]:
    job = Job(kafka_broker.brokers, topic, shop)
    yield job
    job.end()


def test_a_click_is_an_event_on_kafka_and_the_list_follows(
    tab: Any, visited: str, shop: Any, job: Job
) -> None:
    before = time.time_ns() // 1_000_000
    tab.goto(f"{visited}/#visit")
    tab.click(".card .look")
    tab.wait_for_selector("#visit-list .row")
    tab.wait_for_selector("#round-trip[data-trips='1']")
    event = job.events[0]
    assert (event.type, event.item_id) == ("view", shop.items[0].item_id)
    assert event.context.country == "GB"
    assert event.sent is not None
    assert before <= event.sent <= time.time_ns() // 1_000_000
    assert HISTORY <= event.time < HISTORY + 60_000, "a visitor shares the clock of the replayed history"
    assert 0 < int(tab.text_content("#round-trip").removesuffix(" ms")) < 5_000
    assert shop.items[0].title in tab.text_content("#visit-profile .past")

    first = tab.get_attribute("#visit-list .row", "data-item")
    tab.click(".card:nth-child(2) [data-type='purchase']")
    tab.wait_for_selector("#round-trip[data-trips='2']")
    bought = job.events[1]
    assert (bought.type, bought.quantity, bought.value) == ("purchase", 1.0, shop.items[1].price)
    assert bought.order_id
    assert bought.user_id == event.user_id
    assert bought.time > event.time
    assert tab.get_attribute("#visit-list .row", "data-item") != first


def test_a_click_on_ones_own_list_names_list_and_place(tab: Any, visited: str, shop: Any, job: Job) -> None:
    tab.goto(f"{visited}/#visit")
    tab.click(".card .look")
    tab.wait_for_selector("#round-trip[data-trips='1']")
    tab.hover("#visit-list .row:nth-child(3)")
    tab.click("#visit-list .row:nth-child(3) [data-type='like']")
    tab.wait_for_selector("#round-trip[data-trips='2']")
    liked = job.events[1]
    assert (liked.type, liked.position) == ("like", 3)
    assert liked.rec_id is not None
    assert liked.rec_id.endswith("-1")


def test_a_list_that_arrives_between_two_connections_is_seen_with_the_next(
    tab: Any, visited: str, shop: Any, job: Job, kit: Any
) -> None:
    tab.goto(f"{visited}/#visit")
    tab.click(".card .look")
    tab.wait_for_selector("#round-trip[data-trips='1']")
    tab.route("**/live?*", lambda route: route.abort("connectionrefused"))
    tab.evaluate("location.hash = 'watch=" + "a" * 32 + "'")
    tab.wait_for_selector("#live:not(.good)")
    tab.evaluate("location.hash = 'visit'")
    tab.click(".card:nth-child(2) .look")
    kit.until(lambda: len(job.events) == 2, "the second click did not arrive")
    tab.wait_for_timeout(300)
    assert tab.get_attribute("#round-trip", "data-trips") == "1"
    tab.unroute("**/live?*")
    tab.wait_for_selector("#round-trip[data-trips='2']")


def test_two_tabs_are_two_visitors(tab: Any, chromium: Any, visited: str, job: Job, kit: Any) -> None:
    other = chromium.new_page()
    for page in (tab, other):
        page.goto(f"{visited}/#visit")
        page.click(".card .look")
    kit.until(lambda: len(job.events) == 2, "both clicks did not arrive")
    other.close()
    assert job.events[0].user_id != job.events[1].user_id


def test_a_visitor_who_clicks_too_fast_is_told_so(visited: str) -> None:
    with httpx.Client(base_url=visited, timeout=30) as client, ThreadPoolExecutor(40) as at_once:
        clicks = [{**CLICK, "click": f"c{n}"} for n in range(40)]
        answers = list(at_once.map(lambda click: client.post("/events", json=click), clicks))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert "too fast" in refused[0].json()["error"]
