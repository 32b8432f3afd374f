"""Segments in the live job: put in force while it runs, entered, left on time, refused, counted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import SEGMENT_CHANGES
from schemas.records import Event, SegmentChange
from schemas.stats import SEGMENTS
from tests.pipeline.conftest import LiveJob
from tests.pipeline.story import BEGIN, DAY, Story

LATER = BEGIN + 10 * DAY
RULES = """
[segments.keen_today]
when = 'count("like", within="1h") >= 2'

[segments.keen_now]
when = 'count("like", within="10s") >= 3'
"""


@pytest.fixture(scope="module")
def told(story: Story, tmp_path_factory: pytest.TempPathFactory) -> LiveJob:
    """The live job, with the rules in force."""
    live: LiveJob = story.live
    rules = tmp_path_factory.mktemp("rules") / "segments.toml"
    rules.write_text(RULES, encoding="utf-8")
    put = live.headrace("segments", "put", str(rules))
    assert put.returncode == 0, put.stderr
    live.until(lambda: {"keen_today", "keen_now"} <= applied(live), "the job says that it took the rules")
    return live


def applied(live: LiveJob) -> set[str]:
    """Names of the segments that the job says it has in force."""
    statuses = map(json.loads, live.read(live.topics.control_status))
    return {status["name"] for status in statuses if status["kind"] == "segment" and status["applied"]}


def likes(live: LiveJob, user: str, count: int, at: int) -> None:
    """Let a user like so many things within a second."""
    for number in range(count):
        live.send(
            Event(
                event_id=f"{user}-{at}-{number}", user_id=user, type="like", time=at + number,
                item_id=f"item-{number:02d}",
            )
        )  # fmt: skip


def segments(live: LiveJob, user: str) -> set[str]:
    """The segments that Redis shows for a user."""
    return {name.decode() for name in live.redis.smembers(live.names.seg(live.pseudonym.of(user)))}


def changes(live: LiveJob, user: str, segment: str) -> list[SegmentChange]:
    """What was told of a user and a segment on the topic of changes."""
    told = map(SEGMENT_CHANGES.decode, live.read(live.topics.segment_changes))
    return [each for each in told if each.uid == live.pseudonym.of(user) and each.segment == segment]


def counted(live: LiveJob, segment: str) -> int:
    """How many users are in a segment, as the page reads it."""
    return int(live.redis.hget(live.names.stats(SEGMENTS), segment) or 0)


@pytest.fixture
def listening(told: LiveJob) -> Iterator[Any]:
    """Subscribed to the channel of changes."""
    with told.redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(told.names.changes)
        channel.get_message(timeout=5)
        yield channel


def test_a_user_enters_at_once_and_everybody_is_told_why(told: LiveJob, listening: Any) -> None:
    likes(told, "sue", 2, LATER)
    told.until(lambda: "keen_today" in segments(told, "sue"), "the segment in Redis")
    [entered] = told.until(lambda: changes(told, "sue", "keen_today"), "the change on its topic")
    assert (entered.change, entered.at) == ("entered", LATER + 1)
    assert entered.evidence == {'count("like", within="1h")': 2.0}
    told.until(lambda: counted(told, "keen_today") == 1, "one user counted")
    messages = []
    while message := listening.get_message(timeout=2):
        messages.append(json.loads(message["data"]))
    assert "keen_today" in {name for each in messages for name in each["entered"]}


def test_a_user_leaves_when_the_time_comes_though_they_do_nothing(told: LiveJob) -> None:
    likes(told, "tom", 2, LATER)
    told.until(lambda: "keen_today" in segments(told, "tom"), "the segment in Redis")
    likes(told, "una", 1, LATER + 2 * 3_600_000)  # somebody else moves event time on
    told.until(lambda: "keen_today" not in segments(told, "tom"), "tom has left")
    entered, left = told.until(
        lambda: found if len(found := changes(told, "tom", "keen_today")) > 1 else None, "both changes"
    )
    assert (entered.change, left.change) == ("entered", "left")
    assert left.at == LATER + 3_600_000  # the first of the two likes is an hour old


def test_a_user_leaves_on_time_while_the_whole_stream_is_idle(told: LiveJob) -> None:
    likes(told, "vic", 3, LATER + DAY)
    told.until(lambda: "keen_now" in segments(told, "vic"), "the segment in Redis")
    since = time.monotonic()
    told.until(lambda: "keen_now" not in segments(told, "vic"), "vic has left", 60)
    assert time.monotonic() - since > 2
    assert changes(told, "vic", "keen_now")[-1].at == LATER + DAY + 10_000


def test_a_bad_rule_is_refused_with_its_place_and_the_good_one_stays(told: LiveJob, tmp_path: Path) -> None:
    rules = tmp_path / "bad.toml"
    rules.write_text("[segments.keen_today]\nwhen = 'counts(\"like\") > 1'\n", encoding="utf-8")
    put = told.headrace("segments", "put", str(rules))
    assert put.returncode != 0
    assert 'segment "keen_today", column 1' in put.stderr
    likes(told, "wyn", 2, LATER + 2 * DAY)
    told.until(lambda: "keen_today" in segments(told, "wyn"), "the good rule still counts")
