"""`headrace send --backfill` through the whole job: silence, then each user once, then live as ever."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from infra.kafka import KafkaBroker
from jobs.plain_stream import PlainStream
from operators.segments.rules_file import ready_rules
from schemas.codec import RECOMMENDATIONS, SEGMENT_CHANGES
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


def carts(of: dict[str, int], path: Path) -> Path:
    """A file in which each user puts a thing into the cart, at that time, and does nothing else."""
    return write(
        [
            Event(event_id=f"cart-{user}", user_id=user, type="add_to_cart", time=at, item_id="old-1")
            for user, at in sorted(of.items(), key=lambda each: each[1])
        ],
        path,
    )


def changes_of(job: LiveJob, users: Iterable[str]) -> set[tuple[str, str, str, int]]:
    """What was told of segments: who, which one, entered or left, and when."""
    names = {job.pseudonym.of(user): user for user in users}
    told = map(SEGMENT_CHANGES.decode, job.read(job.topics.segment_changes))
    return {(names[each.uid], each.segment, each.change, each.at) for each in told if each.uid in names}


def segments_of(job: LiveJob, user: str) -> set[str]:
    """The segments that Redis shows for a user."""
    return {name.decode() for name in job.redis.smembers(job.names.seg(job.pseudonym.of(user)))}


def test_exits_of_the_past_are_silent_and_those_after_the_cut_over_are_told_in_an_idle_hour(
    job: LiveJob, tmp_path: Path
) -> None:
    cut = time.time_ns() // 1_000_000
    # `cart_abandoners` is entered an hour after the cart was filled and left a week after, as is `new` by all.
    filled = {
        "gone": cut - 20 * DAY,
        "stays": cut - 6 * DAY,
        "leaves": cut - 7 * DAY + 20_000,
        "enters": cut - 3_600_000 + 30_000,
    }
    file = carts(filled, tmp_path / "carts.parquet")
    said = job.headrace("send", str(file), "--backfill", "--cut-over", str(cut), "--json")
    assert said.returncode == 0, said.stderr
    assert "no job answered" not in said.stderr
    due = {
        ("leaves", "cart_abandoners", "left", cut + 20_000),
        ("leaves", "new", "left", cut + 20_000),
        ("enters", "cart_abandoners", "entered", cut + 30_000),
    }
    # Nothing is sent from here on: only the wall clock can have told the job that these moments came.
    job.until(lambda: due <= changes_of(job, filled), "what falls due after the cut-over is told")
    shown = {
        "gone": set(),
        "stays": {"cart_abandoners", "new"},
        "leaves": set(),
        "enters": {"cart_abandoners", "new"},
    }
    for user, segments in shown.items():
        job.until(lambda user=user, due=segments: segments_of(job, user) == due, f"the segments of {user}")
    # `gone` entered and left both segments in the past, `stays` entered them: nobody was told of that.
    assert changes_of(job, filled) == due
