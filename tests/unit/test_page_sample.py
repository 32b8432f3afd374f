"""The page's sample of users: who is in it, and that it answers as the job's own segment step does."""

from __future__ import annotations

import random

from jobs.page_rules import DraftRule, Rules
from jobs.page_sample import MOST_EVENTS_A_USER, EventSample
from operators.item_facts import NOTHING_KNOWN
from operators.profile_features import profile_features
from operators.segments import SegmentBook, SegmentRule, SegmentStep
from operators.segments.reading import Affinities
from operators.user_step import StepSettings, UserStep
from schemas.records import Control, Event
from schemas.state import UserState

BEGIN = 1_700_000_000_000
HOUR = 3_600_000
SETTINGS = StepSettings()


def event(number: int, user: str, time: int = BEGIN, type: str = "view") -> Event:
    return Event(event_id=f"e{number}", user_id=user, type=type, time=time, item_id=f"item-{number % 9}")


def some_events(count: int) -> list[Event]:
    rng = random.Random(2)
    types = ("view", "view", "add_to_cart", "purchase")
    return [event(n, f"u{rng.randrange(60)}", BEGIN + n * HOUR // 4, rng.choice(types)) for n in range(count)]


def test_the_sample_answers_as_the_segment_step_that_saw_all_events_live() -> None:
    rules = Rules(SETTINGS)
    for when in (
        'count("view", within="3d") >= 4 and since_last("any") < "2d"',
        'count("purchase") > 3 or not count("add_to_cart", within="7d") > 0',
        '"add_to_cart" then not "purchase" within "6h"',
        "session.depth > 1",
    ):
        rule, book = rules.drafted(DraftRule(name="asked", when=when))
        sample, users = EventSample(SETTINGS), dict[str, UserState]()
        step, segments = UserStep(SETTINGS, {}), SegmentStep(book)
        events = some_events(800)
        for each in events:
            sample.add(each)
            user = users.setdefault(each.user_id, UserState(each.user_id, born=0))
            step.update(user, each, None)
            segments.update(user, each, NOTHING_KNOWN, each.time)
        for user in users.values():
            segments.advance(user, events[-1].time)
        expected = sum(rule.name in user.segments for user in users.values())
        found = sample.matching(book, rule.name, {})
        assert (found.matching, found.asked, found.users) == (expected, 60, 60), when
        assert (found.events, found.since, found.now) == (800, events[0].time, events[-1].time)


def test_users_are_in_the_sample_whole_or_not_at_all() -> None:
    sample = EventSample(SETTINGS, most_users=50)
    for number in range(3_000):
        sample.add(event(number, f"u{number % 300}", BEGIN + number))
    found = sample.matching(_book('count("view") >= 10'), "asked", {})
    assert found.users <= 50
    assert found.one_in >= 8
    assert (found.matching, found.events) == (found.users, 10 * found.users)
    assert 100 <= found.users * found.one_in <= 900, "each stands for as many as were left out"


def test_a_user_who_does_very_much_has_the_newest_events_in_it() -> None:
    sample = EventSample(SETTINGS)
    for number in range(MOST_EVENTS_A_USER + 7):
        sample.add(event(number, "u", BEGIN + number))
    found = sample.matching(_book('count("view") > 0'), "asked", {})
    assert (found.events, found.since) == (MOST_EVENTS_A_USER, BEGIN + 7)


def test_who_is_forgotten_leaves_the_sample() -> None:
    sample = EventSample(SETTINGS)
    sample.add(event(1, "u"))
    sample.add(Event(event_id="f", user_id="u", type="forget", time=BEGIN))
    found = sample.matching(_book('count("view") > 0'), "asked", {})
    assert (found.users, found.events, found.since) == (0, 0, None)


def test_an_answer_that_takes_too_long_says_how_many_it_asked() -> None:
    sample = EventSample(SETTINGS)
    for number in range(40):
        sample.add(event(number, f"u{number}"))
    found = sample.matching(_book('count("view") > 0'), "asked", {}, seconds=0.0)
    assert (found.asked, found.users) == (1, 40)


def test_rules_follow_the_control_topic_and_a_bad_one_changes_nothing() -> None:
    rules = Rules(SETTINGS)
    rules.take(Control(kind="segment", name="vip", version=3, body='{"when": "count(\\"view\\") > 1"}'))
    rules.take(Control(kind="segment", name="vip", version=4, body='{"when": "counts() > 1"}'))
    rules.take(Control(kind="segment", name="vip", version=2, body='{"when": "count(\\"click\\") > 1"}'))
    rules.take(Control(kind="schema", name="vip", version=9))
    (shown,) = rules.shown()
    assert (shown["version"], shown["when"], rules.next_version("vip")) == (3, 'count("view") > 1', 4)
    rule, book = rules.drafted(DraftRule(name="both", when='segment("vip") and known_for > "1d"'))
    assert (rule.version, sorted(book.rules)) == (1, ["both", "vip"])
    rules.take(Control(kind="segment", name="vip", version=5, deleted=True))
    assert rules.shown() == []


def _book(when: str) -> SegmentBook:
    rule = SegmentRule(name="asked", when=when)
    return SegmentBook.of([rule], profile_features(SETTINGS), Affinities.of(SETTINGS))
