"""The dead letters that Kafka holds, read from the oldest to what is there when the reading begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.cells import time_ms
from jobs.settings import KafkaSection
from jobs.topic_reading import held_topic
from schemas.codec import DEAD_LETTERS
from schemas.errors import HeadraceError
from schemas.reason import UndecodableRecord
from schemas.records import DeadLetter


class BadTimeSpan(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A time span of which one end is no time, or which ends before it begins."""


@dataclass(frozen=True)
class TimeSpan:
    """Messages of this time in ms, both ends inclusive; None leaves an end open.

    >>> span = TimeSpan.of("2026-03-01T10:00:00Z", None)
    >>> 1_772_359_200_000 in span, 1_772_359_199_999 in span
    (True, False)
    """

    since: int | None = None
    until: int | None = None

    @classmethod
    def of(cls, since: str | None, until: str | None) -> TimeSpan:
        """The span of two options. Raises `BadTimeSpan`, naming the option."""
        span = cls(_moment("--since", since), _moment("--until", until))
        if span.since is not None and span.until is not None and span.until < span.since:
            raise BadTimeSpan(f"--until {until} lies before --since {since}: no message is of that time")
        return span

    def __contains__(self, time: int) -> bool:
        return (self.since is None or self.since <= time) and (self.until is None or time <= self.until)


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return time_ms(text)
    except ValueError as error:
        raise BadTimeSpan(f"{option}: {error}") from None


class DeadLetterTopic:
    """A walk over the topic, in the memory of one fetch. `read` of `total` records were walked over so far.

    `unreadable` counts records that are no dead letters at all. Raises `KafkaUnreachable` when no broker
    answers or the topic is missing, and `TopicSilent` on the way when nothing comes.
    """

    def __init__(self, topics: KafkaSection) -> None:
        self.read = self.unreadable = 0
        self._topic = held_topic(topics, topics.dead_letters)
        self.total = sum(self._topic.ends.values()) - sum(self._topic.begins.values())

    def __iter__(self) -> Iterator[DeadLetter]:
        for record in self._topic.held():
            self.read += 1
            yield from self._letter(record.value)

    def _letter(self, message: bytes | None) -> Iterator[DeadLetter]:
        try:
            yield DEAD_LETTERS.decode(message or b"")
        except UndecodableRecord:
            self.unreadable += 1

    def close(self) -> None:
        """End the connection."""
        self._topic.close()
