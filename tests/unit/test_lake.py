"""The data lake without Flink: what a row holds, what it does not, and how it is read again."""

from __future__ import annotations

import random
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.bad_row import FileRefused
from jobs.files import open_events, open_items
from jobs.lake import compact_day
from jobs.lake_files import SCHEMA, LakeFolder, parts
from jobs.lake_place import LakePlace
from jobs.training_events import read_training_events
from operators.consent import MOST_PURPOSES, consent_after, purposes
from operators.item_facts import Catalogue
from operators.lake_row import Cells, LakeRows, LakeSettings, drawn_id, event_of
from operators.user_step import StepSettings, UserStep
from schemas.lake import COLUMNS, LAKE_ID_BYTES, LAKE_VERSION, LIST_SEPARATOR, NAMES, PAIR_SEPARATOR, Kind
from schemas.records import Context, Event
from schemas.state import UserState, encode_state

DAY = 86_400_000
BEGIN = 1_700_000_000_000
LAKE_ID = b"0123456789ab"


def row_of(cells: Cells) -> dict[str, Any]:
    """The row that the job's SQL makes of cells, times in ms."""
    row: dict[str, Any] = {"v": LAKE_VERSION}
    for column, cell in zip(COLUMNS, cells, strict=True):
        row[column.name] = None if cell is None else _value(column.kind, cell)
    return row


def _value(kind: Kind, cell: str) -> Any:
    if kind in (Kind.WHOLE, Kind.MOMENT):
        return int(cell)
    if kind is Kind.NUMBER:
        return float(cell)
    if kind is Kind.LIST:
        return cell.split(LIST_SEPARATOR)
    if kind is Kind.PAIRS:
        return [tuple(pair.split(PAIR_SEPARATOR)) for pair in cell.split(LIST_SEPARATOR)]
    return cell


def user_with(**fields: Any) -> UserState:
    return UserState("pseudonym", born=BEGIN, n=1, last=BEGIN, lake_id=LAKE_ID, **fields)


def event_with(**fields: Any) -> Event:
    return Event(**{"event_id": "e1", "user_id": "ann", "type": "view", "time": BEGIN, **fields})


def cells_of(event: Event, settings: LakeSettings = LakeSettings(), consent: str | None = None) -> Cells:
    cells = LakeRows(settings).cells(event, user_with(), consent)
    assert cells is not None
    return cells


def test_a_row_has_a_cell_for_every_column() -> None:
    assert len(cells_of(event_with())) == len(COLUMNS)
    assert SCHEMA.names == ["v", *NAMES]


def test_nothing_in_a_row_tells_who_the_user_is() -> None:
    told = event_with(
        anonymous_id="anon-ann", session_id="session-ann", order_id="order-ann", rec_id="pseudonym-1-2",
        context=Context(user_agent="ann's browser", page="/cart?mail=ann@example.org", referrer="https://a/b#ann"),
    )  # fmt: skip
    said = " ".join(cell for cell in cells_of(told) if cell is not None)
    assert "ann" not in said
    assert "pseudonym" not in said
    assert "/cart" in said
    assert LAKE_ID.hex() in said


def test_lines_of_one_order_are_known_by_one_hash_that_no_other_user_shares() -> None:
    order = NAMES.index("order_id")
    one, two = (cells_of(event_with(order_id="A", event_id=each))[order] for each in ("1", "2"))
    other = LakeRows(LakeSettings()).cells(
        event_with(order_id="A"), UserState("p", born=1, lake_id=b"another"), None
    )
    assert one == two
    assert other is not None
    assert one != other[order]


def test_a_column_can_be_left_out_unless_the_lake_needs_it() -> None:
    query = NAMES.index("query")
    assert cells_of(event_with(query="socks"))[query] == "socks"
    assert cells_of(event_with(query="socks"), LakeSettings(leave_out=frozenset({"query"})))[query] is None
    with pytest.raises(ValueError, match="event_id cannot be left out"):
        LakeSettings(leave_out=frozenset({"event_id"}))


@pytest.mark.parametrize(
    ("consent", "goes"), [(None, False), ("", False), ("ads", False), ("ads,lake", True)]
)
def test_with_a_purpose_only_events_of_users_who_agreed_go_to_the_lake(
    consent: str | None, goes: bool
) -> None:
    cells = LakeRows(LakeSettings(purpose="lake")).cells(event_with(), user_with(), consent)
    assert (cells is not None) == goes


