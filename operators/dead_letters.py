"""Messages that could not be used, with the reason: kept, so that nothing is ever lost in silence."""

from __future__ import annotations

import msgspec

from schemas.reason import Reason
from schemas.records import DeadLetter

LARGEST_PAYLOAD = 256 * 1024
"""Bytes of a message that a dead letter keeps: well below Kafka's limit of 1 MiB for the whole record."""


class Rejected(msgspec.Struct, frozen=True):
    """Why a message was not accepted: the code, and for people the field, the value and the limit."""

    reason: Reason
    detail: str


def dead_letter(
    rejected: Rejected, message: bytes, topic: str, partition: int, offset: int, time: int
) -> DeadLetter:
    """The dead letter of a message; `time` is the timestamp of its Kafka record in ms.

    A message larger than `LARGEST_PAYLOAD` bytes is cut there, and `detail` then says how long it was.

    >>> dead_letter(Rejected(Reason.TRUNCATED, "cut"), b"\\xc3", "events", 0, 17, 1_000).offset
    17
    """
    detail = rejected.detail
    if len(message) > LARGEST_PAYLOAD:
        detail += f"; the payload is the first {LARGEST_PAYLOAD} of {len(message)} bytes"
    return DeadLetter(
        reason=rejected.reason.value,
        detail=detail,
        topic=topic,
        partition=partition,
        offset=offset,
        time=time,
        payload=message[:LARGEST_PAYLOAD],
    )
