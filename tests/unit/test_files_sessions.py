"""Session files: recognised by their header, read as views in order of time."""

from __future__ import annotations

from pathlib import Path

from jobs.bad_row import BadRow
from jobs.files import open_events, read_events, read_items
from schemas.records import Event

SERENADE = Path(__file__).parents[2] / "data" / "serenade"


def test_lines_become_views_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "sessions.txt"
    path.write_text(
        "SessionId\tItemId\tTime\n27\t5959\t1593536687.0\n27\t13697\t1593536656.5\n28\t\t1\n28\tx\tnever\n"
    )
    assert open_events(path).format == "sessions"
    records = list(read_events(path))
    assert [record for record in records if isinstance(record, Event)] == [
        Event(
            event_id="27-2",
            user_id="27",
            session_id="27",
            type="view",
            time=1_593_536_656_500,
            item_id="13697",
        ),
        Event(
            event_id="27-1",
            user_id="27",
            session_id="27",
            type="view",
            time=1_593_536_687_000,
            item_id="5959",
        ),
    ]
    assert [record.row for record in records if isinstance(record, BadRow)] == [3, 4]


def test_the_serenade_set_is_whole() -> None:
    events = list(read_events(SERENADE / "train.txt.gz"))
    assert len(events) == 113_601
    assert not any(isinstance(event, BadRow) for event in events)
    items = {event.item_id for event in events if isinstance(event, Event)}
    assert sum(1 for _ in read_items(SERENADE / "train.txt.gz")) == len(items) == 18_009
