"""Messages that cannot be events get the dead letters that the user step would have given them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.dead_letters import LARGEST_PAYLOAD
from operators.stream_summary import decode_summary
from operators.turned_away import TurnedAway, told
from schemas.codec import DEAD_LETTERS, EVENTS, MARKER
from schemas.reason import Reason, UndecodableRecord
from schemas.records import DeadLetter, Event
from schemas.schema_book import SchemaBook
from schemas.schema_registry import FixedSchemas


def turned_away(
    messages: Sequence[bytes], *, framed: bool = False
) -> tuple[list[DeadLetter], Counter[Reason]]:
    """The dead letters of a batch, from partition 3, offsets 10 and on, at 1,500 ms and on; and what was counted."""
    counted: Counter[Reason] = Counter()

    def count(reason: Reason) -> None:
        counted[reason] += 1

    numbers = range(len(messages))
    letters = TurnedAway("events", framed=framed, count=count).letters(
        messages,
        [3] * len(messages),
        [10 + number for number in numbers],
        [1_500 + number for number in numbers],
    )
    return [DEAD_LETTERS.decode(letter) for letter in letters], counted


@given(st.lists(st.binary(max_size=40).filter(lambda message: not message.startswith(MARKER)), max_size=5))
def test_the_letter_tells_why_and_where_from_and_keeps_the_bytes(messages: list[bytes]) -> None:
    letters, counted = turned_away(messages)
    assert sum(counted.values()) == len(messages)
    for number, (message, letter) in enumerate(zip(messages, letters, strict=True)):
        with pytest.raises(UndecodableRecord) as refusal:
            SchemaBook().decode_event(message)
        assert letter == DeadLetter(
            reason=refusal.value.reason.value,
            detail=refusal.value.detail,
            topic="events",
            partition=3,
            offset=10 + number,
            time=1_500 + number,
            payload=message,
        )


def test_a_frame_that_is_cut_short_is_told_as_the_registrys_reader_tells_it() -> None:
    [letter], counted = turned_away([b"\0\0\0"], framed=True)
    with pytest.raises(UndecodableRecord) as refusal:
        SchemaBook(FixedSchemas({})).decode_event(b"\0\0\0")
    assert (letter.reason, letter.detail) == (refusal.value.reason.value, refusal.value.detail)
    assert counted == {Reason.TRUNCATED: 1}
    assert turned_away([b"\0\0\0"])[1] == {Reason.NOT_AVRO: 1}


def test_what_is_longer_than_a_dead_letter_keeps_is_cut_and_says_so() -> None:
    [letter], _ = turned_away([b"x" * (LARGEST_PAYLOAD + 1)])
    assert len(letter.payload) == LARGEST_PAYLOAD
    assert f"of {LARGEST_PAYLOAD + 1} bytes" in letter.detail


def test_a_message_that_may_be_an_event_is_never_turned_away_in_silence() -> None:
    event = EVENTS.encode(Event(event_id="e", user_id="u", type="search", time=7))
    with pytest.raises(ValueError, match="an event was turned away"):
        turned_away([event])


def test_of_each_batch_the_detectors_hear_how_many_there_were_and_when() -> None:
    first, *others = told([9, 7, 8])
    assert first is not None
    summary = decode_summary(first)
    assert (summary.events, summary.first, summary.last) == (3, 7, 9)
    assert (summary.asked, summary.shown) == ({"rejected": 3}, {"rejected": 3.0})
    assert others == [None, None]
    assert told([]) == []
