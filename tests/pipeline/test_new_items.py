"""A new item on the catalogue topic is in a list about a second later, though nobody has touched it yet."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import pytest

from infra.kafka import KafkaBroker
from schemas.records import Event, Item
from tests.pipeline.conftest import LiveJob, running_job

OLD = [
    Item(item_id=f"{kind}-{n}", title=f"{word} {kind}", category=f"Home/{kind.title()}")
    for kind in ("lamp", "rug", "cushion", "clock")
    for n, word in enumerate(
        ("oak", "felt", "paper", "glass", "brass", "linen", "cork", "slate", "wool", "jute")
    )
]
SEED = Item(item_id="seed", title="Blue enamel camping mug", category="Kitchen/Mugs")
NEW = [
    Item(item_id=f"new-{n}", title=f"{word} enamel camping mug", category="Kitchen/Mugs")
    for n, word in enumerate(("Red", "Green", "White", "Black", "Yellow"))
]
CLICK_EVERY_S = 0.1
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def live(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveJob]:
    """A job of its own, with a catalogue that is known and a user who looked at one mug."""
    with running_job(kafka_broker, tmp_path_factory.mktemp("new-items"), {}) as job:
        for item in (*OLD, SEED):
            job.send_item(item)
        job.producer.flush()
        job.until(lambda: job.redis.exists(job.names.item(SEED.item_id)), "the catalogue in Redis")
        yield job


def test_a_new_item_is_recommended_about_a_second_after_it_arrived(live: LiveJob) -> None:
    number = itertools.count()

    def click() -> None:
        at = time.time_ns() // 1_000_000
        event = Event(event_id=f"e{next(number)}", user_id="ann", type="view", time=at, item_id=SEED.item_id)
        live.send(event)
        live.producer.flush()

    def reason(item_id: str) -> str | None:
        made = live.rec("ann") or {"items": []}
        return next((why for item, _, why in made["items"] if item == item_id), None)

    click()
    live.until(lambda: live.rec("ann"), "the user has a list")
    took = []
    for item in NEW:
        assert reason(item.item_id) is None
        live.send_item(item)
        live.producer.flush()
        sent = time.monotonic()
        while reason(item.item_id) is None:
            assert time.monotonic() - sent < PATIENCE_S, f"{item.item_id} is in no list"
            click()
            time.sleep(CLICK_EVERY_S)
        took.append(time.monotonic() - sent)
        assert reason(item.item_id) in (f"similar:{SEED.item_id}", "new")
    print(
        f"from the catalogue topic into a list: median {statistics.median(took):.2f} s,"
        f" slowest {max(took):.2f} s of {len(took)}"
    )
