"""Why an item is where it is in a list, and why another is in no place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from operators.bundle import Bundle, load_bundle
from operators.context_rule import ContextRule
from operators.explanation import ItemReason, ListExplanation
from operators.exploration import ExploreSettings
from operators.item_hash import add_item_hash
from operators.item_selector import ItemSelector
from operators.rank_settings import RankSettings
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Arrivals, CoVisits, Items, Popularity
from schemas.list_inputs import decode_inputs
from schemas.records import Item, Recommendation
from schemas.state import RecentItem, UserState
from tests.small_bundles import write_network
from tests.unit.test_list_replay import NOW, logged_lists, ruled_lists

IDS = [f"item-{k:02d}" for k in range(40)]
WEIGHTS = dict(RankSettings().blend)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Forty items, the later the more popular; two of a group, one sold out, one new."""
    shelf = Shelf(ShelfBounds(items=2_000, sessions=10))
    group = {"item-38": "pair", "item-39": "pair"}
    shelf.apply(
        Items([Item(item_id=i, group_id=group.get(i), in_stock=i != "item-00", price=3.0) for i in IDS])
    )
    shelf.apply(Popularity(["all"] * 30, IDS[10:], [0.1 * k for k in range(30)]))
    shelf.apply(CoVisits(["item-01"] * 2, ["item-20", "item-21"], [2.0, 1.0]))
    return shelf


def ann() -> UserState:
    user = UserState("ann", born=NOW - 9, n=2, last=NOW)
    user.recent = [RecentItem.of("item-01", NOW - 3, "view", "?")]
    user.touched = add_item_hash(add_item_hash(b"", "item-01", 9), "item-37", 9)
    user.bought = add_item_hash(b"", "item-36", 9)
    return user


def explained(logged: Recommendation, bundle: Bundle | None = None) -> ListExplanation:
    assert logged.inputs is not None
    return ListExplanation(logged, decode_inputs(logged.inputs), bundle, WEIGHTS)


@pytest.fixture(scope="module")
def blended(shelf: Shelf) -> ListExplanation:
    [logged] = logged_lists(shelf, [ann()], chosen=RankSettings(explore=ExploreSettings(share=0.0)))
    return explained(logged)


def test_of_a_blend_the_contributions_of_sources_add_up_to_the_score(blended: ListExplanation) -> None:
    listed = blended.items()
    assert [each.place for each in listed] == list(range(1, 21))
    for each in listed:
        assert sum(share.contribution or 0.0 for share in each.sources) == pytest.approx(each.score, abs=2e-6)
    best = listed[0]
    assert (best.item_id, best.why) == ("item-20", "because_viewed:item-01")
    assert {share.source: share.weight for share in best.sources} == {
        "covisit": pytest.approx(RankSettings().blend["covisit"]),
        "trending": pytest.approx(0.05),
    }


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("item-37", "barred: the user touched it"),
        ("item-36", "barred: the user bought it"),
        ("item-38", "passed over for item-39"),
        ("item-12", "the list has 20 places"),
        ("item-05", "no source named it"),
        ("item-00", "it might not be shown"),
        ("unheard-of", "no source named it"),
    ],
)
def test_why_an_item_is_not_in_the_list(blended: ListExplanation, item: str, said: str) -> None:
    reason = blended.absent(item)
    assert reason.place == 0
    assert any(said in note for note in reason.notes), reason.notes


def test_an_item_below_the_last_place_is_told_its_rank_and_sources(blended: ListExplanation) -> None:
    reason = blended.absent("item-12")
    assert reason.rank is not None
    assert reason.rank > 20
    assert [share.source for share in reason.sources] == ["trending"]


def test_an_item_whose_place_went_to_a_new_one_is_told_so(shelf: Shelf) -> None:
    shelf.apply(Arrivals(["item-05"], [NOW - 1_000]))
    explore = ExploreSettings(share=0.25, first_places=2)
    [logged] = logged_lists(shelf, [ann()], chosen=RankSettings(explore=explore))
    [new] = [each for each in explained(logged).items() if each.why == "new"]
    assert new.item_id == "item-05"
    assert "for being new" in new.notes[0]
    [displaced] = {f"item-{k}" for k in range(18, 40)} - {"item-36", "item-37", "item-38"} - {
        each.item_id for each in logged.items
    }  # fmt: skip
    assert "its place went to a new item" in explained(logged).absent(displaced).notes[0]
    assert any("item-05" in rule for rule in explained(logged).rules())


