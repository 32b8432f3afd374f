"""What becomes of single users while the job runs: newcomers, bursts, quiet ones, and who is to be forgotten."""

from __future__ import annotations

import json

from schemas.codec import RECOMMENDATIONS
from schemas.records import Context, Event
from schemas.redis_keys import seq
from tests.pipeline.story import BEGIN, DAY, Story


def test_a_forgotten_user_leaves_no_key(story: Story) -> None:
    live = story.live
    user = "to-be-forgotten"
    now = BEGIN + DAY
    live.send(Event(event_id="f1", user_id=user, type="view", time=now, item_id="item-01"))
    live.until(lambda: live.rec(user), "a list before")
    live.send(Event(event_id="f2", user_id=user, type="forget", time=now + 1))
    keys = live.names.of_user(live.pseudonym.of(user))
    live.until(lambda: not live.redis.exists(*keys), "no key after")
    live.send(Event(event_id="f3", user_id=user, type="profile_update", time=now + 2))
    live.until(lambda: live.profile(user), "a new start")
    assert json.loads(live.profile(user))["events"] == 1


def test_a_newcomer_without_history_gets_what_is_popular_in_their_country(story: Story) -> None:
    live = story.live
    live.send(
        Event(
            event_id="n1", user_id="newcomer", type="profile_update", time=BEGIN + DAY,
            context=Context(country="GB"),
        )
    )  # fmt: skip
    made = live.until(lambda: live.rec("newcomer"), "the newcomer's list")
    assert len(made["items"]) == 20
    assert made["items"][0][2] == "trending:country:GB"


def test_scrolls_and_impressions_ask_for_no_list(story: Story) -> None:
    live = story.live
    before = live.counters()
    for number in range(10):
        kind = "scroll" if number % 2 else "impression"
        live.send(Event(event_id=f"q{number}", user_id="quiet", type=kind, time=BEGIN + DAY + number))
    live.until(lambda: live.counters()["accepted"] >= before["accepted"] + 10, "ten more accepted")
    live.send(Event(event_id="q-other", user_id="not-quiet", type="search", time=BEGIN + DAY))
    live.until(lambda: live.rec("not-quiet"), "somebody else's list")
    assert live.rec("quiet") is None


def test_what_asks_for_no_list_shows_in_the_profile_within_seconds(story: Story) -> None:
    live = story.live
    for number in range(10):
        live.send(Event(event_id=f"p{number}", user_id="reader", type="scroll", time=BEGIN + DAY + number))
    live.until(lambda: b'"events":10' in (live.profile("reader") or b""), "a profile of all ten events", 30)
    assert live.rec("reader") is None


def test_a_burst_makes_few_lists_and_the_last_one_covers_it(story: Story) -> None:
    live = story.live
    for number in range(50):
        live.send(Event(event_id=f"b{number}", user_id="burst", type="search", time=BEGIN + DAY + 4 * number))
    live.producer.flush()
    born = BEGIN + DAY
    live.until(lambda: (live.rec("burst") or {}).get("seq") == seq(born, 50), "a list of all 50")
    uid = live.pseudonym.of("burst")
    logged = [RECOMMENDATIONS.decode(m) for m in live.read(live.topics.recommendations)]
    assert 1 <= sum(entry.uid == uid for entry in logged) <= 10
