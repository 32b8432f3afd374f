"""One user's events in the data lake, found by what is known of their latest one.

The lake knows no user of Redis: only their number of events and the time of the latest tell which rows are theirs,
for as long as Redis holds a profile to say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc

from jobs.lake_files import LakeFolder, event_rows, read_day
from schemas.lake import DAY_FOLDER
from schemas.records import Event


@dataclass(frozen=True)
class LakeUser:
    """A pseudonym of the lake, with the events under it in the order in which they were accepted; `numbers` are
    theirs, from 1 on where the lake holds them all."""

    lake_id: str
    numbers: Sequence[int]
    events: Sequence[Event]


def users_of(lake: LakeFolder, n: int, at: int) -> list[LakeUser]:
    """Who in the lake had their `n`-th event at their own time `at` (ms): mostly one, or none.

    The day of `at` is searched, and the days before it are read for whoever is found.
    """
    last = DAY_FOLDER + datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
    days = [day for day in lake.days if day.name <= last]
    if not days or days[-1].name != last:
        return []
    table = read_day(days[-1])
    clock = pc.cast(table["at"], "int64")
    found = table.filter(pc.and_(pc.equal(table["n"], n), pc.equal(clock, at)))["user"].unique().to_pylist()
    rows: dict[str, list[tuple[int, Event]]] = {lake_id: [] for lake_id in found}
    for day in days if found else ():
        table = read_day(day)
        for lake_id, mine in rows.items():
            theirs = pc.and_(pc.equal(table["user"], lake_id), pc.less_equal(table["n"], n))
            mine.extend(event_rows(table.filter(theirs)))
    users = []
    for lake_id, held in rows.items():
        held.sort(key=lambda row: row[0])
        users.append(LakeUser(lake_id, [number for number, _ in held], [event for _, event in held]))
    return users
