"""In one batch every user gets the list that the settings of their variant would give them, to the bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from operators.bought_items import buy
from operators.bundle import Bundle, load_bundle
from operators.candidates import SOURCES, CandidateSettings
from operators.experiment import Experiment, experiment_of
from operators.exploration import ExploreSettings
from operators.item_step import Purchase, areas_of
from operators.list_inputs import inputs_of
from operators.list_replay import differences
from operators.purchase_sums import PurchaseSums
from operators.rank_settings import RankSettings
from operators.ranked_list import RankedList
from operators.ranker import NO_BUNDLE, MadeLists, Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Arrivals, CoVisits, Items, Popularity, PurchaseScores, SessionSteps
from operators.slot_ranker import SlotList, SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from operators.treatment import Treatments
from schemas.list_inputs import ListInputs, decode_inputs, encode_inputs
from schemas.records import Item, Recommendation, ScoredItem
from schemas.redis_keys import seq
from schemas.state import RecentItem, Session, UserState
from tests.small_bundles import write_network

DAY = 86_400_000
NOW = 20_000 * DAY
IDS = [f"item-{k}" for k in range(60)]
EXPLORE = ExploreSettings(share=0.25, first_places=2, few_sessions=100)
RANK = RankSettings(
    length=12,
    exclude_touched=False,
    candidates=CandidateSettings(**{**dict.fromkeys(SOURCES, 8), "embedded": 0, "again": 3}, novelty=1.0),
    explore=EXPLORE,
    blend={source: 0.1 + k / 10 for k, source in enumerate(SOURCES)},
)
"""Every source speaks but `embedded`, for which an optional package would be needed."""

SPEAKING = [source for source in SOURCES if source != "embedded"]
BOTH = {"weight": 1.0, "off": ["trending", "covisit"], "candidates": {"again": 9, "similar": 30}}
CHANGES: dict[str, dict[str, Any]] = {
    **{f"{source} off": {"off": [source]} for source in SPEAKING},
    "several": BOTH,
    "blend": {"blend": {"trending": 3.0, "covisit": 0.0}},
    "explore": {"explore": {"share": 0.0}},
    "all": {**BOTH, "blend": {"similar": 2.0}, "explore": {"first_places": 5}},
}


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    drawn = random.Random(4)
    made = Shelf(ShelfBounds(items=2_000, sessions=1_000))
    made.apply(
        Items([
            Item(
                item_id=item, title=f"{('red', 'blue', 'old')[k % 3]} {('mug', 'lamp')[k % 2]} {k // 6}",
                category=("Toys/Robots", "Home/Mugs")[k % 2], price=1.0 + k,
                group_id="pair" if k in (7, 9) else None, in_stock=k != 11,
            )
            for k, item in enumerate(IDS)
        ])
    )  # fmt: skip

    def some(count: int) -> list[str]:
        return [drawn.choice(IDS) for _ in range(count)]

    made.apply(SessionSteps([k // 4 for k in range(200)], some(200), [NOW - 9 * DAY + k for k in range(200)]))
    made.apply(CoVisits(some(300), some(300), [drawn.uniform(0.0, 3.0) for _ in range(300)]))
    for kind in ("together", "then_bought"):
        made.apply(PurchaseScores(kind, some(200), some(200), [drawn.uniform(0.0, 3.0) for _ in range(200)]))
    for scope in ("all", "country:GB", "category:Toys", "category:Home"):
        made.apply(Popularity([scope] * 25, some(25), [drawn.uniform(0.0, 3.0) for _ in range(25)]))
    made.apply(Arrivals(IDS[40:], [NOW - k * DAY // 2 for k in range(20)]))
    sums = PurchaseSums(90.0, rows=500, members=100)
    for number in range(120):
        item = IDS[number % 12]
        bought = Purchase(days=0 if number < 12 else 30, areas=areas_of(item, "category:Toys"))
        sums.update(item, bought, weight=5.0, time=NOW - number)
    for record in sums.records():
        made.apply(record)
    return made


@pytest.fixture(scope="module")
def users() -> list[UserState]:
    drawn = random.Random(5)
    made = []
    for k in range(24):
        user = UserState(
            f"{k:024x}", born=NOW - 100, n=k + 1, last=NOW - k, session=Session(1, NOW - 10_000, NOW, 2),
            country=drawn.choice(["GB", "FR", None]), categories={"Toys/Robots": 2.0, "Home/Mugs": 1.0},
            segments=["vip"] if k % 2 else [],
        )  # fmt: skip
        user.recent = [
            RecentItem.of(item, NOW - 20_000 + at, "purchase" if at % 3 == 0 else "view", "Toys/Robots")
            for at, item in enumerate(drawn.sample(IDS[:24], drawn.randrange(6)))
        ]
        user.basket = dict.fromkeys(drawn.sample(IDS, drawn.randrange(3)), NOW)
        for item in IDS[: drawn.randrange(8)]:
            user.bought, user.bought_days, _ = buy(user.bought, user.bought_days, item, 20_000 - 30, 64)
        made.append(user)
    return made


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_network(tmp_path_factory.mktemp("models") / "shop" / "1", seed=3))


@pytest.fixture(scope="module")
def factors(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The factors of `bundle` without its ranker."""
    return load_bundle(write_network(tmp_path_factory.mktemp("factors") / "shop" / "1", seed=3, ranker=False))


