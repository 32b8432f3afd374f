"""From a file of events to a bundle that serves, with nothing learned from what came later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.factorise import FactorSettings, ItemFactors
from jobs.future_seen import FutureSeenError
from jobs.plain_stream import PlainStream
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_events import NothingToLearnError, read_training_events, split
from jobs.training_report import TrainingReport
from jobs.training_set import ListSampler
from jobs.training_settings import TrainingSettings
from operators.bundle import load_bundle
from operators.feature_plan import UnknownFeatures
from operators.features import FEATURES
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from schemas.records import Event

MINUTE = 60_000
START = 1_700_000_000_000
SMALL = TrainingSettings(
    lists=400,
    validation=300,
    factors=FactorSettings(factors=8, neighbours=10),
    rankers=RankerSettings(
        rankers=("trees", "network"), trees=((10, 7),), networks=((8,),), least_rows_in_leaf=10, epochs=5
    ),
)


def shop_events(events: int = 3_000) -> list[Event]:
    """60 users, each of one of three tastes, in turn; a taste has 20 items of its own."""
    drawn = np.random.default_rng(11)
    made = []
    for k in range(events):
        user = int(drawn.integers(60))
        item = 20 * (user % 3) + int(drawn.integers(20))
        made.append(
            Event(
                event_id=f"e{k}",
                user_id=f"user-{user}",
                type="view",
                time=START + k * MINUTE,
                item_id=f"item-{item}",
            )
        )
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "shop.parquet"
    columns = ("event_id", "user_id", "type", "time", "item_id")
    pq.write_table(pa.table({c: [getattr(e, c) for e in shop_events()] for c in columns}), path)
    return path


@pytest.fixture(scope="module")
def trained(file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingReport]:
    folder = tmp_path_factory.mktemp("models") / "shop" / "1"
    return folder, Training(SMALL).run(file, None, folder)


def no_factors() -> ItemFactors:
    none = np.zeros((0, 4), np.float32)
    return ItemFactors([], none, np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))


def test_a_trained_bundle_loads_and_ranks(trained: tuple[Path, TrainingReport]) -> None:
    folder, report = trained
    bundle = load_bundle(folder)
    assert bundle.name == report.name == "shop/1"
    assert len(bundle.item_ids) == report.data.items == 60
    stream = PlainStream()
    for event in shop_events(600):
        stream.learn(event)
    stream.catch_up()
    [made] = Ranker(stream.shelf, RankSettings(), bundle).rank(
        [stream.states["user-1"]], [START + 600 * MINUTE]
    )
    assert made.model == "shop/1"
    assert len(made.items) == 20


def test_the_report_compares_every_ranker_with_the_blend_on_later_events(
    trained: tuple[Path, TrainingReport],
) -> None:
    _, report = trained
    assert [tried.ranker for tried in report.tried] == ["blend", "trees 10x7", "network 8"]
    assert sum(tried.chosen for tried in report.tried) == 1
    assert report.data.first < report.data.factors_until < report.data.ranker_until < report.data.last
    assert 0 < report.validation <= 300
    assert 0.5 < report.recall <= 1.0


def test_the_manifest_says_what_the_model_was_made_from_and_with(
    trained: tuple[Path, TrainingReport],
) -> None:
    folder, report = trained
    manifest = load_bundle(folder).manifest
    assert manifest.features == FEATURES
    assert manifest.data == report.data
    assert set(manifest.metrics) == {"blend", "trees 10x7", "network 8"}
    assert {"implicit", "onnxruntime", "numpy"} <= set(manifest.libraries)


def test_the_same_file_and_seed_give_the_same_model(
    file: Path, trained: tuple[Path, TrainingReport], tmp_path: Path
) -> None:
    folder, _ = trained
    Training(SMALL).run(file, None, tmp_path / "shop" / "1")
    first, second = load_bundle(folder), load_bundle(tmp_path / "shop" / "1")
    np.testing.assert_array_equal(first.factors, second.factors)
    assert {k: v for k, v in first.manifest.files.items() if k == "ranker.onnx"} == {
        k: v for k, v in second.manifest.files.items() if k == "ranker.onnx"
    }


def test_later_events_change_nothing_of_the_lists_made_before_them() -> None:
    events = shop_events(900)
    changed = [
        replaced
        if k < 600
        else Event(event_id=f"x{k}", user_id="user-0", type="view", time=replaced.time, item_id="new")
        for k, replaced in enumerate(events)
    ]
    made = []
    for stream_of in (events, changed):
        stream = PlainStream()
        sampler = ListSampler(stream, no_factors(), RankSettings())
        for k, event in enumerate(stream_of):
            if 500 <= k < 600 and stream.counts(event):
                sampler.sample(event)
            stream.learn(event)
        made.append(sampler.take())
    np.testing.assert_array_equal(made[0].rows, made[1].rows)
    np.testing.assert_array_equal(made[0].hits, made[1].hits)


def test_a_list_made_after_its_event_is_refused() -> None:
    stream = PlainStream()
    sampler = ListSampler(stream, no_factors(), RankSettings())
    *earlier, event = shop_events(200)
    for each in earlier:
        stream.learn(each)
    event = Event(event_id="last", user_id="user-5", type="view", time=event.time, item_id="item-59")
    assert stream.counts(event)
    stream.learn(event)
    with pytest.raises(FutureSeenError, match="sample an event before it is learned"):
        sampler.sample(event)


def test_a_planted_leak_shows_in_the_features() -> None:
    """Were the event learned before its list is made, its item would stand in the list's features."""
    *earlier, last = shop_events(400)
    event = Event(event_id="last", user_id="user-5", type="view", time=last.time, item_id="item-59")
    honest, leaking = PlainStream(), PlainStream()
    for each in earlier:
        honest.learn(each)
        leaking.learn(each)
    assert honest.counts(event)
    leaking.learn(event)
    leaking.touched[event.user_id].discard(event.item_id or "")
    rows = []
    for stream in (honest, leaking):
        sampler = ListSampler(stream, no_factors(), RankSettings())
        sampler.sample(event)
        rows.append(sampler.take().rows)
    events = FEATURES.index("profile.events")
    assert rows[1][0, events] > rows[0][0, events]


