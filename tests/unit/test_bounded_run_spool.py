"""Between a person's event file and the job: events go in as messages, bad rows come out as dead letters."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

from jobs.bad_row import BadRow
from jobs.spool import bad_row_letter, spool_events, spooled_rows
from jobs.spooled_requests import count_requests, drop_forgets
from operators.refresh_request import FINAL, FORGET, RefreshRequest, encode_request
from schemas.codec import EVENTS
from schemas.reason import Reason
from schemas.records import Event
from schemas.state import UserState, encode_state


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


def spool_request(part: Path, uid: str, events: int, edge: int) -> None:
    """Adds what the job writes when it asks for a user."""
    state = encode_state(UserState(uid, born=1_000, n=events))
    request = base64.b64encode(encode_request(RefreshRequest(state, 0, edge))).decode()
    with part.open("a") as file:
        file.write(f"{uid},{request}\n")


def test_a_user_who_was_forgotten_counts_when_there_is_more_of_them_only(tmp_path: Path) -> None:
    spool_request(tmp_path / "part-1", "gone", 3, FORGET)
    spool_request(tmp_path / "part-2", "back", 4, FORGET)
    spool_request(tmp_path / "part-0", "back", 2, FINAL)
    spool_request(tmp_path / "part-0", "ann", 5, FINAL)
    counted = count_requests(tmp_path)
    assert counted.users == 2
    assert counted.accepted == (3 + 1) + (4 + 1) + 2 + 5
    assert counted.forgotten == {"gone", "back"}


def test_after_forgetting_only_the_requests_for_lists_are_left(tmp_path: Path) -> None:
    spool_request(tmp_path / "part-1", "back", 4, FORGET)
    spool_request(tmp_path / "part-0", "back", 2, FINAL)
    spool_request(tmp_path / "part-0", "ann", 5, FINAL)
    lists = list(spooled_rows(tmp_path))[:2]
    drop_forgets(tmp_path)
    assert list(spooled_rows(tmp_path)) == lists
    assert [path.name for path in tmp_path.iterdir()] == ["kept.csv"]
    counted = count_requests(tmp_path)
    assert (counted.users, counted.accepted, counted.forgotten) == (2, 7, set())
