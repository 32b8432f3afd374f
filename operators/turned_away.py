"""Messages that cannot be events, whatever schemas are known: told apart natively, and refused many at once.

They never come to the user step, since each crossing into it costs more than all that is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from operators.dead_letters import Rejected, dead_letter
from operators.stream_summary import StreamSummary, encode_summary
from schemas.codec import DEAD_LETTERS, MARKER
from schemas.reason import Reason, UndecodableRecord
from schemas.schema_book import SchemaBook
from schemas.schema_registry import FixedSchemas

FRAME = b"\0"
"""What Confluent's framing begins with, where a registry is configured."""

MOST_BYTES = 16 * 1024
"""Longer messages are refused one by one, however they begin: a batch of thousands is held in memory."""


def is_readable(*, framed: bool) -> str:
    """The SQL condition that a `message` may be an event, by how it begins; `framed` where a registry is configured.

    >>> print(is_readable(framed=False))
    (startswith(message, x'c301') or char_length(decode(message, 'ISO-8859-1')) > 16384)
    """
    begins = (MARKER, FRAME) if framed else (MARKER,)
    tests = [f"startswith(message, x'{begin.hex()}')" for begin in begins]
    return f"({' or '.join(tests)} or char_length(decode(message, 'ISO-8859-1')) > {MOST_BYTES})"


class TurnedAway:
    """Makes the dead letters of messages from `topic` that are not readable; `count` hears each reason.

    No schema is looked up, in a registry or elsewhere: such a message names none.

    >>> [letter] = TurnedAway("events", framed=False).letters([b"garbage"], [0], [17], [1_000])
    >>> DEAD_LETTERS.decode(letter).reason, DEAD_LETTERS.decode(letter).offset
    ('not_avro', 17)
    """

    def __init__(
        self, topic: str, *, framed: bool, count: Callable[[Reason], None] = lambda reason: None
    ) -> None:
        self._topic = topic
        self._decode = SchemaBook(FixedSchemas({}) if framed else None).decode_event
        self._count = count

    def letters(
        self,
        messages: Iterable[bytes],
        partitions: Iterable[int],
        offsets: Iterable[int],
        times: Iterable[int],
    ) -> list[bytes]:
        """The encoded dead letters of messages; `times` are those of their Kafka records, in ms.

        Raises ValueError for a message that can be read.
        """
        return [
            DEAD_LETTERS.encode(
                dead_letter(self._why(message), message, self._topic, partition, offset, time)
            )
            for message, partition, offset, time in zip(messages, partitions, offsets, times, strict=True)
        ]

    def _why(self, message: bytes) -> Rejected:
        try:
            self._decode(message)
        except UndecodableRecord as error:
            self._count(error.reason)
            return Rejected(error.reason, error.detail)
        raise ValueError(f"an event was turned away: it begins with {message[:10].hex()}")


def told(times: Sequence[int]) -> list[bytes | None]:
    """What the detectors of the stream hear of a batch with these record times (ms): one summary, at its head.

    >>> [None if each is None else len(each) > 0 for each in told([9, 7])]
    [True, None]
    """
    rows: list[bytes | None] = [None] * len(times)
    if rows:
        rows[0] = encode_summary(StreamSummary.of_rejected(len(times), min(times), max(times)))
    return rows
