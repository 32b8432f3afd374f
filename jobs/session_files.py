"""Files of anonymous shopping sessions: tab-separated `SessionId`, `ItemId`, `Time` in seconds.

The form of the session-based recommendation literature (Ludewig and Jannach, 2018; Serenade, 2022).
Each line becomes a view by a user of the session's name. Lines come in order of time, as the file gives
those of one second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jobs.bad_row import BadRow, raw_json
from jobs.record_columns import Rows
from jobs.table_files import CsvTable
from schemas.reason import Reason
from schemas.records import Event, Item

SESSION_COLUMNS: Final = ("SessionId", "ItemId", "Time")
_MS: Final = 1000


def session_events(path: Path) -> Iterator[Event | BadRow]:
    """The views in order of time; lines that make no event come first."""
    timed: list[tuple[int, int, str, str]] = []
    for row, session, item, seconds in _lines(path, bad := list[BadRow]()):
        try:
            timed.append((round(float(seconds) * _MS), row, session, item))
        except (ValueError, OverflowError):
            bad.append(
                _bad(path, row, f"Time {seconds!r} is not a number of seconds", (session, item, seconds))
            )
    yield from bad
    for time, row, session, item in sorted(timed):
        yield Event(
            event_id=f"{session}-{row}",
            user_id=session,
            session_id=session,
            type="view",
            time=time,
            item_id=item,
        )


def session_items(path: Path) -> Iterator[Item]:
    """The items of the file, of which no more than the id is known."""
    seen: set[str] = set()
    for _row, _session, item, _seconds in _lines(path, []):
        if item not in seen:
            seen.add(item)
            # No title made of the id: items of like numbers would be taken for items of like text.
            yield Item(item_id=item)


def _lines(path: Path, bad: list[BadRow]) -> Iterator[tuple[int, str, str, str]]:
    for rows in CsvTable.open(path).batches():
        if isinstance(rows, BadRow):
            bad.append(rows)
            continue
        for row, cells in enumerate(_cells(rows), rows.first):
            if all(cells):
                yield row, *cells
            else:
                bad.append(_bad(path, row, "a cell is empty", cells))


def _cells(rows: Rows) -> Iterator[tuple[str, str, str]]:
    sessions, items, times = (rows.columns[name] for name in SESSION_COLUMNS)
    return zip(sessions, items, times, strict=True)


def _bad(path: Path, row: int, detail: str, cells: tuple[str, ...]) -> BadRow:
    raw = dict(zip(SESSION_COLUMNS, cells, strict=True))
    return BadRow(
        file=str(path),
        row=row,
        reason=Reason.MALFORMED,
        detail=f"{path} row {row}: {detail}",
        raw=raw_json(raw),
    )