def test_the_pseudonym_is_drawn_once_for_a_record() -> None:
    numbers = count()

    def draw(length: int) -> bytes:
        return next(numbers).to_bytes(length, "big")

    first = drawn_id(b"", draw)
    assert len(first) == LAKE_ID_BYTES
    assert drawn_id(first, draw) == first
    assert drawn_id(b"", draw) != first


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
EVENTS = st.builds(
    Event,
    event_id=TEXT, user_id=st.just("ann"), type=TEXT, time=st.integers(0, 2**45),
    item_id=st.none() | TEXT, value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    quantity=st.none() | st.floats(0, 1e9), currency=st.none() | TEXT, query=st.none() | TEXT,
    site=st.none() | TEXT, slot=st.none() | TEXT, position=st.none() | st.integers(0, 100),
    context=st.builds(Context, device=st.none() | TEXT, country=st.none() | TEXT, region=st.none() | TEXT),
    items=st.lists(st.text("abc-", min_size=1, max_size=5), max_size=4).map(tuple),
    attributes=st.dictionaries(st.text("abc é", max_size=5), st.text("abc é", max_size=5), max_size=3),
)  # fmt: skip


@given(EVENTS)
def test_what_the_lake_keeps_of_an_event_comes_back(event: Event) -> None:
    back = event_of(row_of(cells_of(event)))
    kept = ("event_id", "type", "time", "item_id", "value", "quantity", "currency", "query", "site", "slot",
            "position", "context", "items", "attributes")  # fmt: skip
    assert [getattr(back, name) for name in kept] == [getattr(event, name) for name in kept]


def test_separators_inside_a_text_do_no_harm() -> None:
    event = event_with(
        items=(f"a{LIST_SEPARATOR}b", "c"), attributes={f"k{PAIR_SEPARATOR}": f"v{LIST_SEPARATOR}"}
    )
    back = event_of(row_of(cells_of(event)))
    assert (back.items, back.attributes) == (("a b", "c"), {"k ": "v "})


def stream(seed: int = 3, users: int = 6, events: int = 900) -> list[Event]:
    """Events of several days; some late by hours, some sent twice."""
    rng = random.Random(seed)
    made: list[Event] = []
    for number in range(events):
        late = rng.randrange(20 * 3_600_000) if rng.random() < 0.1 else 0
        if made and rng.random() < 0.05:
            made.append(made[-1])
        made.append(
            event_with(
                event_id=f"e{number}", user_id=f"u{rng.randrange(users)}",
                type=rng.choice(("view", "click", "add_to_cart", "purchase", "profile_update")),
                time=BEGIN + number * 5 * DAY // events - late, item_id=f"i{rng.randrange(30)}",
                value=round(rng.random() * 100, 2),
                context=Context(country=rng.choice(("GB", "DE")), device="mobile"),
                attributes={"plan": "gold"} if rng.random() < 0.2 else {},
            )
        )  # fmt: skip
    return made


def write_lake(folder: Path, events: list[Event], files: int = 3) -> dict[str, UserState]:
    """Follow events as the job does and write what is accepted, by day, to several files a day."""
    step = UserStep(StepSettings(), Catalogue())
    users: dict[str, UserState] = {}
    windows: dict[str, bytes] = {}
    rows = LakeRows(LakeSettings(folder=str(folder)))
    parts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for place, event in enumerate(events):
        user = users.setdefault(
            event.user_id, UserState(event.user_id, born=BEGIN, lake_id=event.user_id.encode().ljust(12))
        )
        outcome = step.update(user, event, windows.get(event.user_id))
        if outcome.refused is not None:
            continue
        if outcome.drift_window is not None:
            windows[event.user_id] = outcome.drift_window
        cells = rows.cells(event, user, None)
        assert cells is not None
        day = pd.Timestamp(user.last, unit="ms").strftime("%Y-%m-%d")
        parts.setdefault((day, place % files), []).append(row_of(cells))
    for (day, number), held in parts.items():
        place_of_day = folder / f"day={day}"
        place_of_day.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(held, SCHEMA), place_of_day / f"part-x-{number}")
        (place_of_day / "_SUCCESS").touch()
        (place_of_day / ".part-x-9.inprogress").write_bytes(b"half a file")
    return users


def test_records_made_again_from_the_lake_are_those_of_the_stream(tmp_path: Path) -> None:
    users = write_lake(tmp_path, stream())
    step = UserStep(StepSettings(), Catalogue())
    again: dict[str, UserState] = {}
    windows: dict[str, bytes] = {}
    for event in open_events(tmp_path):
        assert isinstance(event, Event)
        uid = bytes.fromhex(event.user_id).decode().strip()
        user = again.setdefault(uid, UserState(uid, born=BEGIN, lake_id=bytes.fromhex(event.user_id)))
        outcome = step.update(user, event, windows.get(uid))
        assert outcome.refused is None
        if outcome.drift_window is not None:
            windows[uid] = outcome.drift_window
    assert {uid: encode_state(user) for uid, user in again.items()} == {
        uid: encode_state(user) for uid, user in users.items()
    }


