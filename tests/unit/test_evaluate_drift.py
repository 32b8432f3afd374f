"""`evaluate --drift` makes the changes it says it makes, and counts only what they are worth."""

from __future__ import annotations

import random

import pytest

from jobs.evaluate_drift import least_errors
from jobs.evaluate_drift_figures import gain_of
from jobs.evaluate_drift_ranker import PersonalRanker
from jobs.evaluate_drift_shopper import Shopper
from jobs.evaluate_drift_streams import TasteChange, generated, generated_catalogue, spliced
from jobs.evaluate_drift_trial import Follower, Hits, Touch
from operators.drift import DriftDetector, DriftSettings
from operators.item_facts import ItemFacts
from operators.user_step import StepSettings
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
