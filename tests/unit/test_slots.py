"""The lists of slots: what they are made from, what they may hold, and that the home list stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.context_rule import ContextRule, Moment
from operators.context_rules import ready_rules
from operators.item_hash import add_item_hash
from operators.item_selector import ItemSelector
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items, Popularity
from operators.slot_ranker import SlotList, SlotRanker
from operators.slot_rules import SlotRules
from operators.slot_settings import SlotSettings, slots_of
from schemas.records import Item
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000
HOUR = 3_600_000
BOUNDS = ShelfBounds(items=2_000, sessions=1_000)
CATALOGUE = [
    Item(
        item_id=f"i{k:02d}",
        title=f"Thing {k}" if k % 4 else "",
        category=("Toys/Dolls", "Toys", "Garden/Lights", "?")[k % 4],
        price=None if k % 5 == 0 else float(k),
        tags=("new",) if k % 6 == 0 else (),
        image_url="https://shop/i.jpg" if k % 3 == 0 else None,
        attributes={"colour": "red"} if k % 7 == 0 else {},
    )
    for k in range(60)
]
ENTRY = {item.item_id: item for item in CATALOGUE}
BARE = [f"bare{k}" for k in range(10)]
"""Items of which events alone tell."""


def shelf_of(items: Sequence[Item], ids: Sequence[str]) -> Shelf:
    shelf = Shelf(BOUNDS)
    shelf.apply(Items(list(items)))
    if ids:
        pairs = [(a, ids[(j + step) % len(ids)]) for j, a in enumerate(ids) for step in (1, 2, 5, 11)]
        pairs = [(a, b) for a, b in pairs if a != b]
        scores = [1.0 + k % 7 for k in range(len(pairs))]
        shelf.apply(CoVisits([a for a, _ in pairs], [b for _, b in pairs], scores))
        shelf.apply(Popularity(["all"] * len(ids), list(ids), [5.0 - 0.05 * k for k in range(len(ids))]))
    return shelf


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return shelf_of(CATALOGUE, [*ENTRY, *BARE])


def user(
    recent: Sequence[str] = (), basket: Sequence[str] = (), device: str | None = None, **more: Any
) -> UserState:
    made = UserState(
        "u", born=1, n=len(recent), last=NOW, session=Session(1, NOW - HOUR, NOW, 2), device=device
    )
    made.recent = [RecentItem.of(item, NOW - 100 + k, "view", "Toys") for k, item in enumerate(recent)]
    made.basket = dict.fromkeys(basket, NOW)
    for item in recent:
        made.touched = add_item_hash(made.touched, item, 64)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def lists(
    shelf: Shelf,
    states: Sequence[UserState],
    slots: Mapping[str, SlotSettings],
    rules: Sequence[ContextRule] = (),
    rank: RankSettings = RankSettings(),
    now: int = NOW,
) -> dict[str, list[SlotList]]:
    ranker = Ranker(shelf, rank)
    made = SlotRanker(ranker, SlotRules(slots_of(slots, rank), rules, shelf))
    return made.rank(states, [now] * len(states))


ids = st.sampled_from([*ENTRY, *BARE, "unheard-of"])
users = st.builds(
    user,
    st.lists(ids, max_size=12, unique=True),
    st.lists(ids, max_size=4, unique=True),
    st.sampled_from(["mobile", "desktop", None]),
)
selectors = st.builds(
    ItemSelector,
    categories=st.sampled_from([(), ("Toys",), ("Garden", "Toys/Dolls")]),
    not_categories=st.sampled_from([(), ("Toys/Dolls",)]),
    not_tags=st.sampled_from([(), ("new",)]),
    price_to=st.sampled_from([None, 0.0, 30.0]),
    has_image=st.sampled_from([None, True, False]),
)


@given(
    states=st.lists(users, min_size=1, max_size=4),
    filters=selectors,
    about=st.sampled_from(["session", "history", "basket", "item"]),
)
@settings(max_examples=60)
def test_a_slot_obeys_its_filters_and_its_length_and_leaves_out_what_was_touched(
    shelf: Shelf, states: list[UserState], filters: ItemSelector, about: Any
) -> None:
    slots = {"x": SlotSettings(about=about, length=7, filters=filters)}
    for state, made in zip(states, lists(shelf, states, slots)["x"], strict=True):
        items = made.ranked.items
        assert len(items) == len(set(items)) == len(made.ranked.scores) == len(made.ranked.whys) <= 7
        assert all(filters.takes(ENTRY.get(item, Item(item_id=item))) for item in items)
        assert not set(items) & {entry.item_id for entry in state.recent}
        if about == "basket":
            assert not set(items) & set(state.basket)


@given(states=st.lists(users, min_size=1, max_size=4))
@settings(max_examples=40)
def test_further_slots_and_rules_that_do_not_hold_leave_the_home_list_as_it_is(
    shelf: Shelf, states: list[UserState]
) -> None:
    alone = Ranker(shelf).rank(states, [NOW] * len(states))
    slots = {"cart": SlotSettings(), "product": SlotSettings(), "email": SlotSettings()}
    made = lists(shelf, states, slots, ready_rules())
    for state, before, after in zip(states, alone, made["home"], strict=True):
        assert state.device == "mobile" or after.ranked == before
    assert [each.ranked for each in lists(shelf, states, slots)["home"]] == alone


@given(states=st.lists(users, min_size=2, max_size=5))
@settings(max_examples=30)
def test_lists_do_not_depend_on_who_else_is_in_the_batch(shelf: Shelf, states: list[UserState]) -> None:
    slots = {"cart": SlotSettings(), "product": SlotSettings(), "email": SlotSettings()}
    rules = (
        *ready_rules(),
        ContextRule("hide", "hide", ItemSelector(tags=("new",)), Moment(devices=("desktop",))),
    )
    together = lists(shelf, states, slots, rules)
    for k, state in enumerate(states):
        for name, [alone] in lists(shelf, [state], slots, rules).items():
            assert (alone.ranked, alone.item) == (together[name][k].ranked, together[name][k].item)


def test_the_cart_goes_with_what_is_in_it_and_is_empty_without(shelf: Shelf) -> None:
    made = lists(shelf, [user(["i05"], ["i01", "i20"]), user(["i05"]), user()], {"cart": SlotSettings()})[
        "cart"
    ]
    assert made[0].item == "i20"
    assert {"i21", "i22", "i25", "i31", "i02", "i03"} & set(made[0].ranked.items)
    assert {why.partition(":")[2] for why in made[0].ranked.whys} <= {"i01", "i20"}
    assert [(each.ranked.items, each.item) for each in made[1:]] == [([], None)] * 2


def test_a_product_list_goes_with_the_item_looked_at_last_and_leans_to_the_users_taste(shelf: Shelf) -> None:
    [made] = lists(shelf, [user(["i40", "i11"])], {"product": SlotSettings()})["product"]
    assert made.item == "i11"
    assert made.ranked.items
    assert {why.partition(":")[2] for why in made.ranked.whys} == {"i11"}
    [old] = lists(
        shelf, [user(["i11"], session=Session(2, NOW + HOUR, NOW + HOUR, 1))], {"product": SlotSettings()}
    )["product"]
    assert (old.ranked.items, old.item) == ([], None)


def test_a_mail_holds_few_items_of_a_category_while_there_are_others(shelf: Shelf) -> None:
    wide = {"email": SlotSettings(length=6), "all": SlotSettings(about="history", length=6)}
    made = lists(shelf, [user(["i04", "i08", "i12"])], wide)
    categories = [ENTRY[item].category for item in made["email"][0].ranked.items if item in ENTRY]
    known = [category for category in categories if category != "?"]
    assert len(made["email"][0].ranked.items) == 6
    assert max(map(known.count, known)) <= 2
    only = {"email": SlotSettings(length=6, filters=ItemSelector(categories=("Toys/Dolls",)))}
    assert len(lists(shelf, [user(["i04"])], only)["email"][0].ranked.items) == 6


def test_sources_that_are_switched_off_name_nothing(shelf: Shelf) -> None:
    slots = {"x": SlotSettings(sources=("covisit",), length=50), "y": SlotSettings(blend={"trending": 1.0})}
    made = lists(shelf, [user(["i05"])], slots)
    named = [sources for sources in made["x"][0].ranked.sources if sources]
    assert named
    assert all("covisit" in sources for sources in named)
    assert made["y"][0].ranked.items[0] == "i00"


@pytest.mark.parametrize(
    ("items", "ids"),
    [([], []), ([Item(item_id="one")], ["one"]), ([], BARE), (CATALOGUE[:3], [])],
    ids=["empty catalogue", "one item", "no metadata", "nothing counted"],
)
def test_small_and_bare_catalogues_give_what_there_is(items: list[Item], ids: list[str]) -> None:
    small = shelf_of(items, ids)
    slots = {name: SlotSettings() for name in ("cart", "product", "email")}
    slots["cheap"] = SlotSettings(filters=ItemSelector(price_to=5.0))
    slots["rest"] = SlotSettings(filters=ItemSelector(not_categories=("Toys",)))
    first = ids[0] if ids else "i00"
    made = lists(small, [user(), user([first], [first], "mobile")], slots, ready_rules())
    known = {item.item_id for item in items} | set(ids)
    for name, both in made.items():
        assert len(both) == 2
        assert all(set(each.ranked.items) <= known for each in both), name
    assert set(made["home"][0].ranked.items) == known
    assert set(made["rest"][0].ranked.items) == {
        i for i in known if not ENTRY.get(i, Item(item_id=i)).category.startswith("Toys")
    }
    assert not set(made["cheap"][0].ranked.items) & set(BARE)


def test_an_item_that_changes_enters_and_leaves_a_slot() -> None:
    changing = shelf_of(CATALOGUE, list(ENTRY))
    slots = slots_of(
        {"red": SlotSettings(filters=ItemSelector(attributes={"colour": ("red",)}))}, RankSettings()
    )
    ranker = SlotRanker(Ranker(changing), SlotRules(slots, (), changing))

    def red() -> set[str]:
        return set(ranker.rank([user()], [NOW])["red"][0].ranked.items)

    assert red() == {f"i{k:02d}" for k in range(0, 60, 7)}
    changing.apply(Items([Item(item_id="i00"), Item(item_id="fresh", attributes={"colour": "red"})]))
    assert red() == {f"i{k:02d}" for k in range(7, 60, 7)} | {"fresh"}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"bad name": SlotSettings()}, "slot 'bad name'"),
        ({f"s{k}": SlotSettings() for k in range(17)}, "17 slots; 16 are possible"),
    ],
)
def test_slots_that_cannot_be_are_refused(told: dict[str, SlotSettings], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        slots_of(told, RankSettings())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"length": 0}, "length 0 is not within 1 and 100"),
        ({"sources": ("moon",)}, "unknown source 'moon'"),
        ({"sources": ()}, "name one at least"),
        ({"most_per_category": -1}, "0 or more"),
    ],
)
def test_a_slot_that_cannot_be_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SlotSettings(**fields)
