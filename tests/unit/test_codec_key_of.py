"""The stream is keyed by a user id that is read without decoding the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import EVENTS
from schemas.identifiers import canonical_id
from schemas.key_of import KeyOf
from schemas.reason import UndecodableRecord
from schemas.records import Event
from schemas.schema_book import SchemaBook

KEY_OF = KeyOf(SchemaBook())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def message(event_id: str, user_id: str) -> bytes:
    return EVENTS.encode(Event(event_id=event_id, user_id=user_id, type="view", time=1, item_id="mug"))


@given(event_id=texts, user_id=texts)
def test_the_key_is_the_canonical_user_id(event_id: str, user_id: str) -> None:
    assert KEY_OF.user_id(message(event_id, user_id)) == (canonical_id(user_id) or None)


@pytest.mark.parametrize("spelling", ["jos\u00e9", " jose\u0301\n"])
def test_two_spellings_of_one_user_have_one_key(spelling: str) -> None:
    assert KEY_OF.user_id(message("e", spelling)) == "jos\u00e9"


@settings(max_examples=500)
@given(garbage=st.binary(max_size=100), with_header=st.booleans())
def test_garbage_has_a_key_or_none_and_never_fails(garbage: bytes, with_header: bool) -> None:
    key = KEY_OF.user_id(EVENTS.header + garbage if with_header else garbage)
    assert key is None or (isinstance(key, str) and key)


@given(user_id=texts.filter(canonical_id))
def test_a_message_that_decodes_has_the_key_of_its_event_wherever_it_is_cut(user_id: str) -> None:
    whole = message("e", user_id)
    for length in range(len(whole) + 1):
        key = KEY_OF.user_id(whole[:length])
        assert key in (None, canonical_id(user_id))
        try:
            event = EVENTS.decode(whole[:length])
        except UndecodableRecord:
            continue
        assert key == canonical_id(event.user_id)


def test_a_customers_message_is_keyed_once_its_schema_is_known() -> None:
    fields = ", ".join(
        f'{{"name": "{name}", "type": "{kind}"}}'
        for name, kind in (
            ("user_id", "string"),
            ("event_id", "string"),
            ("type", "string"),
            ("time", "long"),
        )
    )
    book = SchemaBook()
    key_of = KeyOf(book)
    mark = 0x1234
    schema = f'{{"type": "record", "name": "Event", "namespace": "shop", "fields": [{fields}]}}'
    body = b"\x06ann\x04e1\x08view\x0a"
    assert key_of.user_id(b"\xc3\x01" + mark.to_bytes(8, "little") + body) is None
    mark = book.add(schema)
    assert key_of.user_id(b"\xc3\x01" + mark.to_bytes(8, "little") + body) == "ann"
