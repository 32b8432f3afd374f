"""Files between a person's event files and the job's tables, and back."""

from __future__ import annotations

import base64
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.bad_row import BadRow
from schemas.codec import EVENTS
from schemas.records import DeadLetter, Event

csv.field_size_limit(sys.maxsize)


def spool_events(events: Iterable[Event | BadRow], file: Path) -> tuple[int, list[DeadLetter]]:
    """Write events as the job's `events` table reads them. Returns how many, and a dead letter per bad row."""
    letters = []
    count = 0
    with file.open("w", newline="") as spooled:
        for place, event in enumerate(events):
            if isinstance(event, BadRow):
                letters.append(bad_row_letter(event))
                continue
            message = base64.b64encode(EVENTS.encode(event)).decode("ascii")
            spooled.write(f"{message},0,{place},{event.time}\n")
            count += 1
    return count, letters


def bad_row_letter(row: BadRow) -> DeadLetter:
    """The dead letter of a row that made no event; `offset` is its row in the file."""
    return DeadLetter(
        reason=row.reason,
        detail=row.detail,
        topic=row.file,
        partition=0,
        offset=row.row,
        time=row.time or 0,
        payload=row.raw,
    )


def spooled_rows(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The rows (text, bytes) that the job wrote to a table's folder."""
    for part in sorted(
        path for path in folder.glob("**/*") if path.is_file() and not path.name.startswith((".", "_"))
    ):
        with part.open(newline="") as file:
            for text, payload in csv.reader(file):
                yield text, base64.b64decode(payload)
