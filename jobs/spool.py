"""Files between a person's event files and the job's tables, and back."""

from __future__ import annotations

import base64
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.bad_row import BadRow
from operators.dead_letters import Rejected, dead_letter
from operators.ingest_settings import IngestSettings
from operators.item_ingest import ItemIngest
from schemas.codec import EVENTS, ITEMS
from schemas.records import DeadLetter, Event, Item
from schemas.schema_book import SchemaBook

csv.field_size_limit(sys.maxsize)

NO_PARTITION = -1
"""What stands for the partition of what came from a file."""


def spool_events(events: Iterable[Event | BadRow], file: Path) -> tuple[int, list[DeadLetter]]:
    """Write events as the job's `events` table reads them. Returns how many, and the bad rows' dead letters."""
    letters = []
    count = 0
    with file.open("w", newline="") as spooled:
        for place, event in enumerate(events):
            if isinstance(event, BadRow):
                letters.append(bad_row_letter(event))
                continue
            message = base64.b64encode(EVENTS.encode(event)).decode("ascii")
            spooled.write(f"{message},{NO_PARTITION},{place},{event.time}\n")
            count += 1
    return count, letters


def clean_items(
    rows: Iterable[Item | BadRow], settings: IngestSettings
) -> tuple[list[Item], list[DeadLetter]]:
    """The items that can be used, as the job cleans them, and a dead letter for each of the others."""
    ingest = ItemIngest(settings, SchemaBook())
    items: list[Item] = []
    letters: list[DeadLetter] = []
    for place, row in enumerate(rows, start=1):
        if isinstance(row, BadRow):
            letters.append(bad_row_letter(row))
            continue
        item = ingest.check(row)
        if isinstance(item, Rejected):
            letters.append(dead_letter(item, ITEMS.encode(row), "items", NO_PARTITION, place, 0))
        else:
            items.append(item)
    return items, letters


def bad_row_letter(row: BadRow) -> DeadLetter:
    """The dead letter of a row that made no event; `offset` is its row in the file."""
    return DeadLetter(
        reason=row.reason,
        detail=row.detail,
        topic=row.file,
        partition=NO_PARTITION,
        offset=row.row,
        time=row.time or 0,
        payload=row.raw,
    )


def spooled_parts(folder: Path) -> list[Path]:
    """The finished files that the job wrote to a table's folder."""
    return sorted(
        path for path in folder.glob("**/*") if path.is_file() and not path.name.startswith((".", "_"))
    )


def spooled_rows(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The rows (text, bytes) that the job wrote to a table's folder."""
    for part in spooled_parts(folder):
        with part.open(newline="") as file:
            for text, payload in csv.reader(file):
                yield text, base64.b64decode(payload)
