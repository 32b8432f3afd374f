"""A logged list is made again from its inputs alone, bit for bit; what was altered is named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.bundle import Bundle, load_bundle
from operators.context_rule import ContextRule, Moment
from operators.exploration import ExploreSettings
from operators.item_hash import add_item_hash
from operators.item_selector import ItemSelector
from operators.list_inputs import inputs_of, kept_of
from operators.list_replay import Difference, differences
from operators.rank_settings import RankSettings
from operators.ranked_list import RankedList
from operators.ranker import MadeLists, Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import Arrivals, CoVisits, Items, Popularity, SessionSteps
from operators.slot_ranker import SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from schemas.list_inputs import SECTIONS, ListInputs, decode_inputs, encode_inputs
from schemas.records import Item, Recommendation, ScoredItem
from schemas.redis_keys import HOME, seq
from schemas.state import RecentItem, Session, UserState
from tests.small_bundles import write_network

NOW = 1_700_000_000_000
BOUNDS = ShelfBounds(items=2_000, sessions=100)
IDS = [f"item-{k}" for k in range(40)]


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    """A shelf of at most 40 items in groups, some not to be shown, some new, of which some go together."""
    ids = IDS[: draw(st.integers(0, len(IDS)))]
    shelf = Shelf(BOUNDS)
    flags = draw(st.lists(st.integers(0, 9), min_size=len(ids), max_size=len(ids)))
    shelf.apply(
        Items([
            Item(item_id=item, in_stock=flag != 0, group_id="pair" if flag in (1, 2) else None,
                 category="Toys" if flag % 2 else "Home/Mugs", price=1.0 + flag)
            for item, flag in zip(ids, flags, strict=True)
        ])
    )  # fmt: skip
    if ids:
        some = st.lists(st.sampled_from(ids), max_size=60)
        left, right = draw(some), draw(some)
        pairs = list(zip(left, right, strict=False))
        shelf.apply(
            CoVisits([a for a, _ in pairs], [b for _, b in pairs], [0.1 * k for k in range(len(pairs))])
        )
        for scope in ("all", "country:GB", "category:Toys"):
            popular = draw(some)[:10]
            shelf.apply(
                Popularity([scope] * len(popular), popular, [1.0 / 3.0 * k for k in range(len(popular))])
            )
        walked = draw(some)
        times = [NOW - 5 + k for k in range(len(walked))]
        shelf.apply(SessionSteps([k // 3 for k in range(len(walked))], walked, times))
        new = draw(some)
        shelf.apply(Arrivals(new, [NOW - 1_000 * k for k in range(len(new))]))
    return shelf


@st.composite
def users(draw: st.DrawFn) -> UserState:
    """A user who touched and bought some of the items, and one that the shelf does not know."""
    touched = draw(st.lists(st.sampled_from([*IDS, "unheard-of"]), max_size=25))
    user = UserState(
        draw(st.sampled_from("uvw")), born=NOW - 100, n=draw(st.integers(1, 50)), last=NOW,
        session=Session(1, NOW - 10, NOW, 2), country=draw(st.sampled_from(["GB", "FR", None])),
        categories={"Toys": 2.0}, lake_id=b"never logged",
    )  # fmt: skip
    user.recent = [
        RecentItem.of(item, NOW - 50 + k, "purchase" if k % 3 == 0 else "view", "Toys")
        for k, item in enumerate(dict.fromkeys(touched))
    ]
    for item in touched[::2]:
        user.touched = add_item_hash(user.touched, item, 512)
    for item in touched[::3]:
        user.bought = add_item_hash(user.bought, item, 512)
    return user


def logged_lists(
    shelf: Shelf, states: list[UserState], bundle: Bundle | None = None, chosen: RankSettings = RankSettings()
) -> list[Recommendation]:
    """What the log holds of these users' lists, made in one batch."""
    inputs: list[ListInputs] = []

    def take(made: MadeLists) -> None:
        inputs.extend(inputs_of(made, k) for k in range(len(states)))

    lists = Ranker(shelf, chosen, bundle).rank(states, [user.last for user in states], record=take)
    return [_logged(user, made, each) for user, made, each in zip(states, lists, inputs, strict=True)]


def _logged(user: UserState, made: RankedList, inputs: ListInputs) -> Recommendation:
    places = zip(made.items, made.scores, made.whys, made.sources, strict=True)
    return Recommendation(
        rec_id="list-1", uid=user.uid, seq=seq(user.born, user.n), at=user.last, written_at=NOW, model=made.model,
        inputs=encode_inputs(inputs),
        items=tuple(ScoredItem(item_id=i, score=s, why=w, sources=f) for i, s, w, f in places),
    )  # fmt: skip


def nowhere(sha256: str) -> Bundle | None:
    return None


