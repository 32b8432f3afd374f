"""`headrace send --backfill` through the whole job: silence, then each user once, then live as ever."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from infra.kafka import KafkaBroker
from jobs.plain_stream import PlainStream
from operators.segments.rules_file import ready_rules
from schemas.codec import RECOMMENDATIONS
from schemas.records import Event
from tests.pipeline.conftest import LiveJob, running_job

DAY = 86_400_000
USERS = [f"backfill-{number:02d}" for number in range(25)]
DRY_S = 10.0
SPREAD_S = 2.0


def ninety_days(until: int, count: int = 5_000) -> list[Event]:
    """So many events of three months that end an hour before `until`."""
    rng = random.Random(7)
    step = (90 * DAY) // count
    return [
        Event(
            event_id=f"history-{number}",
            user_id=rng.choice(USERS),
            type=rng.choice(("view",) * 6 + ("click", "add_to_cart", "purchase")),
            time=until - 3_600_000 - (count - number) * step,
            item_id=f"old-{rng.randrange(60)}",
        )
        for number in range(count)
    ]


def write(events: list[Event], path: Path) -> Path:
    columns = ("event_id", "user_id", "type", "time", "item_id")
    pd.DataFrame(
        [[getattr(event, name) for name in columns] for event in events], columns=columns
    ).to_parquet(path)
    return path


def lists_of(job: LiveJob) -> Counter[str]:
    """How many lists each of the history's users was given."""
    wanted = {job.pseudonym.of(user) for user in USERS}
    made = (RECOMMENDATIONS.decode(message).uid for message in job.read(job.topics.recommendations))
    return Counter(uid for uid in made if uid in wanted)


@pytest.fixture(scope="module")
def job(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveJob]:
    """A job of its own: a cut-over makes history of all that other tests send."""
    told = {
        "HEADRACE_BACKFILL__DRY": str(int(DRY_S * 1_000)),
        "HEADRACE_BACKFILL__SPREAD": str(int(SPREAD_S * 1_000)),
    }
    with running_job(kafka_broker, tmp_path_factory.mktemp("backfill"), told) as running:
        yield running


def test_a_backfill_writes_one_list_per_user_and_profiles_as_if_live_all_along(
    job: LiveJob, tmp_path: Path
) -> None:
    now = time.time_ns() // 1_000_000
    events = ninety_days(now)
    plain = PlainStream(segments=ready_rules())
    for event in events:
        plain.learn(event)
    plain.let_pass(now)
    handled = job.handled()
    said = job.headrace("send", str(write(events, tmp_path / "history.parquet")), "--backfill", "--json")
    assert said.returncode == 0, said.stderr
    assert "no job answered" not in said.stderr
    job.until(lambda: job.handled() >= handled + len(events), "the history is in")
    assert not lists_of(job)
    job.until(lambda: len(lists_of(job)) == len(USERS), "a list for everyone")
    time.sleep(DRY_S + SPREAD_S)  # no second one comes: a condition that cannot be waited for
    assert set(lists_of(job).values()) == {1}
    for user in USERS:
        stored = json.loads(job.profile(user))
        assert int(stored["seq"].split(".")[1]) == plain.states[user].n
        assert stored["at"] == plain.states[user].last
        assert stored["segments"] == plain.states[user].segments
    live = Event(event_id="live", user_id=USERS[0], type="view", time=now + 1_000, item_id="old-1")
    job.send(live)
    job.producer.flush()
    job.until(lambda: lists_of(job)[job.pseudonym.of(USERS[0])] == 2, "live again")
