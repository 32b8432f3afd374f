"""Parquet and CSV files of events and items: what each row becomes, and that no row is lost."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.bad_row import BadRow, FileRefused
from jobs.files import open_events, open_items, read_events, read_items
from jobs.table_files import BATCH_ROWS
from schemas.records import Context, Event, Item, Market

TIME = 1_323_435_000_000
WHEN = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)


def csv(folder: Path, text: str, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def parquet(folder: Path, columns: dict[str, Any], name: str = "events.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


def test_every_column_of_a_csv_reaches_its_field(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "event_id,user_id,type,time,session_id,item_id,value,quantity,query,order_id,currency,site,slot,rec_id,"
        "position,items,attributes,country,context.device,colour\n"
        'e1,00123,view,2011-12-09T12:50:00Z,s,007,2.5,3,"red, mug",o,GBP,uk,home,r,'
        '4,a|b,"{""k"":""v""}",GB,mobile,red\n',
    )
    assert list(read_events(path)) == [
        Event(
            event_id="e1", user_id="00123", type="view", time=TIME, session_id="s", item_id="007", value=2.5,
            quantity=3.0, query="red, mug", order_id="o", currency="GBP", site="uk", slot="home", rec_id="r",
            position=4, items=("a", "b"), attributes={"k": "v", "colour": "red"},
            context=Context(country="GB", device="mobile"),
        )
    ]  # fmt: skip


def test_typed_parquet_columns_reach_their_fields(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        {
            "event_id": ["e1", "e2"],
            "user_id": pa.array([17850.0, 17851.0]),
            "type": pa.array(["view", "impression"]).dictionary_encode(),
            "time": pa.array([WHEN, WHEN], pa.timestamp("us", "UTC")),
            "value": pa.array([None, float("nan")]),
            "items": pa.array([None, ["a", "b"]]),
            "attributes": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())),
            "context": [{"country": "GB", "device": None}, None],
            "vip": [True, None],
        },
    )
    assert list(read_events(path)) == [
        Event(
            event_id="e1", user_id="17850", type="view", time=TIME, attributes={"vip": "true", "k": "v"},
            context=Context(country="GB"),
        ),
        Event(event_id="e2", user_id="17851", type="impression", time=TIME, items=("a", "b")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "times",
    [
        pa.array([TIME]),
        pa.array([WHEN], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([WHEN.replace(tzinfo=None)], pa.timestamp("s")),
        pa.array(["2011-12-09T12:50:00"]),
        pa.array(["2011-12-09 13:50:00+01:00"]),
        pa.array([str(TIME)]),
    ],
    ids=["ms", "zone", "no zone", "text", "offset", "digits"],
)
def test_one_moment_is_one_time_however_it_is_written(tmp_path: Path, times: Any) -> None:
    path = parquet(tmp_path, {"user_id": ["u"], "type": ["view"], "time": times})
    assert [event.time for event in read_events(path) if isinstance(event, Event)] == [TIME]


def test_unknown_columns_are_told_once_and_kept(tmp_path: Path) -> None:
    file = open_events(csv(tmp_path, "user_id,type,time,mood\nu,view,1,glad\nu,view,2,\n"))
    assert len(file.notes) == 1
    assert "mood" in file.notes[0]
    assert [event.attributes for event in file if isinstance(event, Event)] == [{"mood": "glad"}, {}]


def test_a_missing_event_id_is_derived_from_row_and_content(tmp_path: Path) -> None:
    text = "user_id,type,time\nu,view,1\nu,view,1\nu,view,2\n"
    first = [event.event_id for event in read_events(csv(tmp_path, text)) if isinstance(event, Event)]
    again = [
        event.event_id for event in read_events(csv(tmp_path, text, "b.csv")) if isinstance(event, Event)
    ]
    changed = csv(tmp_path, text.replace("view,2", "view,3"), "c.csv")
    assert first == again
    assert len(set(first)) == 3
    assert [event.event_id for event in read_events(changed) if isinstance(event, Event)][:2] == first[:2]
    assert [event.event_id for event in read_events(changed) if isinstance(event, Event)][2] != first[2]


BAD_LINES = [
    ("u,view,yesterday,,", "malformed", "column time: 'yesterday' is no time"),
    ("u,view,1593536687,,", "malformed", "looks like seconds; give milliseconds, 1593536687000"),
    ("u,view,1,many,", "malformed", "column quantity: 'many' is not a number"),
    ("u,view,1,inf,", "malformed", "not a finite number"),
    ("u,view,1,,1.5", "malformed", "column position: '1.5' is not a whole number"),
    (",view,1,,", "missing_field", "column user_id is empty"),
    ("u,,1,,", "missing_field", "column type is empty"),
    ("u,view,1,,,surplus", "malformed", "6 cells under 5 names"),
    ("u,view", "malformed", "2 cells under 5 names"),
]


def test_each_bad_row_is_told_apart_and_the_rows_around_it_are_read(tmp_path: Path) -> None:
    lines = [line for line, _, _ in BAD_LINES]
    path = csv(
        tmp_path, "user_id,type,time,quantity,position\nu,view,1,,\n" + "\n".join(lines) + "\nu,view,2,,\n"
    )
    records = list(read_events(path))
    assert [record.time for record in records if isinstance(record, Event)] == [1, 2]
    bad = [record for record in records if isinstance(record, BadRow)]
    assert [row.row for row in bad] == list(range(2, 2 + len(BAD_LINES)))
    for row, (line, reason, detail) in zip(bad, BAD_LINES, strict=True):
        assert row.reason == reason
        assert detail in row.detail
        assert f"{path} row {row.row}" in row.detail
        assert ",".join(json.loads(row.raw).values()) == line


def test_bytes_that_are_not_utf8_make_a_bad_row_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(b"user_id,type,time\nu\xff,view,1\nu,view,2\n")
    bad, good = read_events(path)
    assert isinstance(bad, BadRow)
    assert "UTF-8" in bad.detail
    assert isinstance(good, Event)


def test_semicolons_tabs_and_gz_are_read(tmp_path: Path) -> None:
    for name, mark in (("a.csv", ";"), ("b.tsv", "\t")):
        path = csv(tmp_path, f"user_id{mark}type{mark}time\nu{mark}view{mark}1\n", name)
        assert [event.time for event in read_events(path) if isinstance(event, Event)] == [1]
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbfuser_id,type,time\nu,view,1\n"))
    assert [event.time for event in read_events(packed) if isinstance(event, Event)] == [1]


def test_rows_are_counted_across_batches(tmp_path: Path) -> None:
    rows = 2 * BATCH_ROWS + 5
    times: list[str] = [str(time) for time in range(rows)]
    times[BATCH_ROWS + 3] = "?"
    texts = {"user_id": ["u"] * rows, "type": ["view"] * rows, "time": times}
    lines = "user_id,type,time\n" + "".join(f"u,view,{time}\n" for time in times)
    for path in (parquet(tmp_path, texts), csv(tmp_path, lines)):
        records = list(read_events(path))
        assert [record.row for record in records if isinstance(record, BadRow)] == [BATCH_ROWS + 4]
        assert sum(isinstance(record, Event) for record in records) == rows - 1


def test_items_are_read_with_lists_flags_and_markets(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "item_id,title,category,price,tags,in_stock,markets,brand\n"
        '007,Mug,home/mugs,2.5,a|b,no,"{""GB"":{""price"":2}}",X\n,Cup,,,,,,\n',
        "items.csv",
    )
    item, bad = read_items(path)
    assert item == Item(
        item_id="007", title="Mug", category="home/mugs", price=2.5, tags=("a", "b"), in_stock=False,
        markets={"GB": Market(price=2.0)}, attributes={"brand": "X"},
    )  # fmt: skip
    assert isinstance(bad, BadRow)
    assert "column item_id is empty" in bad.detail


def test_a_file_that_cannot_be_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    cases = [
        (tmp_path / "absent.csv", "no such file"),
        (tmp_path, "no data lake"),
        (csv(tmp_path, "x", "events.xlsx"), "its name ends in none of"),
        (csv(tmp_path, "who,type,time\n", "a.csv"), "no column user_id among who, type, time"),
        (csv(tmp_path, "user_id,type,time,time\n", "b.csv"), "names time more than once"),
        (csv(tmp_path, "", "c.csv"), "must name the columns"),
        (csv(tmp_path, "no Parquet", "d.parquet"), "not a readable Parquet file"),
        (csv(tmp_path, "no Avro", "e.avro"), "not a readable Avro"),
    ]
    for path, message in cases:
        with pytest.raises(FileRefused, match=message) as refused:
            open_events(path)
        assert str(path) in str(refused.value)
    with pytest.raises(FileRefused, match="no column item_id"):
        open_items(csv(tmp_path, "title\n", "f.csv"))
