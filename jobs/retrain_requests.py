"""The requests for a retraining on the control topic: the newest that is there, then each that comes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from jobs.settings import KafkaSection
from jobs.topic_reading import held_topic
from operators.retrain_policy import KIND, RetrainRequest, request_of
from schemas.codec import CONTROLS
from schemas.reason import UndecodableRecord

logger = logging.getLogger(__name__)


class RetrainRequests:
    """Iterating waits for the next request, for ever. A broker that goes away meanwhile is waited for.

    Of what the topic holds at first only the newest request is given, unless it was deleted since. `name` is
    that of the control messages; others are not for us. Raises `KafkaUnreachable` when no broker answers or the
    topic is missing, and `TopicSilent` when what the topic holds does not come.
    """

    def __init__(self, topics: KafkaSection, name: str) -> None:
        self._name = name
        self._topic = held_topic(topics, topics.control)

    def __iter__(self) -> Iterator[RetrainRequest]:
        present = list(self._asked(self._topic.held()))
        if present and present[-1] is not None:
            yield present[-1]
        yield from (asked for asked in self._asked(self._topic.later()) if asked is not None)

    def _asked(self, records: Iterable[Any]) -> Iterator[RetrainRequest | None]:
        """The requests among control messages; None where one is taken back."""
        for record in records:
            try:
                control = CONTROLS.decode(record.value or b"")
            except UndecodableRecord:
                continue  # for whoever knows its schema; the job says so
            if (control.kind, control.name) != (KIND, self._name):
                continue
            try:
                yield None if control.deleted else request_of(control)
            except ValueError as error:
                logger.warning("%s", error)

    def close(self) -> None:
        """End the connection."""
        self._topic.close()
