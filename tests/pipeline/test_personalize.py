"""The whole job, from Kafka to Redis, held to the plain classes on the same events."""

from __future__ import annotations

import json
from collections import Counter

from operators.affinity import AffinityModel, AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.profile import learning_classes, profile_of
from operators.sessions import end_of
from operators.user_step import StepSettings
from schemas.codec import DEAD_LETTERS, DRIFT_ALERTS, RECOMMENDATIONS
from schemas.records import Recommendation
from schemas.redis_values import profile_value
from tests.pipeline.story import HOUR, Story, lists_agree, sums_agree


def test_every_message_is_accepted_a_duplicate_or_a_dead_letter(story: Story) -> None:
    reasons = Counter(letter.reason for letter in story.letters)
    rejected = {
        name.removeprefix("rejected."): count
        for name, count in story.counters.items()
        if name.startswith("rejected.") and count
    }
    users = len(story.plain.states)
    turns = story.sent - story.counters["accepted"] - story.counters["duplicates"] - sum(rejected.values())
    assert rejected == dict(reasons)
    assert len(reasons) >= 7
    assert story.counters["duplicates"] == story.duplicates > 30
    assert turns % users == 0  # what was sent after the counting: one event per user and turn
    assert story.counters["accepted"] == story.accepted - turns
    assert story.counters["unknown_types"] == story.unknown_types > 0


def test_every_profile_is_the_plain_classes_own(story: Story) -> None:
    learning = learning_classes(AffinityModel(AffinitySettings()), DriftDetector(DriftSettings()))
    assert len(story.plain.states) == 41
    latest = max(state.last for state in story.plain.states.values())
    for user, state in story.plain.states.items():
        stored = story.live.profile(user)
        segments = json.loads(stored)["segments"]
        for seconds in range(600):
            if state.segments == segments:
                break
            # The job is idle: its clock goes on with the wall's.
            story.plain.let_pass(latest + seconds * 1_000, user)
        assert stored == profile_value(profile_of(state, learning)), user


def test_dead_letters_hold_the_message_its_origin_and_the_reason(story: Story) -> None:
    found = [DEAD_LETTERS.decode(letter) for letter in story.live.read(story.live.topics.dead_letters)]
    of_events = [letter for letter in found if letter.topic == story.live.topics.events]
    by_place = lambda letter: (letter.partition, letter.offset)  # noqa: E731
    assert sorted(of_events, key=by_place) == sorted(story.letters, key=by_place)


def test_item_sums_in_redis_are_the_plain_ones(story: Story) -> None:
    assert sums_agree(story)
    assert len(story.plain._statistics) > 1_000


def test_every_list_is_what_a_plain_ranker_says_after_a_final_refresh(story: Story) -> None:
    assert lists_agree(story) == []


def test_who_is_gone_has_a_list_as_of_the_end_of_their_session_and_who_is_there_of_their_last_event(
    story: Story,
) -> None:
    ends = {
        user: end_of(state.session, StepSettings().session_gap) for user, state in story.plain.states.items()
    }
    # The last event of each, which asked for a list, was of a time when most sessions were long over.
    gone = [user for user, end in ends.items() if end is not None and end < story.plain.latest - 3 * HOUR]
    assert gone
    for user in gone:
        story.live.until(
            lambda: story.live.rec(user)["at"] == ends[user],  # noqa: B023
            f"{user}'s list as of {ends[user]}",
        )
    for user, end in ends.items():
        made = story.live.rec(user)
        assert made["at"] == (end if made["id"].endswith("-end") else story.plain.states[user].last)


def test_lists_leave_out_what_cannot_be_had_and_what_was_bought(story: Story) -> None:
    bought: dict[str, set[str]] = {}
    for user, state in story.plain.states.items():
        bought[user] = {r.item_id for r in state.recent if r.type == "purchase"}
        shown = [item for item, _, _ in story.live.rec(user)["items"]]
        assert len(shown) == 20
        assert len(set(shown)) == 20
        assert not {"item-05", "item-11"} & set(shown)
        assert not {"item-07", "item-13"} <= set(shown)
        assert not bought[user] & set(shown)
    assert any(bought.values())


def test_the_log_tells_each_list_that_is_in_redis(story: Story) -> None:
    logged: dict[str, Recommendation] = {}
    for message in story.live.read(story.live.topics.recommendations):
        entry = RECOMMENDATIONS.decode(message)
        if entry.uid not in logged or logged[entry.uid].seq <= entry.seq:
            logged[entry.uid] = entry
    for user in story.plain.states:
        entry, stored = logged[story.live.pseudonym.of(user)], story.live.rec(user)
        assert (entry.rec_id, entry.seq, entry.at) == (stored["id"], stored["seq"], stored["at"])
        assert [(i.item_id, i.why) for i in entry.items] == [(i, why) for i, _, why in stored["items"]]
        assert all(scored.sources for scored in entry.items if scored.score > 0)


def test_a_change_of_taste_is_told_on_the_drift_topic(story: Story) -> None:
    found = [DRIFT_ALERTS.decode(alert) for alert in story.live.read(story.live.topics.drift)]
    order = lambda alert: (alert.uid, alert.at)  # noqa: E731
    assert sorted(found, key=order) == sorted(story.alerts, key=order)
    assert story.live.pseudonym.of("flip") in {alert.uid for alert in found}


def test_public_item_lists_are_rendered(story: Story) -> None:
    live = story.live
    item = json.loads(live.redis.get(live.names.item("item-03")))
    assert (item["title"], item["category"]) == ("Item 3", "Toys")
    best = story.plain._statistics.popular("country:GB")
    sold = [name for name, _ in best if name not in ("item-05", "item-11")][:20]
    live.until(
        lambda: (
            [n for n, _ in json.loads(live.redis.get(live.names.trending("country:GB")))["items"]] == sold
        ),
        "trending in GB",
        30,
    )
    similar = json.loads(live.redis.get(live.names.similar("item-03")))["items"]
    assert similar
    assert similar[0][1] == 1.0
