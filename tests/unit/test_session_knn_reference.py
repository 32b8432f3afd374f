"""VMIS-kNN on the incremental index finds the same sessions as a slow reading of its definition."""

import random
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.posting_lists import PostingLists, add_posting
from operators.session_index import SessionIndex
from operators.session_knn import knn_scratch, nearest_sessions

ITEMS = 12


class SlowSessions:
    """All sessions as lists, in order of their starts; one that outgrows its length goes on in a new one."""

    def __init__(self, most: int, length: int) -> None:
        self.most, self.length = most, length
        self.sessions: OrderedDict[int, tuple[int, list[int]]] = OrderedDict()
        self.row_of: dict[int, int] = {}
        self.started = 0

    def add(self, key: int, item: int) -> None:
        serial = self.row_of.get(key)
        if serial is not None and item in self.sessions[serial][1]:
            return
        if serial is None or len(self.sessions[serial][1]) == self.length:
            serial = self.started
            self.started += 1
            if len(self.sessions) == self.most:
                oldest, (old_key, _) = self.sessions.popitem(last=False)
                if self.row_of.get(old_key) == oldest:
                    del self.row_of[old_key]
            self.sessions[serial] = (key, [])
            self.row_of[key] = serial
        self.sessions[serial][1].append(item)

    def nearest(
        self, query: list[int], weights: list[float], own: int, newest: int, k: int
    ) -> list[tuple[int, float]]:
        shared = [
            (serial, sum(w for q, w in zip(query, weights, strict=True) if q in held))
            for serial, (key, held) in self.sessions.items()
            if key != own and set(query) & set(held)
        ]
        latest = sorted(shared, reverse=True)[:newest]
        return sorted(latest, key=lambda entry: (-entry[1], -entry[0]))[:k]


@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, ITEMS - 1)), min_size=1, max_size=250),
    query=st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=5, unique=True),
    most=st.sampled_from([4, 16, 200]),
    newest=st.sampled_from([1, 3, 500]),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_nearest_sessions_are_those_of_the_definition(
    steps: list[tuple[int, int]], query: list[int], most: int, newest: int, seed: int
) -> None:
    index = SessionIndex(most_sessions=most, session_items=4, per_item=500, most_items=ITEMS)
    slow = SlowSessions(most, 4)
    cut = random.Random(seed).randrange(len(steps))
    for part in (steps[:cut], steps[cut:]):
        index.add([key for key, _ in part], [item for _, item in part], [0] * len(part))
    for key, item in steps:
        slow.add(key, item)
    weights = [0.5**j for j in range(len(query))]
    k = 7
    scratch = knn_scratch(len(index.arrays.length), 20 * 500, k)
    found = nearest_sessions(
        index.arrays,
        index.postings.arrays,
        np.array([*query, -1], np.int32),
        np.array([*weights, 0.0], np.float32),
        3,
        newest,
        scratch,
    )
    expected = slow.nearest(query, weights, 3, newest, k)
    serials = index.arrays.serial[scratch.row[:found]].tolist()
    assert serials == [serial for serial, _ in expected]
    assert scratch.score[:found].tolist() == pytest.approx([value for _, value in expected])
    assert not scratch.slot.any()


def test_the_sessions_of_an_item_are_counted_as_they_come_and_go() -> None:
    index = SessionIndex(most_sessions=8, session_items=4, per_item=16, most_items=ITEMS)
    rng = random.Random(1)
    for _ in range(300):
        index.add([rng.randrange(40)], [rng.randrange(ITEMS)], [0])
        held = index.arrays
        rows = range(len(index))
        for item in range(ITEMS):
            sessions = sum(item in held.item[row, : held.length[row]] for row in rows)
            assert held.holders[item] == sessions


def test_an_index_under_endless_sessions_keeps_its_size() -> None:
    index = SessionIndex(most_sessions=2_000, session_items=5, per_item=50, most_items=3_000)
    index.reserve_items(3_000)
    sizes = []
    rng = random.Random(2)
    for start in range(0, 30_000, 500):
        keys = [start + k for k in range(500) for _ in range(4)]
        index.add(keys, [int(3_000 * rng.random() ** 3) for _ in keys], [start] * len(keys))
        sizes.append(index.nbytes())
    assert len(index) == 2_000
    assert sizes[-1] == sizes[len(sizes) // 2]
    assert max(len(index.sessions_of(item)) for item in range(50)) == 50


def test_posting_lists_at_their_bound_keep_the_newest_in_the_room_they_have() -> None:
    lists = PostingLists(per_item=64, most_entries=40)
    lists.reserve_items(5)
    for serial in range(200):
        lists.reserve_entries(1)
        add_posting(lists.arrays, serial % 5, serial, 0)
    assert len(lists.arrays.entry) == 40
    for item in range(5):
        held = lists.of(item)
        assert held == [195 + item - 5 * k for k in range(len(held))]
        assert len(held) == 8


def test_a_late_step_of_an_older_session_is_filed_behind_newer_ones() -> None:
    index = SessionIndex(most_sessions=8, session_items=4, per_item=16, most_items=ITEMS)
    index.add([1, 2, 1], [0, 5, 5], [0, 0, 0])
    assert index.sessions_of(5) == [2, 1]


def test_an_index_built_anew_from_its_steps_keeps_the_order_within_sessions() -> None:
    index = SessionIndex(most_sessions=8, session_items=4, per_item=16, most_items=ITEMS)
    # An order of two lines at one time, a view, another order; then a session that goes on in a second row.
    index.add([1] * 5 + [2] * 6, [3, 4, 5, 6, 7, *range(6)], [50, 50, 60, 90, 90, *range(100, 106)])
    held = index.arrays
    assert held.step[:2].tolist() == [[0, 0, 1, 2], [0, 0, 0, 0]]
    again = SessionIndex(most_sessions=8, session_items=4, per_item=16, most_items=ITEMS)
    keys, items, times = index.steps()
    again.add(keys.tolist(), items.tolist(), times.tolist())
    assert again.arrays.step.tolist() == held.step.tolist()
    assert again.arrays.last.tolist() == held.last.tolist()
