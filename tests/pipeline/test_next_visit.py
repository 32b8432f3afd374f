"""Lists for the next visit in the running job: told by events of others, by the wall clock, and after a late event."""

from __future__ import annotations

from typing import Any

import pytest

from operators.user_step import StepSettings
from schemas.codec import RECOMMENDATIONS
from schemas.records import Event, Recommendation
from schemas.redis_keys import seq
from tests.pipeline.conftest import LiveJob
from tests.pipeline.story import BEGIN, DAY, Story

LATER = BEGIN + 3 * DAY
MINUTE = 60_000
OVER = StepSettings().session_gap + 1


@pytest.fixture(scope="module")
def live(story: Story) -> LiveJob:
    """The live job, when the whole story has been told."""
    job: LiveJob = story.live
    return job


def view(live: LiveJob, user: str, at: int, item: int = 3) -> None:
    """Let a user look at an item."""
    live.send(
        Event(event_id=f"{user}-{at}-{item}", user_id=user, type="view", time=at, item_id=f"item-{item:02d}")
    )
    live.producer.flush()


def others_go_on(live: LiveJob, at: int) -> None:
    """Events of others on both partitions: event time goes on to `at`, less what events may be out of order."""
    for number in range(8):
        view(live, f"other-{number}-{at}", at)


def list_as_of(live: LiveJob, user: str, at: int, seconds: float = 60) -> dict[str, Any]:
    """The user's list once it is one as of `at`."""
    made: dict[str, Any] = live.until(
        lambda: rec if (rec := live.rec(user)) and rec["at"] == at else None,
        f"{user}'s list as of {at}",
        seconds,
    )
    return made


def logged(live: LiveJob, user: str) -> list[Recommendation]:
    """All lists of a user, in the order in which they were made."""
    made = map(RECOMMENDATIONS.decode, live.read(live.topics.recommendations))
    uid = live.pseudonym.of(user)
    return [each for each in made if isinstance(each, Recommendation) and each.uid == uid]


def test_when_others_events_tell_that_a_session_is_over_its_user_has_one_list_more(live: LiveJob) -> None:
    view(live, "amy", LATER)
    during = list_as_of(live, "amy", LATER)
    others_go_on(live, LATER + OVER + MINUTE)
    after = list_as_of(live, "amy", LATER + OVER)
    assert after["seq"] == during["seq"] == seq(LATER, 1)
    assert after["id"] == f"{during['id']}-end"
    others_go_on(live, LATER + 2 * OVER)
    list_as_of(live, f"other-0-{LATER + OVER + MINUTE}", LATER + OVER + MINUTE)
    lists = live.until(lambda: found if len(found := logged(live, "amy")) > 1 else None, "both lists logged")
    assert [each.rec_id for each in lists] == [during["id"], after["id"]]


def test_a_late_event_of_a_session_that_is_over_brings_a_list_and_then_one_for_the_next_visit(
    live: LiveJob,
) -> None:
    begin = LATER + DAY
    view(live, "bea", begin)
    list_as_of(live, "bea", begin)
    others_go_on(live, begin + OVER + MINUTE)
    before = list_as_of(live, "bea", begin + OVER)
    view(live, "bea", begin, item=4)  # event time is past the session's end by now
    live.until(lambda: live.rec("bea")["seq"] == seq(begin, 2), "the list of the late event")
    after = list_as_of(live, "bea", begin + OVER)
    assert after["seq"] == seq(begin, 2)
    assert after["id"] != before["id"]


def test_whoever_is_back_has_lists_of_the_visit_again(live: LiveJob) -> None:
    begin = LATER + 2 * DAY
    view(live, "cat", begin)
    others_go_on(live, begin + OVER + MINUTE)
    list_as_of(live, "cat", begin + OVER)
    view(live, "cat", begin + DAY)
    assert not list_as_of(live, "cat", begin + DAY)["id"].endswith("-end")


def test_while_the_whole_stream_is_idle_the_wall_clock_tells_that_sessions_are_over(live: LiveJob) -> None:
    begin = LATER + 4 * DAY
    others_go_on(live, begin)
    soon = begin + 3_000  # ahead of all events, and so of event time
    view(live, "dot", soon - OVER)
    list_as_of(live, "dot", soon - OVER)
    assert list_as_of(live, "dot", soon)["id"].endswith("-end")
