"""The log of lists, read: from the topic, or from the files of a run without Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from jobs.avro_files import AvroContainer
from jobs.bad_row import BadRow, FileRefused
from jobs.settings import KafkaSection
from jobs.topic_reading import held_topic
from schemas.codec import RECOMMENDATIONS
from schemas.reason import UndecodableRecord
from schemas.records import Recommendation


class LoggedLists:
    """A walk over logged lists, of one user (by pseudonym) or of all.

    `read` records were walked over so far, of which `unreadable` are no logged lists.
    """

    def __init__(self, kafka: KafkaSection, source: Path | None = None, uid: str | None = None) -> None:
        self.read = self.unreadable = 0
        self._kafka = kafka
        self._source = source
        self._uid = uid

    def __iter__(self) -> Iterator[Recommendation]:
        """Raises `FileRefused` for a file that is no log of lists, `KafkaUnreachable` where Kafka is the source
        and does not answer."""
        return self._of_topic() if self._source is None else self._of_file(self._source)

    def _of_file(self, source: Path) -> Iterator[Recommendation]:
        file = source / f"{self._kafka.recommendations}.avro" if source.is_dir() else source
        if not file.is_file():
            raise FileRefused(f"{file}: no such file; give the folder that `headrace run --source` wrote")
        for each in AvroContainer.open(file, RECOMMENDATIONS).records():
            self.read += 1
            if isinstance(each, BadRow):
                self.unreadable += 1
            elif self._uid is None or each.uid == self._uid:
                yield each

    def _of_topic(self) -> Iterator[Recommendation]:
        key = None if self._uid is None else self._uid.encode()
        with closing(held_topic(self._kafka, self._kafka.recommendations)) as topic:
            for record in topic.held():
                self.read += 1
                if key is not None and record.key != key:
                    continue
                try:
                    yield RECOMMENDATIONS.decode(record.value or b"")
                except UndecodableRecord:
                    self.unreadable += 1
