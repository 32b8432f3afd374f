"""What asks for a next visit: the whole memory of the record, within its bound, and nobody else's list changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.candidates import SOURCES, CandidateSettings
from operators.item_hash import add_item_hash, item_hash
from operators.item_index import ItemIndex
from operators.past_items import begins_anew, with_past
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.session_knn import MOST_QUERY
from operators.shelf import Shelf
from operators.shelf_records import SessionSteps
from operators.user_batch import RECENT, UserBatch
from operators.user_step import StepSettings
from schemas.state import RecentItem, Session, UserState

NOW = 1_700_000_000_000
GAP = StepSettings().session_gap
LATER = NOW + GAP + 1


def stored(*item_ids: str) -> bytes:
    """Hashes of items, the last one the newest."""
    hashes = b""
    for item_id in item_ids:
        hashes = add_item_hash(hashes, item_id, 512)
    return hashes


def shopper(recent: list[str], bought: bytes = b"", touched: bytes = b"") -> UserState:
    user = UserState("ann", born=1, n=1, last=NOW, bought=bought, touched=touched)
    user.session = Session(number=1, start=NOW, last=NOW, depth=1)
    user.recent = [RecentItem.of(item_id, NOW, "purchase", "Home") for item_id in recent]
    return user


def shelf_of(*sessions: list[str]) -> Shelf:
    shelf = Shelf()
    for key, items in enumerate(sessions, start=1):
        shelf.apply(SessionSteps([key] * len(items), items, [NOW - 1_000] * len(items)))
    return shelf


def asked(shelf: Shelf, user: UserState, now: int, most: int = MOST_QUERY) -> tuple[list[str], list[float]]:
    users = UserBatch.of([user], shelf, [now])
    anew = begins_anew(users, GAP)
    asks, weights = with_past(users, np.full((1, RECENT), 0.5, np.float32), shelf, anew, most)
    numbers = asks[0][asks[0] >= 0]
    return shelf.index.ids_of(numbers), weights[0][: len(numbers)].tolist()


def test_the_past_asks_for_a_next_visit_recent_items_first_then_bought_then_touched() -> None:
    shelf = shelf_of(["a", "b", "c", "d", "e"])
    user = shopper(["a", "b"], bought=stored("c", "gone", "a"), touched=stored("d", "e", "c"))
    assert asked(shelf, user, LATER) == (["b", "a", "c", "e", "d"], [1.0] * 5)
    assert asked(shelf, user, LATER, most=3)[0] == ["b", "a", "c"]
    assert asked(shelf, user, LATER, most=1)[0] == ["b"]


def test_within_a_session_and_without_a_bound_the_recent_items_ask_as_ever() -> None:
    shelf = shelf_of(["a", "b", "c"])
    user = shopper(["a", "b"], bought=stored("c"))
    assert asked(shelf, user, NOW + GAP) == (["b", "a"], [0.5, 0.5])
    assert asked(shelf, user, LATER, most=0) == (["b", "a"], [0.5, 0.5])


@given(
    st.lists(st.integers(0, 99), max_size=RECENT, unique=True),
    st.lists(st.integers(0, 99), max_size=200),
    st.lists(st.integers(0, 99), max_size=200),
    st.integers(1, MOST_QUERY),
)
def test_no_more_ask_than_may_and_none_twice(
    recent: list[int], bought: list[int], touched: list[int], most: int
) -> None:
    shelf = shelf_of([str(k) for k in range(0, 100, 2)])
    user = shopper([str(k) for k in recent], stored(*map(str, bought)), stored(*map(str, touched)))
    ids, _ = asked(shelf, user, LATER, most)
    known = {str(k) for k in (*recent, *bought, *touched) if k % 2 == 0}
    if user.recent and shelf.number(user.recent[-1].item_id) >= 0:
        assert len(ids) == len(set(ids)) == min(most, len(known))
    assert set(ids) <= known


def test_what_was_bought_long_ago_finds_the_next_item_and_is_named_by_no_recent_one() -> None:
    old = [f"old-{k}" for k in range(30)]
    others = [[*old[k : k + 5], "wanted"] for k in range(20)] + [["new", "near"]] * 2
    shelf = shelf_of(*others)
    user = shopper(["new"], bought=stored(*old, "new"))
    ranker, off = Ranker(shelf), Ranker(shelf, RankSettings(candidates=CandidateSettings(visit_items=0)))
    knn = SOURCES.index("session_knn")
    [during], [after], [without] = (
        ranker.rank([user], [NOW]), ranker.rank([user], [LATER]), off.rank([user], [LATER])
    )  # fmt: skip
    assert during.items[0] == without.items[0] == "near"
    assert after.items[0] == "wanted"
    assert after.said[0, knn] == pytest.approx(RankSettings().next_visit_past)
    assert after.whys[0] == "for_you"
    assert set(after.items).isdisjoint(old)


def test_a_list_does_not_depend_on_who_begins_anew_beside_it() -> None:
    shelf = shelf_of(*([f"i-{k}", f"i-{k + 1}", f"i-{k + 2}"] for k in range(60)))
    gone = shopper(["i-3"], bought=stored(*(f"i-{k}" for k in range(50))))
    here = shopper(["i-20", "i-30"])
    ranker = Ranker(shelf)
    both = ranker.rank([gone, here], [LATER, NOW])
    alone = [*ranker.rank([gone], [LATER]), *ranker.rank([here], [NOW])]
    assert [(m.items, m.scores, m.whys) for m in both] == [(m.items, m.scores, m.whys) for m in alone]


def test_the_past_of_freed_items_is_forgotten_and_that_of_their_numbers_found() -> None:
    index = ItemIndex(most=20)
    for k in range(20):
        index.add(str(k))
    freed = np.flatnonzero(index.free_oldest())
    assert [index.number_of_hash(item_hash(str(k))) for k in freed.tolist()] == [-1] * len(freed)
    assert index.number_of_hash(item_hash("19")) == 19
    assert index.add("new") == index.number_of_hash(item_hash("new"))


def test_more_items_than_the_query_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="visit_items is 65; it must be from 0 to 64"):
        CandidateSettings(visit_items=65)
