"""`evaluate --drift` makes the changes it says it makes, and counts only what they are worth."""

from __future__ import annotations

import random

import msgspec
import pytest

from jobs.evaluate_drift import LONG, DriftTrial, least_errors, promised
from jobs.evaluate_drift_figures import gain_of
from jobs.evaluate_drift_ranker import PersonalRanker
from jobs.evaluate_drift_shopper import Shopper
from jobs.evaluate_drift_streams import TasteChange, generated, generated_catalogue, spliced
from jobs.evaluate_drift_trial import Follower, Hits, Touch
from jobs.training_events import TrainingEvents
from operators.affinity import AffinitySettings
from operators.drift import DriftDetector, DriftSettings
from operators.item_facts import ItemFacts
from operators.user_step import StepSettings
from schemas.records import Event, Item
from schemas.state import Affinity

CATALOGUE = generated_catalogue()


def history(user: str, length: int) -> list[Touch]:
    return [Touch(f"{user}/{k}", user, None, "view", None, f"{user}-{k}") for k in range(length)]


def test_a_splice_is_one_users_beginning_and_another_ones_end_from_the_same_event_on() -> None:
    histories = {user: history(user, 40) for user in "abc"} | {"short": history("short", 29)}
    pairs = list(spliced(histories, change=20, after=15, least=10, pairs=30, rng=random.Random(1)))
    assert len(pairs) == 30
    for first, before, after in pairs:
        assert before == histories[first][:20]
        other = after[0].category
        assert other not in (first, "short")
        assert after == histories[other][20:35]
    firsts = [first for first, _, _ in pairs]
    assert {firsts.count(user) for user in "abc"} == {10}


def test_of_fewer_than_two_long_histories_nothing_is_spliced() -> None:
    histories = {"a": history("a", 40), "b": history("b", 20)}
    assert list(spliced(histories, 20, 15, 10, pairs=5, rng=random.Random(1))) == []


def test_a_changed_taste_keeps_which_events_share_a_category_and_an_item() -> None:
    change = TasteChange(CATALOGUE)
    before = generated("ann", 100, 100, CATALOGUE, Shopper())
    after = change.of(before, random.Random(1))
    becomes = {(one.category, two.category) for one, two in zip(before, after, strict=True)}
    assert len(becomes) == len({touch.category for touch in before})
    assert len({two for _, two in becomes}) == len(becomes)
    assert len({touch.item for touch in after}) == len({touch.item for touch in before})
    assert all(CATALOGUE[touch.item].category == touch.category for touch in after)


def test_both_profiles_are_one_until_the_first_drift() -> None:
    ranker = PersonalRanker(CATALOGUE, {})
    followed = Follower(StepSettings(), ranker).follow(generated("ann", 60, 60, CATALOGUE, Shopper()), 20)
    assert followed.drifts == []
    assert followed.categories == Hits(judged=40)
    assert 0 < followed.items.judged <= 40


def test_recalibration_gains_after_a_change_of_all_tastes() -> None:
    ranker, follower_hits = PersonalRanker(CATALOGUE, {}), {}
    follower = Follower(StepSettings(), ranker)
    for number in range(12):
        user = f"user {number}"
        followed = follower.follow(generated(user, 100, 200, CATALOGUE, Shopper()), 100)
        follower_hits[user] = [followed.categories]
    gain = gain_of(follower_hits)
    assert gain.gain > 0.02
    assert gain.low <= gain.gain <= gain.high


def test_where_no_drift_was_found_the_gain_is_nought() -> None:
    gain = gain_of({"ann": [Hits(judged=50)], "bob": [Hits(judged=30)]})
    assert (gain.gain, gain.low, gain.high, gain.never) == (0.0, 0.0, 0.0, None)


