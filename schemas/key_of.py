"""The user of a message, read without decoding the rest: what the stream is keyed by."""

from __future__ import annotations

from schemas.codec import HEADER_SIZE
from schemas.identifiers import canonical_id
from schemas.reason import UndecodableRecord
from schemas.schema_book import SchemaBook
from schemas.varint import read_varint


class KeyOf:
    """Reads the canonical user id off a message.

    In our newest schema it is the second field, so that one skip leads to it; messages of other known schemas
    are decoded whole.
    """

    def __init__(self, book: SchemaBook) -> None:
        self._book = book
        self._header = book.events.codec.header

    def user_id(self, message: bytes) -> str | None:
        """The id, or None when the message does not show a usable one.

        A message that shows an id may still turn out to be broken behind it.
        """
        try:
            if message.startswith(self._header):
                length = message[HEADER_SIZE]
                at = HEADER_SIZE + 1
                if length > 127:
                    length, at = read_varint(message, HEADER_SIZE)
                at += length >> 1
                length = message[at]
                if length < 128:
                    at += 1
                else:
                    length, at = read_varint(message, at)
                end = at + (length >> 1)
                if length & 1 or end > len(message):
                    return None
                return canonical_id(message[at:end].decode()) or None
            return canonical_id(self._book.decode_event(message).user_id) or None
        except (IndexError, UnicodeDecodeError, UndecodableRecord):
            return None
