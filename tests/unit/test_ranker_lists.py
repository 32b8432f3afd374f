"""What a list holds and what it never holds."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.item_hash import add_item_hash
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shelf import Shelf, ShelfBounds
from operators.shelf_records import CoVisits, Items, Popularity, SessionSteps
from schemas.records import Item, Market
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000
BOUNDS = ShelfBounds(items=2_000, sessions=1_000)
CATALOGUE = [
    Item(item_id="gone", deleted=True),
    Item(item_id="sold-out", in_stock=False),
    Item(item_id="expired", expires_at=NOW),
    Item(item_id="not-yet", published_at=NOW + 1),
    Item(item_id="only-france", markets={"FR": Market()}),
    Item(item_id="sold-out-in-britain", markets={"GB": Market(in_stock=False), "FR": Market()}),
    *(Item(item_id=f"shirt-{size}", group_id="shirt") for size in "sml"),
    *(Item(item_id=f"i{k:02d}", category="Garden/Lights" if k % 2 else "Toys") for k in range(60)),
]
IDS = [item.item_id for item in CATALOGUE]


def shelf_of(*records: object) -> Shelf:
    shelf = Shelf(BOUNDS)
    shelf.apply(Items(CATALOGUE))
    for record in records:
        shelf.apply(record)  # type: ignore[arg-type]
    return shelf


@pytest.fixture(scope="module")
def busy() -> Shelf:
    """A shelf on which everything goes with everything, and what may not be shown is the most popular."""
    pairs = [
        (a, b) for j, a in enumerate(IDS) for b in (IDS[j - 1], IDS[j - 3], IDS[j - 7], *IDS[:9]) if a != b
    ]
    return shelf_of(
        CoVisits([a for a, _ in pairs], [b for _, b in pairs], [float(len(b)) for _, b in pairs]),
        Popularity(["all"] * len(IDS), IDS, [9.0 - 0.1 * k for k in range(len(IDS))]),
        Popularity(["country:GB"] * 30, IDS[:30], [9.0 - 0.1 * k for k in range(30)]),
        Popularity(["category:Toys"] * 10, IDS[9:29:2], [1.0] * 10),
        SessionSteps([k // 4 for k in range(200)], [IDS[k * 7 % len(IDS)] for k in range(200)], [NOW] * 200),
    )


def user(
    recent: Sequence[str], country: str | None = "GB", bought: Sequence[str] = (), uid: str = "u"
) -> UserState:
    made = UserState(
        uid, born=1, n=len(recent), last=NOW, session=Session(1, NOW - 200, NOW, 2), country=country
    )
    made.recent = [RecentItem(item, NOW - 100 + k, "view", "Toys") for k, item in enumerate(recent)]
    made.categories = {"Toys": 2.0, "Garden/Lights": 1.0}
    for item in bought:
        made.bought = add_item_hash(made.bought, item, 64)
    return made


users = st.builds(
    user,
    st.lists(st.sampled_from([*IDS, "unheard-of"]), max_size=25, unique=True),
    st.sampled_from(["GB", "FR", "XX", None]),
    st.lists(st.sampled_from(IDS), max_size=10),
    st.sampled_from(["u", "v"]),
)
NEVER = {"gone", "sold-out", "expired", "not-yet"}


@given(states=st.lists(users, min_size=1, max_size=6), excluded=st.lists(st.sampled_from(IDS), max_size=20))
@settings(max_examples=60, deadline=None)
def test_lists_keep_their_promises(busy: Shelf, states: list[UserState], excluded: list[str]) -> None:
    ranker = Ranker(busy)
    together = ranker.rank(states, [NOW] * len(states), [excluded] * len(states))
    for state, made in zip(states, together, strict=True):
        assert len(made.items) == 20
        assert len(set(made.items)) == 20
        assert not NEVER & set(made.items)
        assert not set(excluded) & set(made.items)
        assert len([item for item in made.items if item.startswith("shirt")]) <= 1
        assert made.scores == sorted(made.scores, reverse=True)
        assert len(made.whys) == len(made.sources) == 20
        if state.country == "GB":
            assert not {"only-france", "sold-out-in-britain"} & set(made.items)
        for item in IDS:
            if add_item_hash(state.bought, item, 64) != state.bought + add_item_hash(b"", item, 64):
                assert item not in made.items
        assert Ranker(busy).rank([state], [NOW], [excluded]) == [made]
    assert ranker.rank(states[::-1], [NOW] * len(states), [excluded] * len(states)) == together[::-1]


def test_what_was_touched_stays_out_unless_told_otherwise(busy: Shelf) -> None:
    state = user(["i00", "i02", "i04"])
    for item in ("i00", "i02", "i04"):
        state.touched = add_item_hash(state.touched, item, 64)
    [may] = Ranker(busy, RankSettings(exclude_touched=False)).rank([state], [NOW])
    [may_not] = Ranker(busy).rank([state], [NOW])
    assert {"i00", "i02", "i04"} & set(may.items)
    assert not {"i00", "i02", "i04"} & set(may_not.items)


def test_a_user_without_history_gets_what_trends_in_their_country_then_what_trends_anywhere() -> None:
    shelf = shelf_of(
        Popularity(["country:GB"] * 2, ["i41", "i40"], [2.0, 1.0]),
        Popularity(["all"] * 3, ["i50", "i51", "i40"], [9.0, 8.0, 2.0]),
    )
    [made] = Ranker(shelf).rank([UserState("new", born=NOW, country="GB")], [NOW])
    assert made.items[:4] == ["i41", "i40", "i50", "i51"]
    assert made.whys[:3] == ["trending:country:GB", "trending:country:GB", "trending:all"]


def test_where_nothing_trends_the_catalogue_fills_the_list_in_order_of_ids() -> None:
    [made] = Ranker(shelf_of()).rank([UserState("new", born=NOW, country="GB")], [NOW])
    assert made.items == [f"i{k:02d}" for k in range(20)]
    assert set(made.whys) == {"for_you"}


def test_a_list_is_empty_only_where_nothing_may_be_shown() -> None:
    shelf = Shelf(BOUNDS)
    [made] = Ranker(shelf).rank([UserState("new", born=NOW)], [NOW])
    assert made.items == []
    shelf.apply(Items([Item(item_id="one"), Item(item_id="two", in_stock=False)]))
    [made] = Ranker(shelf).rank([UserState("new", born=NOW)], [NOW])
    assert made.items == ["one"]


def test_equal_scores_go_by_item_id() -> None:
    shelf = shelf_of(Popularity(["all"] * 3, ["i30", "i10", "i20"], [5.0, 5.0, 5.0]))
    [made] = Ranker(shelf).rank([UserState("new", born=NOW)], [NOW])
    assert made.items[:3] == ["i10", "i20", "i30"]


def test_reasons_name_the_item_that_it_goes_with_and_how_the_user_met_it() -> None:
    shelf = shelf_of(CoVisits(["i01", "i02"], ["i11", "i12"], [1.0, 1.0]))
    state = user(["i02", "i01"])
    state.recent[0] = RecentItem("i02", NOW - 5, "purchase", "Toys")
    [made] = Ranker(shelf).rank([state], [NOW])
    whys = dict(zip(made.items, made.whys, strict=True))
    assert whys["i11"] == "because_viewed:i01"
    assert whys["i12"] == "because_bought:i02"
    assert made.sources[made.items.index("i11")] == {"covisit": 1.0}
    assert made.model == "blend"


def test_an_item_without_catalogue_entry_may_be_listed() -> None:
    shelf = shelf_of(Popularity(["all"], ["brand-new"], [3.0]))
    [made] = Ranker(shelf).rank([UserState("new", born=NOW)], [NOW])
    assert made.items[0] == "brand-new"


def test_as_many_times_as_users_are_needed(busy: Shelf) -> None:
    with pytest.raises(ValueError, match="2 user records and 1 times"):
        Ranker(busy).rank([user([]), user([])], [NOW])
    assert Ranker(busy).rank([], []) == []