@pytest.mark.parametrize("chosen", [DriftSettings(), DriftSettings(detector="page_hinkley")])
def test_no_errors_fewer_than_the_least_make_the_detector_fire(chosen: DriftSettings) -> None:
    detector, least, rng = DriftDetector(chosen), least_errors(chosen), random.Random(1)
    for _ in range(200):
        stored = None
        for _ in range(least // chosen.feed_every - 1):
            stored, detection = detector.feed(stored, [rng.random() for _ in range(chosen.feed_every)])
            assert detection is None


def test_an_item_is_ranked_by_popularity_and_the_profile() -> None:
    shop = {f"i{k}": ItemFacts("Home", 1.0) for k in range(40)}
    ranker = PersonalRanker(shop, {f"i{k}": 40 - k for k in range(40)})
    assert ranker.item_hit(Affinity(), set(), "i19")
    assert not ranker.item_hit(Affinity(), set(), "i20")
    assert ranker.item_hit(Affinity(), {"i0"}, "i20")


def shop_trial(lengths: dict[str, int], pairs: int = 2) -> DriftTrial:
    """A trial on simulated users with so many labelled events, whose tastes change in the middle.

    Each event has a twin at an item that the catalogue lacks, which is no labelled one.
    """
    events = []
    for user, length in lengths.items():
        for time, touch in enumerate(generated(user, length // 2, length, CATALOGUE, Shopper())):
            event = Event(
                event_id=touch.event_id, user_id=user, type=touch.type, time=time, item_id=touch.item
            )
            events += [event, msgspec.structs.replace(event, item_id="unknown")]
    items = [
        Item(item_id=name, title=name, category=facts.category, price=facts.price)
        for name, facts in CATALOGUE.items()
    ]
    return DriftTrial(
        TrainingEvents(events, items, unused=0), "shop", StepSettings(), pairs, lambda what: None
    )


def test_the_reach_is_of_users_whose_detector_can_have_heard_enough_to_fire() -> None:
    least = AffinitySettings().warm_up + least_errors(DriftSettings())
    reach = shop_trial({"long": 3 * least, "enough": least, "short": least - 1, "one": 1})._reach()
    assert (reach.data, reach.least_events, reach.users, reach.reached) == ("shop", least, 4, 2)
    assert reach.share == 0.5
    assert reach.share_of_events == pytest.approx(4 * least / (5 * least))


def test_of_a_file_without_labelled_events_nobody_is_reached() -> None:
    reach = shop_trial({})._reach()
    assert (reach.users, reach.reached, reach.share, reach.share_of_events) == (0, 0, 0.0, 0.0)


def test_false_alarms_are_counted_on_the_files_own_users_as_they_are_and_shuffled() -> None:
    lengths = {f"user {number}": 200 + number for number in range(9)}
    trial = shop_trial(lengths | {"few": 99}, pairs=8)
    rows = {row.stream: row for row in trial._false_alarms()}
    as_recorded = rows["shop, as recorded (may hold changes)"]
    shuffled = rows["shop, each user's events shuffled"]
    errors = sum([*lengths.values()][:8]) - 8 * AffinitySettings().warm_up
    for row in (as_recorded, shuffled):
        assert (row.users, row.errors) == (8, errors)
        assert row.per_thousand == pytest.approx(1000 * row.alarms / errors)
        assert row.low <= row.per_thousand <= row.high
    # Each user changes once, and for good; of the same events in random order nothing changes.
    assert as_recorded.alarms >= 4
    assert shuffled.alarms <= as_recorded.alarms / 2


def test_false_alarms_are_counted_on_simulated_users_and_on_coins_beside_what_is_promised() -> None:
    trial = shop_trial({"few": 99}, pairs=3)
    rows = trial._false_alarms()
    assert [row.stream for row in rows] == [
        "independent errors of 0 and 1",
        "simulated users, independent events",
        "simulated users, runs of 4 events",
    ]
    assert {row.users for row in rows} == {3}
    assert {row.promised for row in rows} == {promised(DriftSettings())}
    coins, independent, runs = rows
    assert coins.errors == 3 * (LONG // DriftSettings().feed_every * DriftSettings().feed_every)
    assert independent.errors == runs.errors == 3 * (LONG - AffinitySettings().warm_up)
    for row in rows:
        assert row.low <= row.per_thousand <= row.high
    assert trial._notes == ["shop: no user has 100 labelled events"]