def test_how_long_the_user_stays_away_is_in_no_feature_but_whether_the_session_is_over() -> None:
    stream = PlainStream()
    for each in shop_events(400):
        stream.learn(each)
    rows = []
    for pause in (0, 7 * MINUTE, 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE):
        sampler = ListSampler(stream, no_factors(), RankSettings())
        time = stream.latest + pause
        sampler.sample(Event(event_id="last", user_id="user-5", type="view", time=time, item_id="item-59"))
        rows.append(sampler.take().rows)
    assert len(rows[0]) > 0
    within, still_within, over, long_over = rows
    np.testing.assert_array_equal(within, still_within)
    np.testing.assert_array_equal(over, long_over)
    assert not np.array_equal(within, over), (
        "the job makes a list at a session's end, and knows that it is over"
    )


def test_a_bundle_is_trained_on_the_features_asked_for_and_ranks_by_them(file: Path, tmp_path: Path) -> None:
    chosen = ("session_knn_score", "profile.session_depth_average", "popularity", "profile.price_level")
    folder = tmp_path / "shop" / "1"
    Training(replace(SMALL, features=chosen)).run(file, None, folder)
    bundle = load_bundle(folder)
    assert bundle.features == chosen
    stream = PlainStream()
    for event in shop_events(600):
        stream.learn(event)
    stream.catch_up()
    [made] = Ranker(stream.shelf, RankSettings(), bundle).rank([stream.states["user-1"]], [START])
    assert len(made.items) == 20


def test_a_feature_that_is_none_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UnknownFeatures, match=r"'profile\.taste'"):
        Training(replace(SMALL, features=("popularity", "profile.taste")))


def test_events_of_one_time_are_never_cut_apart() -> None:
    events = [replaced_time(event, START + (k // 10) * MINUTE) for k, event in enumerate(shop_events(100))]
    first, second = split(events, 0.55, 0.81)
    assert (first, second) == (60, 90)


def replaced_time(event: Event, time: int) -> Event:
    return Event(
        event_id=event.event_id, user_id=event.user_id, type="view", time=time, item_id=event.item_id
    )


def test_too_few_times_to_cut_is_said() -> None:
    events = [replaced_time(event, START) for event in shop_events(50)]
    with pytest.raises(NothingToLearnError, match="too few different times"):
        split(events, 0.6, 0.8)


def test_unusable_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "user_id,type,time,item_id\n"
        f"ann,view,{START + 5},mug\nann,view,{START},bowl\n,view,{START},mug\nbob,view,5,mug\n"
    )
    read = read_training_events(path)
    assert [event.item_id for event in read.events] == ["bowl", "mug"]
    assert read.unused == 2


def test_too_slow_rankers_leave_the_blend(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ranker_cost.MOST_MICROSECONDS", 0.0)
    settings = replace(SMALL, rankers=replace(SMALL.rankers, trees=()))
    report = Training(settings).run(file, None, tmp_path / "shop" / "2")
    bundle = load_bundle(tmp_path / "shop" / "2")
    assert report.ranker == bundle.manifest.ranker == "blend"
    assert not bundle.has_ranker
    assert len(bundle.item_ids) == 60


def test_the_command_prints_a_report_for_machines(file: Path, tmp_path: Path) -> None:
    arguments = [
        "train",
        str(file),
        "--out",
        str(tmp_path / "shop" / "3"),
        "--lists",
        "100",
        "--validation",
        "100",
        "--rankers",
        "network,bagged",
        "--keep-lists",
        str(tmp_path / "lists.npz"),
        "--json",
    ]
    result = CliRunner().invoke(build(arguments), arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["name"] == "shop/3"
    assert [tried["ranker"] for tried in report["tried"]] == ["blend", "network 32-16", "3 networks 32-16"]
    assert [split["split"] for split in report["splits"]][:2] == [
        "later events",
        "users left out of training",
    ]
    with np.load(tmp_path / "lists.npz") as kept:
        assert tuple(kept["features"]) == FEATURES
        assert len(kept["train_hits"]) == report["lists"]
        assert kept["train_times"].max() < kept["later_times"].min()
    again = CliRunner().invoke(build(arguments), arguments)
    assert again.exit_code == 2
    assert "choose another version" in again.output


def test_events_from_a_time_on_can_be_held_back(file: Path) -> None:
    read = read_training_events(file, until=START + 100 * MINUTE)
    assert len(read.events) == 100
    with pytest.raises(NothingToLearnError, match="no usable event before the time given"):
        read_training_events(file, until=START)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--rankers", "network,forest", "no ranker 'forest'"),
        ("--keep-lists", "lists.csv", "ends in .npz"),
        ("--keep-lists", "nowhere/lists.npz", "no folder nowhere"),
    ],
)
def test_what_cannot_be_tried_or_kept_is_said_before_anything_is_read(
    option: str, value: str, why: str
) -> None:
    arguments = ["train", "not-there.parquet", option, value]
    result = CliRunner().invoke(build(arguments), arguments)
    assert result.exit_code == 2
    assert why in result.stderr
