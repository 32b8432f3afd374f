"""Messages that nobody can read, of every kind that goes astray: what `headrace bench garbage` mixes in."""

from __future__ import annotations

from random import Random

import msgspec

from schemas.codec import EVENTS, HEADER_SIZE
from schemas.reason import UndecodableRecord


def garbage_of(message: bytes, number: int) -> bytes:
    """A message that is no event, made of one: of the sixfold mix, the kind whose turn it is.

    Cut short anywhere, of an unknown schema, random bytes, JSON text, with a flipped bit, or empty: half of them
    bear Avro's marker. The same number makes the same message.

    >>> from schemas.records import Event
    >>> event = EVENTS.encode(Event(event_id="e", user_id="u", type="search", time=7))
    >>> garbage_of(event, 1)[:HEADER_SIZE].hex(), garbage_of(event, 3)[:15], garbage_of(event, 5)
    ('c3010000000000000000', b'{"event_id":"e"', b'')
    """
    chance = Random(number)
    kind = number % 6
    if kind == 0:
        return message[: chance.randrange(1, len(message))]
    if kind == 1:
        return message[:2] + bytes(HEADER_SIZE - 2) + message[HEADER_SIZE:]
    if kind == 2:
        return chance.randbytes(len(message))
    if kind == 3:
        return msgspec.json.encode(EVENTS.decode(message))
    return _flipped(message, chance) if kind == 4 else b""


def _flipped(message: bytes, chance: Random) -> bytes:
    """The message with one bit flipped, where that breaks it: most bits of a text only make another text."""
    while True:
        spoiled = bytearray(message)
        spoiled[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
        try:
            EVENTS.decode(bytes(spoiled))
        except UndecodableRecord:
            return bytes(spoiled)