def tried(changes: dict[str, Any], **fields: Any) -> Experiment:
    return experiment_of("tried", {"variants": {"as_is": {}, "other": changes}, **fields})


def times(users: Sequence[UserState]) -> list[int]:
    return [user.last for user in users]


def ranked(
    shelf: Shelf, users: Sequence[UserState], experiments: Sequence[Experiment], bundle: Bundle | None = None
) -> list[RankedList]:
    treatments = Treatments(experiments, RANK, shelf)
    treated = treatments.of(users, times(users))
    return Ranker(shelf, RANK, bundle).rank(users, times(users), treated=treated)


def unnamed(made: RankedList) -> RankedList:
    return replace(made, experiment={})


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_user_has_the_list_that_the_settings_of_their_variant_give(
    shelf: Shelf, users: list[UserState], factors: Bundle, changes: dict[str, Any]
) -> None:
    experiment = tried(changes, share=0.7)
    usual = Ranker(shelf, RANK, factors).rank(users, times(users))
    other = Ranker(shelf, experiment.variants["other"].applied(RANK), factors).rank(users, times(users))
    found = ranked(shelf, users, [experiment], factors)
    drawn = [experiment.variant_of(user.uid, user.last, []) for user in users]
    assert set(drawn) == {None, "as_is", "other"}
    for k, variant in enumerate(drawn):
        assert unnamed(found[k]) == (other if variant == "other" else usual)[k]
        assert found[k].experiment == ({} if variant is None else {"tried": variant})
    assert any(unnamed(made) != before for made, before in zip(found, usual, strict=True))


@pytest.mark.parametrize("source", SPEAKING)
def test_a_source_that_is_off_brings_no_candidate_and_its_column_is_zero(
    shelf: Shelf, users: list[UserState], bundle: Bundle, source: str
) -> None:
    told: list[MadeLists] = []
    experiment = tried({"off": [source]})
    treated = Treatments([experiment], RANK, shelf).of(users, times(users))
    Ranker(shelf, RANK, bundle).rank(users, times(users), record=told.append, treated=treated)
    candidates = told[0].scored.candidates
    without = np.array([experiment.variant_of(user.uid, 0, []) == "other" for user in users])[candidates.user]
    said = candidates.scores[:, SOURCES.index(source)]
    assert not said[without].any()
    assert said[~without].any()


def test_what_a_trained_ranker_scores_is_as_the_settings_of_the_variant_say(
    shelf: Shelf, users: list[UserState], bundle: Bundle
) -> None:
    experiment = tried({"off": ["covisit", "trending"]})
    other = Ranker(shelf, experiment.variants["other"].applied(RANK), bundle).rank(users, times(users))
    usual = Ranker(shelf, RANK, bundle).rank(users, times(users))
    for k, made in enumerate(ranked(shelf, users, [experiment], bundle)):
        assert unnamed(made) == (other if made.experiment["tried"] == "other" else usual)[k]
        assert made.model == "shop/1"


def test_with_a_blend_of_its_own_a_variant_is_ordered_by_it_and_says_so(
    shelf: Shelf, users: list[UserState], bundle: Bundle, factors: Bundle
) -> None:
    experiment = tried({"blend": {"covisit": 2.0}})
    other = Ranker(shelf, experiment.variants["other"].applied(RANK), factors).rank(users, times(users))
    usual = Ranker(shelf, RANK, bundle).rank(users, times(users))
    models = set()
    for k, made in enumerate(ranked(shelf, users, [experiment], bundle)):
        if made.experiment["tried"] == "other":
            assert replace(unnamed(made), model=factors.name) == other[k]
        else:
            assert unnamed(made) == usual[k]
        models.add((made.experiment["tried"], made.model))
    assert models == {("as_is", "shop/1"), ("other", NO_BUNDLE)}


def test_a_user_of_several_experiments_has_the_changes_of_all(shelf: Shelf, users: list[UserState]) -> None:
    quiet = tried({"off": ["trending"]})
    louder = experiment_of(
        "louder", {"variants": {"a": {}, "b": {"blend": {"similar": 5.0}}}, "segment": "vip"}
    )
    for k, made in enumerate(ranked(shelf, users, [quiet, louder])):
        rank = RANK
        for experiment in (quiet, louder):
            if (name := made.experiment.get(experiment.name)) is not None:
                rank = experiment.variants[name].applied(rank)
        assert ("louder" in made.experiment) == ("vip" in users[k].segments)
        assert unnamed(made) == Ranker(shelf, rank).rank([users[k]], [users[k].last])[0]


def test_a_list_does_not_depend_on_who_else_is_in_the_batch(
    shelf: Shelf, users: list[UserState], bundle: Bundle
) -> None:
    experiment = tried(CHANGES["all"])
    together = ranked(shelf, users, [experiment], bundle)
    assert [ranked(shelf, [user], [experiment], bundle)[0] for user in users] == together


