"""Between a person's event file and the job: events go in as messages, bad rows come out as dead letters."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

from jobs.bad_row import BadRow
from jobs.spool import bad_row_letter, spool_events, spooled_rows
from schemas.codec import EVENTS
from schemas.reason import Reason
from schemas.records import Event


def test_events_are_spooled_in_order_and_bad_rows_put_aside(tmp_path: Path) -> None:
    events = [Event(event_id=f"e{n}", user_id='ann, "bob"', type="view", time=1_000 + n) for n in range(3)]
    bad = BadRow(
        file="shop.csv", row=2, reason=Reason.MISSING_FIELD, detail="user_id is empty", raw=b"x,,y", time=None
    )
    count, letters = spool_events([events[0], bad, *events[1:]], tmp_path / "events.csv")
    assert count == 3
    [letter] = letters
    assert letter == bad_row_letter(bad)
    assert (letter.topic, letter.offset, letter.payload) == ("shop.csv", 2, b"x,,y")
    with (tmp_path / "events.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [EVENTS.decode(base64.b64decode(message)) for message, *_ in rows] == events
    assert [int(time) for *_, time in rows] == [1_000, 1_001, 1_002]


def test_rows_of_all_parts_are_read_and_unfinished_files_are_not(tmp_path: Path) -> None:
    for name, text in (("part-1", "a"), ("part-0", "b"), (".part-2.inprogress", "c"), ("_SUCCESS", "d")):
        (tmp_path / name).write_text(f"{text},{base64.b64encode(b'value').decode()}\n")
    assert list(spooled_rows(tmp_path)) == [("b", b"value"), ("a", b"value")]
