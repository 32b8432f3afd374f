"""Putting messages of dead letters back on the topic they came from, once their cause is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from jobs.dead_letter_topic import TimeSpan
from jobs.event_sender import EventSender
from jobs.settings import KafkaSection
from operators.dead_letters import LARGEST_PAYLOAD
from schemas.key_of import KeyOf
from schemas.reason import UndecodableRecord
from schemas.records import DeadLetter
from schemas.schema_book import SchemaBook

CUT = "cut"
"""The message was larger than a dead letter keeps, so that its end is lost."""

NO_TOPIC = "not_of_a_topic"
"""The message came from a file, or from a topic that is neither that of events nor of items."""

NO_USER = "no_user"
"""The message can be decoded, and names no user to key it by."""


@dataclass
class Replay:
    """Puts chosen letters back through `sender`; `sent` counts them by topic, `stay` those that cannot go.

    A letter goes back with the key and the record time that it had. One whose message still cannot be decoded
    would only come again: it stays, counted under the reason of today, or as `CUT`, `NO_TOPIC` or `NO_USER`.
    """

    topics: KafkaSection
    reasons: Collection[str]
    span: TimeSpan
    book: SchemaBook
    sender: EventSender
    chosen: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    stay: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._key_of = KeyOf(self.book)

    def take(self, letter: DeadLetter) -> None:
        """Put a letter's message back where it is of a chosen reason and time."""
        if letter.reason not in self.reasons or letter.time not in self.span:
            return
        self.chosen += 1
        if len(letter.payload) >= LARGEST_PAYLOAD:
            self.stay[CUT] += 1
            return
        try:
            key = self._key(letter)
        except UndecodableRecord as error:
            self.stay[error.reason.value] += 1
            return
        if key is None:
            self.stay[NO_USER if letter.topic == self.topics.events else NO_TOPIC] += 1
            return
        self.sender.send_again(letter.topic, key, letter.payload, max(letter.time, 0))
        self.sent[letter.topic] += 1

    def _key(self, letter: DeadLetter) -> str | None:
        if letter.topic == self.topics.events:
            self.book.decode_event(letter.payload)
            return self._key_of.user_id(letter.payload)
        if letter.topic == self.topics.catalog:
            return self.book.decode_item(letter.payload).item_id
        return None