SLOTS = {
    "cart": SlotSettings(),
    "product": SlotSettings(),
    "email": SlotSettings(),
    "plain": SlotSettings(sources=("covisit", "similar", "trending")),
    "own": SlotSettings(blend={"similar": 1.0, "trending": 0.5}, length=5),
}


def slotted(
    shelf: Shelf, users: Sequence[UserState], rank: RankSettings, bundle: Bundle | None, *tried: Experiment
) -> dict[str, list[SlotList]]:
    rules = SlotRules(slots_of(SLOTS, rank), (), shelf)
    ranker = SlotRanker(Ranker(shelf, rank, bundle), rules, Treatments(tried, rank, shelf))
    return ranker.rank(users, times(users))


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", ["several", "all"])
def test_every_slot_has_what_the_settings_of_the_variant_give(
    shelf: Shelf, users: list[UserState], bundle: Bundle, name: str, trained: bool
) -> None:
    experiment = tried(CHANGES[name], share=0.7)
    by = bundle if trained and name == "several" else None
    found = slotted(shelf, users, RANK, by, experiment)
    usual = slotted(shelf, users, RANK, by)
    other = slotted(shelf, users, experiment.variants["other"].applied(RANK), by)
    for slot, lists in found.items():
        for k, made in enumerate(lists):
            variant = experiment.variant_of(users[k].uid, users[k].last, [])
            expected = (other if variant == "other" else usual)[slot][k]
            assert (unnamed(made.ranked), made.item) == (expected.ranked, expected.item), slot
            assert made.ranked.experiment == ({} if variant is None else {"tried": variant})


def test_a_slot_of_few_sources_is_ordered_by_the_blend_of_the_variant_beside_a_trained_ranker(
    shelf: Shelf, users: list[UserState], bundle: Bundle
) -> None:
    experiment = tried({"blend": {"similar": 4.0}})
    found = slotted(shelf, users, RANK, bundle, experiment)["plain"]
    other = slotted(shelf, users, experiment.variants["other"].applied(RANK), None)["plain"]
    usual = slotted(shelf, users, RANK, bundle)["plain"]
    compared = 0
    for k, made in enumerate(found):
        if made.ranked.experiment["tried"] == "as_is":
            assert unnamed(made.ranked) == usual[k].ranked
        elif not {each.item_id for each in users[k].recent} & set(
            IDS[:6]
        ):  # the bundle names nothing for them
            compared += 1
            assert replace(unnamed(made.ranked), model=NO_BUNDLE) == other[k].ranked
    assert compared


def test_where_nobody_of_a_batch_is_in_an_experiment_nothing_is_done(
    shelf: Shelf, users: list[UserState]
) -> None:
    assert Treatments([], RANK, shelf).of(users, times(users)) is None
    past = tried({"off": ["trending"]}, until=NOW - DAY)
    assert Treatments([past], RANK, shelf).of(users, times(users)) is None


def logged(made: RankedList, user: UserState, inputs: ListInputs) -> Recommendation:
    places = zip(made.items, made.scores, made.whys, made.sources, strict=True)
    return Recommendation(
        rec_id="r", uid=user.uid, seq=seq(user.born, user.n), at=user.last, written_at=NOW, model=made.model,
        experiment=dict(made.experiment), inputs=encode_inputs(inputs),
        items=tuple(ScoredItem(item_id=i, score=s, why=w, sources=f) for i, s, w, f in places),
    )  # fmt: skip


@pytest.mark.parametrize("trained", [False, True])
def test_a_logged_list_of_a_variant_is_made_again_bit_for_bit(
    shelf: Shelf, users: list[UserState], bundle: Bundle, trained: bool
) -> None:
    experiments = [tried({"off": ["trending", "similar"]})]
    for name, changes in (("x", CHANGES["explore"]), ("y", CHANGES["blend"])):
        experiments.append(experiment_of(name, {"variants": {"a": {}, "b": changes}}))
    taken: list[ListInputs] = []

    def take(made: MadeLists) -> None:
        taken.extend(inputs_of(made, k) for k in range(len(users)))

    treated = Treatments(experiments, RANK, shelf).of(users, times(users))
    ranker = Ranker(shelf, RANK, bundle if trained else None)
    lists = ranker.rank(users, times(users), record=take, treated=treated)
    by_blend = 0
    for user, made, inputs in zip(users, lists, taken, strict=True):
        told = logged(made, user, inputs)
        assert differences(told, {bundle.sha256: bundle}.get) == []
        assert told.inputs is not None
        held = decode_inputs(told.inputs)
        limits = held.making.settings["candidates"]
        assert (limits["trending"] == 0) == (made.experiment["tried"] == "other")
        assert (held.making.settings["explore"]["share"] == 0.0) == (made.experiment["x"] == "b")
        assert bool(held.features) == (trained and made.experiment["y"] == "a")
        by_blend += not held.features
    assert by_blend > 0