RULES = (
    ContextRule("calm", "bury", ItemSelector(categories=("Toys",)), factor=0.4),
    ContextRule("dear", "boost", ItemSelector(price_from=5.0), Moment(countries=("GB",)), factor=1.3),
    ContextRule("no_mugs", "hide", ItemSelector(categories=("Home",), price_to=3.0)),
    ContextRule("french", "keep", ItemSelector(categories=("Toys",)), Moment(countries=("FR",))),
)


def ruled_lists(
    shelf: Shelf,
    states: list[UserState],
    rules: Sequence[ContextRule],
    bundle: Bundle | None = None,
    chosen: RankSettings = RankSettings(),
    slots: Mapping[str, SlotSettings] = MappingProxyType({}),
) -> list[Recommendation]:
    """What the log holds of these users' lists, made in one batch beside those of other slots, under rules."""
    inputs: list[ListInputs] = []

    def take(made: MadeLists) -> None:
        inputs.extend(inputs_of(made, k) for k in range(len(states)))

    ranker = SlotRanker(Ranker(shelf, chosen, bundle), SlotRules(slots_of(slots, chosen), rules, shelf))
    lists = ranker.rank(states, [user.last for user in states], record=take)[HOME]
    return [_logged(user, each.ranked, told) for user, each, told in zip(states, lists, inputs, strict=True)]


@given(
    shelves(), st.lists(users(), min_size=1, max_size=4), st.integers(0, 25),
    st.lists(st.sampled_from(RULES), unique_by=lambda rule: rule.name), st.booleans(),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_a_list_that_rules_moved_is_made_again_bit_for_bit_beside_other_slots_too(
    shelf: Shelf, states: list[UserState], length: int, rules: list[ContextRule], beside: bool
) -> None:
    explore = ExploreSettings(share=0.25, first_places=2, few_sessions=1)
    slots = {"cart": SlotSettings(), "product": SlotSettings(), "email": SlotSettings()} if beside else {}
    chosen = RankSettings(length=length, explore=explore)
    for logged in ruled_lists(shelf, states, rules, chosen=chosen, slots=slots):
        assert differences(logged, nowhere) == []


def test_rules_are_among_the_inputs_of_those_lists_alone_in_which_they_had_a_hand() -> None:
    french = busy_user("fred")
    french.country = "FR"
    rules = (replace(RULES[1], factor=4.0), replace(RULES[3], items=ItemSelector(tags=("none",))))
    told = [
        decode_inputs(each.inputs or b"") for each in ruled_lists(busy_shelf(), [busy_user(), french], rules)
    ]
    held = [[rule.name for rule in each.rules.rules] if each.rules else None for each in told]
    assert held == [["dear"], ["french"]]
    [bare] = ruled_lists(busy_shelf(), [busy_user()], rules[1:])
    assert decode_inputs(bare.inputs or b"").rules is None


def test_a_list_of_a_trained_ranker_that_rules_moved_is_made_again_bit_for_bit(bundle: Bundle) -> None:
    states = [busy_user(f"user-{k}") for k in range(3)]
    for logged in ruled_lists(busy_shelf(), states, RULES[:2], bundle):
        assert any(";rule:" in item.why for item in logged.items)
        assert differences(logged, {bundle.sha256: bundle}.get) == []


def test_an_altered_rule_is_named_with_the_scores_that_it_moves() -> None:
    [logged] = ruled_lists(busy_shelf(), [busy_user()], RULES[1:2])
    assert logged.inputs is not None
    held = decode_inputs(logged.inputs).rules
    assert held is not None
    other = [msgspec.structs.replace(held.rules[0], weight=1.4)]
    content = msgspec.msgpack.encode([other, held.fits.tobytes()])
    altered = msgspec.structs.replace(logged, inputs=with_section(logged.inputs, "rules", content))
    found = named(differences(altered, nowhere))
    assert ("checksum", "the inputs' rules") in found
    assert {what for what, _ in found} == {"checksum", "score"}


@given(shelves(), st.lists(users(), min_size=1, max_size=4), st.integers(0, 25), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_list_is_made_again_bit_for_bit(
    shelf: Shelf, states: list[UserState], length: int, may_repeat: bool
) -> None:
    explore = ExploreSettings(share=0.25, first_places=2, few_sessions=1)
    chosen = RankSettings(length=length, exclude_touched=not may_repeat, explore=explore)
    for logged in logged_lists(shelf, states, chosen=chosen):
        assert differences(logged, nowhere) == []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_network(tmp_path_factory.mktemp("models") / "shop" / "1", seed=3))


def busy_shelf() -> Shelf:
    shelf = Shelf(BOUNDS)
    shelf.apply(Items([Item(item_id=item, price=2.0 + k, category="Toys") for k, item in enumerate(IDS)]))
    shelf.apply(Popularity(["all"] * 30, IDS[:30], [0.1 * k for k in range(30)]))
    shelf.apply(CoVisits(["item-1"] * 20, IDS[10:30], [0.3 * k for k in range(20)]))
    return shelf


def busy_user(uid: str = "ann") -> UserState:
    user = UserState(uid, born=NOW - 100, n=7, last=NOW, country="GB", lake_id=b"never logged")
    user.recent = [RecentItem.of("item-1", NOW - 3, "view", "Toys")]
    return user


def test_a_list_of_a_trained_ranker_is_made_again_bit_for_bit_whoever_else_was_in_its_batch(
    bundle: Bundle,
) -> None:
    states = [busy_user(f"user-{k}") for k in range(9)]
    for logged in logged_lists(busy_shelf(), states, bundle):
        assert logged.model == "shop/1"
        assert differences(logged, {bundle.sha256: bundle}.get) == []


def named(found: list[Difference]) -> set[tuple[str, str]]:
    return {(each.what, each.where) for each in found}


def test_without_its_bundle_a_list_is_not_called_equal(bundle: Bundle) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()], bundle)
    [found] = differences(logged, nowhere)
    assert (found.what, found.where, found.logged) == ("bundle", "shop/1", bundle.sha256)


