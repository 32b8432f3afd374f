"""The published profile says what the record holds: nothing raw, nothing more."""

from __future__ import annotations

import json

import pytest

from operators.affinity import AffinityModel, AffinitySettings
from operators.calibration import CalibrationSettings
from operators.item_facts import Catalogue, ItemFacts
from operators.profile import SHOWN_AFFINITIES, ProfileReading, profile_of
from operators.user_step import StepSettings, UserStep
from schemas.records import Context, Event
from schemas.redis_values import profile_value
from schemas.state import UserState
from schemas.traffic_state import RATE, VOLUME

CATALOGUE: Catalogue = {f"item-{n}": ItemFacts(f"Department {n}", 5.0) for n in range(12)}


def followed(count: int) -> UserState:
    step = UserStep(StepSettings(), CATALOGUE)
    user = UserState("pseudonym", born=1_000)
    for number in range(count):
        event = Event(
            event_id=str(number), user_id="ann@example.org", type="view", time=1_000 + number,
            item_id=f"item-{number % 12}", context=Context(country="GB", device="mobile"),
        )  # fmt: skip
        step.update(user, event, None)
    return user


def test_a_profile_holds_what_the_record_holds() -> None:
    user = followed(30)
    profile = profile_of(user, {"affinity": "a", "drift": "d"})
    assert (profile.events, profile.born, profile.at) == (30, 1_000, 1_029)
    assert (profile.country, profile.device) == ("GB", "mobile")
    assert profile.recent[0] == ("item-5", 1_029, "view", "Department 5")
    assert len(profile.recent) == 12
    assert profile.session.depth == 30
    assert profile.drift.labelled == 30
    assert profile.seq == "0000000001000.0000000030"


def test_affinities_are_of_the_most_counted_categories_likeliest_first() -> None:
    user = followed(30)
    profile = profile_of(user, {})
    most = sorted(user.categories, key=lambda name: (-user.categories[name], name))[:SHOWN_AFFINITIES]
    assert {category for category, _ in profile.affinities} == set(most)
    probabilities = [probability for _, probability in profile.affinities]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0.0 < probability < 1.0 for probability in probabilities)


def test_affinities_are_calibrated_by_the_settings_of_the_step() -> None:
    user, model = followed(30), AffinityModel(AffinitySettings())
    plain = StepSettings(calibration=CalibrationSettings(intercept=0.0, model=1.0, share=0.0))
    told = profile_of(user, {}, ProfileReading.of(plain)).affinities
    raw = {category: model.probability(user.affinity, category) for category, _ in told}
    assert dict(told) == pytest.approx(raw)
    calibrated = dict(profile_of(user, {}).affinities)
    assert all(calibrated[category] < raw[category] for category in raw)
    assert sum(calibrated.values()) < 1.5  # one event is in one category


def test_a_profile_says_why_a_user_is_kept_out() -> None:
    user = followed(5)
    assert profile_of(user, {}).traffic == ()
    user.traffic.marks = RATE | VOLUME
    assert profile_of(user, {}).traffic == ("rate", "volume")


def test_no_profile_holds_the_raw_user_id() -> None:
    value = profile_value(profile_of(followed(5), {}))
    assert b"ann" not in value
    assert json.loads(value)["v"] == 1
