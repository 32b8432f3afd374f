"""The items touched last: each once, in the order of time, whatever order they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.recent_items import before, touch
from schemas.state import RecentItem

TOUCHES = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 50)), max_size=60)


def touched(touches: list[tuple[str, int]], most: int) -> list[RecentItem]:
    recent: list[RecentItem] = []
    for item, time in touches:
        touch(recent, RecentItem(item, time, "view", "?"), most)
    return recent


@given(TOUCHES, st.integers(1, 6))
def test_items_stand_once_each_by_time_and_never_too_many(touches: list[tuple[str, int]], most: int) -> None:
    recent = touched(touches, most)
    assert len(recent) <= most
    assert len({held.item_id for held in recent}) == len(recent)
    assert [held.time for held in recent] == sorted(held.time for held in recent)


@given(TOUCHES)
def test_where_there_is_room_each_item_stands_at_its_latest_time(touches: list[tuple[str, int]]) -> None:
    latest: dict[str, int] = {}
    for item, time in touches:
        latest[item] = max(time, latest.get(item, time))
    assert {held.item_id: held.time for held in touched(touches, most=8)} == latest


@given(st.permutations([("a", 1), ("b", 5), ("c", 9), ("a", 7), ("d", 3)]))
def test_the_order_of_arrival_does_not_matter(touches: list[tuple[str, int]]) -> None:
    assert [held.item_id for held in touched(touches, most=8)] == ["d", "b", "a", "c"]


def test_a_late_touch_of_a_known_item_leaves_its_place() -> None:
    recent = touched([("a", 5), ("b", 6)], most=3)
    touch(recent, RecentItem("a", 2, "purchase", "?"), 3)
    assert [(held.item_id, held.time, held.type) for held in recent] == [("a", 5, "view"), ("b", 6, "view")]


@given(TOUCHES, st.sampled_from("abcdefgh"), st.integers(0, 50), st.integers(0, 20), st.integers(1, 4))
def test_before_gives_other_items_near_in_time_newest_first(
    touches: list[tuple[str, int]], item: str, time: int, window: int, most: int
) -> None:
    recent = touched(touches, most=8)
    near = [
        (r.item_id, r.time) for r in reversed(recent) if r.item_id != item and abs(r.time - time) <= window
    ]
    assert before(recent, item, time, window, most) == [(i, abs(time - t)) for i, t in near[:most]]