def test_rules_are_told_with_what_they_did_to_each_item(shelf: Shelf) -> None:
    shelf.apply(Items([Item(item_id=i, price=9.0) for i in ("item-20", "item-25", "item-15", "item-14")]))
    shelf.apply(Items([Item(item_id="item-30", price=99.0), Item(item_id="item-31", price=99.0)]))
    rules = (
        ContextRule("dear", "bury", ItemSelector(price_from=9.0, price_to=10.0), factor=0.25),
        ContextRule("nobody_pays_that", "hide", ItemSelector(price_from=50.0)),
    )
    [logged] = ruled_lists(shelf, [ann()], rules, chosen=RankSettings(explore=ExploreSettings(share=0.0)))
    told = explained(logged)
    assert "Rule dear: the scores of 4 candidates times 0.25." in told.rules()
    assert "Rule nobody_pays_that (hide): 2 candidates taken out." in told.rules()
    moved = [each for each in told.items() if each.notes]
    for each in told.items():
        assert each.rank is not None
        assert each.rank >= each.place  # one of a group is passed over
        before = sum(share.contribution or 0.0 for share in each.sources)
        assert each.score == pytest.approx(before * (0.25 if each in moved else 1.0), abs=2e-6)
    first = next(each for each in moved if each.item_id == "item-20")
    assert first.why == "because_viewed:item-01;rule:dear"
    assert first.notes[0].startswith("its score was ")
    assert "before the rule dear × 0.25, and is" in first.notes[0]
    [why] = told.absent("item-30").notes
    assert why == "a candidate, and taken out by the rule nobody_pays_that"
    below = told.absent("item-14")
    assert below.rank is not None
    assert below.rank > 20
    assert "before the rule dear × 0.25" in below.notes[1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("models") / "shop" / "1"
    return load_bundle(write_network(folder, seed=3))


def test_of_a_model_a_contribution_is_what_the_score_loses_with_the_feature_at_neutral(
    shelf: Shelf, bundle: Bundle
) -> None:
    [logged] = logged_lists(shelf, [ann()], bundle)
    explanation = explained(logged, bundle)
    inputs = explanation.inputs
    assert inputs is not None
    for each in explanation.items()[:3]:
        if each.rank is None:
            continue
        row = inputs.items.index(each.item_id)
        strongest = each.features[0]
        moved = inputs.rows[[row, row]]
        moved[:, inputs.features.index(strongest.feature)] = strongest.neutral
        assert strongest.contribution == pytest.approx(inputs.scores[row] - bundle.score(moved)[0], abs=1e-5)
        assert [abs(f.contribution or 0.0) for f in each.features] == sorted(
            [abs(f.contribution or 0.0) for f in each.features], reverse=True
        )
        assert all(share.contribution is None for share in each.sources)
        hour = next(f for f in each.features if f.feature == "hour")
        assert hour.contribution == 0.0


def test_without_the_bundle_features_are_shown_and_contributions_are_not(
    shelf: Shelf, bundle: Bundle
) -> None:
    [logged] = logged_lists(shelf, [ann()], bundle)
    first = explained(logged).items()[0]
    assert {share.feature for share in first.features} == set(bundle.features)
    assert all(share.contribution is None for share in first.features)


def without_inputs(logged: Recommendation) -> ListExplanation:
    return ListExplanation(msgspec.structs.replace(logged, inputs=None), None, None, WEIGHTS)


def test_without_inputs_a_blend_is_told_from_the_logged_sources_if_todays_weights_give_the_scores(
    shelf: Shelf, bundle: Bundle
) -> None:
    [logged] = logged_lists(shelf, [ann()])
    blend = without_inputs(logged)
    assert blend.blend_fits
    assert sum(share.contribution or 0.0 for share in blend.items()[0].sources) == pytest.approx(
        logged.items[0].score, abs=2e-6
    )
    [ranked] = logged_lists(shelf, [ann()], bundle)
    model = without_inputs(ranked)
    assert not model.blend_fits
    found: ItemReason = model.items()[0]
    assert all(share.contribution is None for share in found.sources)
    assert "why is not known" in model.absent("item-05").notes[0]
    assert np.isfinite(found.score or 0.0)
