"""What goes from the user step to the rank stage: the user's record, and when it was asked for."""

from __future__ import annotations

import msgspec

LEADING = 0
TRAILING = 1
FINAL = 2
FORGET = 3
QUIET = 4
ENDED = 5


class RefreshRequest(msgspec.Struct, array_like=True, frozen=True):
    """A user whose list is to be made anew.

    `state` are the stored bytes of the record (`schemas.state`). `asked` is the wall clock (ms) of the
    earliest event that the new list will cover for the first time: when it was sent where its producer says
    so, else when it was processed. `edge` is LEADING, TRAILING, FINAL (the end of bounded input), FORGET
    (erase the user's keys), QUIET (publish profile and segments, and leave the list as it is) or ENDED (the session
    is over: the list is for the next visit, as of the session's end).
    """

    state: bytes
    asked: int
    edge: int


encode_request = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(RefreshRequest).decode
