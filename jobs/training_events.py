"""The events and the catalogue that `train` learns from, cleaned by the rules of the job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.bad_row import BadRow
from jobs.files import carries_items, open_events, open_items
from jobs.training_people import VISITORS, People
from operators.dead_letters import Rejected
from operators.ingest import Ingest
from operators.ingest_settings import IngestSettings
from schemas.errors import HeadraceError
from schemas.records import Event, Item
from schemas.schema_book import SchemaBook

logger = logging.getLogger(__name__)

DEFAULT_INGEST = IngestSettings()


class NothingToLearnError(HeadraceError):
    """The events do not suffice to train on."""


@dataclass(frozen=True)
class TrainingEvents:
    """Accepted events in order of time (equal times in the file's order), the catalogue, rows not used.

    `kept_out` counts the events of bots and of internal traffic, which are not among `events`.
    """

    events: list[Event]
    items: list[Item]
    unused: int
    kept_out: int = 0


def read_training_events(
    file: Path,
    items_file: Path | None = None,
    settings: IngestSettings = DEFAULT_INGEST,
    progress: Callable[[int, int | None], None] = lambda done, rows: None,
    until: int | None = None,
    people: People = VISITORS,
) -> TrainingEvents:
    """Read and clean a file of events, and its catalogue where there is one.

    With `until` (ms), events before it alone are taken, and of `people` alone; a lake holds which those are,
    as the job judged. `progress` hears of rows read and, where the file
    tells, rows in all. Raises `FileRefused` for a file that cannot be read, `NothingToLearnError` for one
    without a usable event.
    """
    source = open_events(file)
    check = Ingest(settings, SchemaBook()).check
    events: list[Event] = []
    unused = 0
    for row, event in enumerate(source, start=1):
        cleaned = event if isinstance(event, BadRow) else check(event, event.time)
        if isinstance(cleaned, BadRow | Rejected):
            unused += 1
        elif until is None or cleaned.time < until:
            events.append(cleaned)
        if row % 10_000 == 0:
            progress(row, source.rows)
    if not events:
        raise NothingToLearnError(
            f"{file}: it holds no usable event" + ("" if until is None else " before the time given")
        )
    events.sort(key=lambda event: event.time)
    of_people = events if source.format == "lake" else people.of(events)
    kept_out = len(events) - len(of_people)
    if kept_out:
        logger.warning(
            "%s: %d of %d events are of bots or internal traffic, and are kept out (docs/bots.md)",
            file, kept_out, len(events),
        )  # fmt: skip
    if not of_people:
        raise NothingToLearnError(f"{file}: all of its events are of bots or internal traffic (docs/bots.md)")
    catalogue = items_file if items_file is not None else file if carries_items(file) else None
    items = [] if catalogue is None else [item for item in open_items(catalogue) if isinstance(item, Item)]
    return TrainingEvents(of_people, items, unused, kept_out)


def split(events: Sequence[Event], *shares: float) -> list[int]:
    """Where to cut events after each of `shares`, moved on to the next change of time.

    Events of one time are often one order: were they on both sides, one side would know the other's answers.
    Raises `NothingToLearnError` where a part would be empty.
    """
    cuts = []
    for share in shares:
        cut = int(share * len(events))
        while 0 < cut < len(events) and events[cut].time == events[cut - 1].time:
            cut += 1
        cuts.append(cut)
    if any(a >= b for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)):
        raise NothingToLearnError(
            f"{len(events)} events at too few different times to cut in {len(shares) + 1} parts"
        )
    return cuts
