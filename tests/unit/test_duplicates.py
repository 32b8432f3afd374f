"""Duplicates are known within the last 64 events, and never where there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.duplicates import REMEMBERED, event_hash, is_remembered, remember

IDS = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=150)


@given(IDS, st.integers(1, 80))
def test_exactly_the_last_ones_are_remembered(ids: list[str], remembered: int) -> None:
    seen = b""
    for event_id in ids:
        seen = remember(seen, event_hash(event_id), remembered)
    assert len(seen) <= 6 * remembered
    known = [event_id for event_id in ids if is_remembered(seen, event_hash(event_id))]
    assert known == ids[-remembered:]


def test_64_events_are_remembered_in_384_bytes() -> None:
    seen = b""
    for number in range(1_000):
        seen = remember(seen, event_hash(f"event-{number}"))
    assert len(seen) == 6 * REMEMBERED == 384
    assert is_remembered(seen, event_hash("event-936"))
    assert not is_remembered(seen, event_hash("event-935"))


def test_a_hash_that_only_lies_across_two_others_is_not_remembered() -> None:
    first, second = bytes(range(6)), bytes(range(6, 12))
    across = first[3:] + second[:3]
    assert not is_remembered(first + second, across)
    assert is_remembered(first + second + across, across)