def test_an_altered_score_is_named(bundle: Bundle) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()], bundle)
    third = logged.items[2]
    altered = msgspec.structs.replace(third, score=np.nextafter(third.score, 9e9).item())
    items = (*logged.items[:2], altered, *logged.items[3:])
    [found] = differences(msgspec.structs.replace(logged, items=items), {bundle.sha256: bundle}.get)
    assert (found.what, found.where) == ("score", f"{third.item_id} at place 3")
    assert (found.logged, found.computed) == (repr(altered.score), repr(third.score))


def with_section(stored: bytes, name: str, content: bytes) -> bytes:
    """The inputs with another content in one section, under the checksum of the former one."""
    out, at = bytearray(stored[:1]), 1
    while at < len(stored):
        number, length, crc = struct.unpack_from("<BII", stored, at)
        part = stored[at + 9 : at + 9 + length]
        part = zlib.compress(content, 1) if SECTIONS[number] == name else part
        out += struct.pack("<BII", number, len(part), crc) + part
        at += 9 + length
    return bytes(out)


def test_an_altered_input_is_named_with_the_candidates_whose_score_it_moves(bundle: Bundle) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()], bundle)
    assert logged.inputs is not None
    held = decode_inputs(logged.inputs)
    rows = held.rows.copy()
    rows[4, held.features.index("popularity")] += 1.0
    content = msgspec.msgpack.encode([held.features, np.ascontiguousarray(rows.T).tobytes()])
    altered = msgspec.structs.replace(logged, inputs=with_section(logged.inputs, "features", content))
    found = named(differences(altered, {bundle.sha256: bundle}.get))
    assert ("checksum", "the inputs' features") in found
    assert {where for what, where in found if what == "score before rounding"} == {held.items[4]}


@pytest.mark.parametrize("field", ["uid", "seq", "model", "at"])
def test_inputs_of_another_list_are_named(field: str) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()])
    other: Any = logged.at + 1 if field == "at" else "0" * 24
    found = differences(msgspec.structs.replace(logged, **{field: other}), nowhere)
    assert (field, "the inputs") in named(found)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_altered_byte_of_the_inputs_goes_unnoticed_and_none_ends_the_replay(data: st.DataObject) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()])
    assert logged.inputs is not None
    stored = bytearray(logged.inputs)
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= data.draw(st.integers(1, 255))
    assert differences(msgspec.structs.replace(logged, inputs=bytes(stored)), nowhere)


@given(st.integers(0, 4_000))
@settings(max_examples=40, deadline=None)
def test_inputs_that_were_cut_off_are_named(length: int) -> None:
    [logged] = logged_lists(busy_shelf(), [busy_user()])
    assert logged.inputs is not None
    cut = logged.inputs[: min(length, len(logged.inputs) - 1)]
    assert differences(msgspec.structs.replace(logged, inputs=cut), nowhere)


def test_neither_the_pseudonym_of_the_lake_nor_what_was_learned_of_a_user_is_logged() -> None:
    user = busy_user()
    user.affinity.weights = b"weights"
    kept = kept_of(user)
    assert (kept.lake_id, kept.affinity.weights, kept.categories, kept.attributes) == (b"", b"", {}, {})
    [logged] = logged_lists(busy_shelf(), [busy_user()])
    assert logged.inputs is not None
    assert b"never logged" not in decode_inputs(logged.inputs).user
