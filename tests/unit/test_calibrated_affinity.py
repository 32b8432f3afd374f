"""One affinity to a category, wherever it is read: rules, profile, the columns of the ranker."""

from __future__ import annotations

import random

import numpy as np
import pytest

from operators.affinity import AffinitySettings
from operators.affinity_columns import CategoryProbability
from operators.calibrated_affinity import CalibratedAffinity
from operators.calibration import CalibrationSettings
from operators.candidates import SOURCES, Candidates
from operators.item_facts import ItemFacts
from operators.profile import ProfileReading, profile_of
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.segments import SegmentBook, SegmentRule, SegmentStep
from operators.segments.reading import Affinities, affinity
from operators.shelf import Shelf
from operators.shelf_records import CoVisits, Items
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from operators.user_batch import UserBatch
from operators.user_step import StepSettings, UserStep
from schemas.records import Event, Item
from schemas.state import RecentItem, Session, UserState

CATEGORIES = [f"Department {k % 5}/Shelf {k}" for k in range(30)]
FACTS = {f"i{k}": ItemFacts(category, 3.0 + k) for k, category in enumerate(CATEGORIES)}
LEARNERS = {
    "sgd": AffinitySettings(),
    "adagrad": AffinitySettings(optimiser="adagrad", learning_rate=0.3),
    "hinge": AffinitySettings(loss="hinge"),
    "factorised": AffinitySettings(factors=2),
}


def followed(settings: StepSettings, events: int, seed: int) -> UserState:
    """A user who is at few of the categories, and likes some less."""
    rng, step, user = random.Random(seed), UserStep(settings, FACTS), UserState(f"user-{seed}", born=1)
    for k in range(events):
        kind = rng.choice(("view", "view", "purchase", "dislike", "scroll"))
        item = f"i{(seed * 7 + rng.randrange(6) ** 2) % 30}"
        event = Event(event_id=f"{seed}-{k}", user_id="a", type=kind, time=1 + k, item_id=item, value=2.0)
        step.update(user, event, None)
    return user


def columns(settings: StepSettings, users: list[UserState]) -> list[list[float]]:
    """By user, what the ranker reads of an item of each category."""
    shelf = Shelf()
    shelf.apply(Items([Item(item_id=f"i{k}", category=name) for k, name in enumerate(CATEGORIES)]))
    m, n = len(users), len(CATEGORIES)
    found = Candidates(
        user=np.repeat(np.arange(m), n).astype(np.int32),
        item=np.tile([shelf.number(f"i{k}") for k in range(n)], m).astype(np.int32),
        scores=np.zeros((m * n, len(SOURCES)), np.float32),
        start=(n * np.arange(m + 1)).astype(np.int32),
        anchor=np.full(m * n, -1, np.int8),
        scope=np.full(m * n, -1, np.int32),
    )
    out = np.empty((m * n, 3), np.float32)[:, 1:2]
    batch = UserBatch.of(users, shelf, [user.last for user in users])
    CategoryProbability(settings).fill(found, batch, shelf, out)
    read: list[list[float]] = out[:, 0].reshape(m, n).tolist()
    return read


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_column_of_the_ranker_is_what_rules_read(learner: str) -> None:
    settings = StepSettings(affinity=LEARNERS[learner])
    users = [followed(settings, events, seed) for seed, events in enumerate((0, 1, 5, 40, 200))]
    read = CalibratedAffinity(settings.affinity, settings.calibration).probability
    for user, row in zip(users, columns(settings, users), strict=True):
        assert row == pytest.approx([read(user, name) for name in CATEGORIES], rel=2e-5)
    assert len({round(p, 6) for p in columns(settings, users)[-1]}) > 5


def test_weights_of_a_learner_that_is_no_more_are_read_as_the_new_one_will_learn_on_from_them() -> None:
    former = StepSettings(affinity=LEARNERS["adagrad"])
    users = [followed(former, 40, seed) for seed in (1, 2)]
    for now in (StepSettings(), StepSettings(affinity=LEARNERS["hinge"])):
        read = CalibratedAffinity(now.affinity, now.calibration).probability
        for user, row in zip(users, columns(now, users), strict=True):
            assert row == pytest.approx([read(user, name) for name in CATEGORIES], rel=2e-5)


def test_a_rule_reads_what_the_profile_shows() -> None:
    settings = StepSettings(calibration=CalibrationSettings(intercept=-0.5, model=0.4, share=0.9))
    user = followed(settings, 60, seed=3)
    shown = profile_of(user, {}, ProfileReading.of(settings)).affinities
    assert len(shown) > 3
    for name, probability in shown:
        assert affinity(name, Affinities.of(settings)).value(user, user.last) == probability
        assert affinity(name, Affinities.of()).value(user, user.last) != probability


def test_an_event_of_any_type_on_an_item_may_change_who_is_drawn_to_a_category() -> None:
    """A scroll teaches the model nothing, but it counts: so rules look again."""
    settings = StepSettings()
    rule = SegmentRule(name="drawn", when='affinity("Department 0/Shelf 0") > 0.2')
    segments = SegmentStep(SegmentBook.of([rule], affinities=Affinities.of(settings)))
    step, user = UserStep(settings, FACTS), UserState("u", born=1)
    entered = []
    for k in range(12):
        item, kind = ("i0", "view") if k == 0 else ("i1", "scroll")
        event = Event(event_id=f"e{k}", user_id="a", type=kind, time=1 + k, item_id=item)
        step.update(user, event, None)
        entered += [(k, each.entered) for each in segments.update(user, event, FACTS[item], event.time)]
    assert entered[0] == (0, True)
    assert [each for _, each in entered[1:]] == [False]


@pytest.mark.parametrize(("taste", "first"), [("Tea", "pot"), ("Art", "print")])
def test_a_list_about_an_item_leans_to_the_category_that_is_likelier(taste: str, first: str) -> None:
    shelf = Shelf()
    shelf.apply(Items([Item(item_id="pot", category="Tea"), Item(item_id="print", category="Art")]))
    shelf.apply(CoVisits(["mug", "mug"], ["pot", "print"], [1.0, 1.0]))
    user = UserState(
        "u", born=0, n=3, last=5, session=Session(1, 5, 5, 1),
        categories={"Tea": 1.0, "Art": 1.0, taste: 3.0}, recent=[RecentItem("mug", 5, "view", "?")],
    )  # fmt: skip
    ranker = SlotRanker(
        Ranker(shelf), SlotRules(slots_of({"product": SlotSettings()}, RankSettings()), (), shelf)
    )
    [made] = ranker.rank([user], [5])["product"]
    assert made.ranked.items[0] == first
    assert made.ranked.scores[0] > 1.2 * made.ranked.scores[1]
