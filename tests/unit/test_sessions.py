"""A user's sessions: cut by a gap in event time, whatever order events come in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.item_step import session_key
from operators.sessions import extend_session
from schemas.state import Session

GAP = 30


def after(*times: int) -> Session:
    session = Session()
    for time in times:
        extend_session(session, time, GAP)
    return session


@pytest.mark.parametrize(
    ("times", "number", "start", "last", "depth"),
    [
        ((100,), 1, 100, 100, 1),
        ((100, 130), 1, 100, 130, 2),
        ((100, 131), 2, 131, 131, 1),
        ((100, 120, 110), 1, 100, 120, 3),
        ((100, 75), 1, 75, 100, 2),
        ((100, 69), 1, 100, 100, 1),
        ((100, 200, 190), 2, 190, 200, 2),
        ((100, 200, 120), 2, 200, 200, 1),
        ((0, 31, 62, 93), 4, 93, 93, 1),
    ],
)
def test_events_fall_into_sessions(
    times: tuple[int, ...], number: int, start: int, last: int, depth: int
) -> None:
    assert after(*times) == Session(number=number, start=start, last=last, depth=depth)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_in_order_there_are_as_many_sessions_as_gaps_and_one(times: list[int]) -> None:
    times.sort()
    gaps = sum(later - earlier > GAP for earlier, later in pairwise(times))
    session = after(*times)
    assert session.number == gaps + 1
    assert session.last == times[-1]
    assert session.start == next(
        time for k, time in enumerate(times) if sum(b - a > GAP for a, b in pairwise(times[k:])) == 0
    )


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_a_session_never_turns_back(times: list[int]) -> None:
    session = Session()
    for time in times:
        number, last = session.number, session.last
        extend_session(session, time, GAP)
        assert session.number >= number
        assert session.last >= last or number == 0
        assert session.start <= session.last
        assert session.depth >= 1


def test_sessions_have_numbers_of_their_own_that_fit_a_signed_64_bit_integer() -> None:
    keys = {session_key(uid, number) for uid in ("ann", "bob") for number in range(100)}
    assert len(keys) == 200
    assert all(0 <= key < 2**63 for key in keys)