def test_training_reads_a_lake_folder(tmp_path: Path) -> None:
    events = [event for event in stream() if event.type != "profile_update"]
    write_lake(tmp_path, events)
    read = read_training_events(tmp_path)
    assert len(read.events) == len({event.event_id for event in events}) - _late(events)
    assert [event.time for event in read.events] == sorted(event.time for event in read.events)


def _late(events: list[Event]) -> int:
    step, users = UserStep(StepSettings(), Catalogue()), dict[str, UserState]()
    late = 0
    for event in events:
        user = users.setdefault(event.user_id, UserState(event.user_id, born=BEGIN))
        late += step.update(user, event, None).refused == "late"
    return late


def test_rows_of_bots_and_internal_traffic_are_left_out(tmp_path: Path) -> None:
    day = tmp_path / "day=2023-11-14"
    day.mkdir()
    rows = [row_of(cells_of(event_with(event_id=each))) for each in "ab"]
    rows[1]["traffic"] = "bot"
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), day / "part-0")
    source = open_events(tmp_path)
    assert source.rows == 2
    assert [event.event_id for event in source if isinstance(event, Event)] == ["a"]


def test_a_column_that_an_older_file_lacks_is_null(tmp_path: Path) -> None:
    day = tmp_path / "day=2023-11-14"
    day.mkdir()
    table = pa.Table.from_pylist([row_of(cells_of(event_with(query="x", site="shop")))], SCHEMA)
    pq.write_table(table.drop_columns(["query", "traffic"]), day / "part-0")
    [event] = open_events(tmp_path)
    assert isinstance(event, Event)
    assert (event.query, event.site) == (None, "shop")


def test_what_is_no_lake_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="no data lake"):
        open_events(tmp_path)
    day = tmp_path / "day=2023-11-14"
    day.mkdir()
    (day / "part-0").write_text("no Parquet")
    with pytest.raises(FileRefused, match="part-0: not a readable Parquet file"):
        open_events(tmp_path)
    rows = [{**row_of(cells_of(event_with())), "v": LAKE_VERSION + 1}]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), day / "part-0")
    with pytest.raises(FileRefused, match="update Headrace"):
        list(open_events(tmp_path))
    with pytest.raises(FileRefused, match="give a file of items"):
        open_items(tmp_path)


def test_consent_is_what_was_last_said_of_each_purpose() -> None:
    known = consent_after(None, {"analytics": "granted", "ads": "denied", "lake": "yes"})
    assert purposes(known) == {"analytics", "lake"}
    assert consent_after(known, {"analytics": "withdrawn", "LAKE ": "perhaps"}) == "lake"
    assert consent_after(known, {"not a purpose!": "yes"}) == known
    assert consent_after(None, {}) is None
    many = consent_after(None, {f"p{number:02d}": "yes" for number in range(40)})
    assert len(purposes(many)) == MOST_PURPOSES


def test_compaction_makes_one_sorted_file_a_day_and_changes_no_event(tmp_path: Path) -> None:
    write_lake(tmp_path, stream(), files=5)
    before = list(open_events(tmp_path))
    days = LakeFolder.open(tmp_path).days
    assert all(compact_day(day) for day in days)
    assert [len(parts(day)) for day in days] == [1] * len(days)
    assert not any(compact_day(day) for day in days)
    assert list(open_events(tmp_path)) == before
    assert len(pd.read_parquet(tmp_path)) == len(before)


def test_rows_that_come_after_a_compaction_are_counted_and_compacted_too(tmp_path: Path) -> None:
    write_lake(tmp_path, stream(), files=2)
    day = LakeFolder.open(tmp_path).days[1]
    compact_day(day)
    count = len(list(open_events(tmp_path)))
    row = row_of(cells_of(event_with(event_id="after")))
    row["at"] = int(pd.Timestamp(day.name.removeprefix("day=")).timestamp() * 1000)
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), Path(day.path) / "part-y-0")
    assert len(list(open_events(tmp_path))) == count + 1
    assert compact_day(day)
    assert len(list(open_events(tmp_path))) == count + 1
    assert len(parts(day)) == 1


def test_a_compaction_that_was_interrupted_counts_no_row_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lake(tmp_path, stream(), files=4)
    before = list(open_events(tmp_path))
    day = LakeFolder.open(tmp_path).days[0]

    def stop(place: LakePlace) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as power_cut:
        power_cut.setattr(LakePlace, "remove", stop)
        with pytest.raises(KeyboardInterrupt):
            compact_day(day)
    assert len(day.parts()) == 5
    assert list(open_events(tmp_path)) == before
    compact_day(day)
    assert len(day.parts()) == 1
    assert list(open_events(tmp_path)) == before
