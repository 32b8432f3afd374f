"""The refresh requests that a bounded run's first job spooled: how many users there are, and who is forgotten."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

import msgspec

from jobs.spool import spooled_parts, spooled_rows
from operators.refresh_request import FORGET, decode_request
from schemas.state import decode_state


class RequestCount(msgspec.Struct):
    """What the requests tell: `users` are asked for at the end, `accepted` events made or erased records.

    `forgotten` are the pseudonyms of those who asked to be forgotten. Whoever came back after that is among
    the users too.
    """

    users: int = 0
    accepted: int = 0
    forgotten: set[str] = msgspec.field(default_factory=set)


def count_requests(folder: Path) -> RequestCount:
    """Count the requests of a folder. A user is asked for once at the end, and at each time to forget."""
    count = RequestCount()
    for uid, payload in spooled_rows(folder):
        request = decode_request(payload)
        count.accepted += decode_state(request.state).n
        if request.edge == FORGET:
            count.accepted += 1  # the event that asked for it, which is in no record
            count.forgotten.add(uid)
        else:
            count.users += 1
    return count


def drop_forgets(folder: Path) -> None:
    """Keep only the requests for lists, in one file.

    The job reads the parts of a folder in no certain order: a FORGET could erase the list of a user who came
    back after it.
    """
    parts = spooled_parts(folder)
    kept = folder / ".kept"  # a name that the job, and `spooled_parts`, would pass over
    with kept.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        for uid, payload in spooled_rows(folder):
            if decode_request(payload).edge != FORGET:
                rows.writerow((uid, base64.b64encode(payload).decode("ascii")))
    for part in parts:
        part.unlink()
    kept.rename(folder / "kept.csv")
