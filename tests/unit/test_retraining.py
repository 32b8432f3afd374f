"""A request for a retraining: what counts as one, what bundle comes of it, and which is offered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.bundle_trial import Trial, held_back_from, judge
from jobs.bundle_writer import newest_version
from jobs.factorise import FactorSettings
from jobs.handled_requests import FILE, MOST, HandledRequests
from jobs.retraining import Retrainer, offer
from jobs.settings import ModelSection, Settings
from jobs.train_on_drift import lake_folder, models_of
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_events import NothingToLearnError, read_training_events
from jobs.training_schedule import TrainingSchedule
from jobs.training_settings import TrainingSettings
from operators.bundle import Bundle, load_bundle
from operators.bundle_manifest import MANIFEST, read_manifest, sha256_of
from operators.lake_row import LakeSettings
from operators.retrain_policy import RetrainPolicy, RetrainRequest, RetrainSettings, request_of
from operators.segments.literals import DAY
from schemas.errors import HeadraceError
from schemas.records import POOL, DriftAlert

MINUTE = 60_000
START = 1_700_000_000_000
EVENTS = 4_000
END = START + EVENTS * MINUTE
SMALL = TrainingSettings(
    lists=300,
    validation=600,
    factors=FactorSettings(factors=8, neighbours=10),
    rankers=RankerSettings(trees=((10, 7),), networks=(), least_rows_in_leaf=10),
)


def write_shop(path: Path, events: int = EVENTS, tastes: int = 4) -> Path:
    """Users who each take items of one of `tastes`, 160 items in all; new users keep coming."""
    drawn = np.random.default_rng(5)
    rows = []
    for k in range(events):
        user = int(drawn.integers(k // 40, k // 40 + 20))
        item = user % tastes + tastes * int(drawn.integers(160 // tastes))
        rows.append((f"e{k}", f"user-{user}", "view", START + k * MINUTE, f"item-{item}"))
    names = ("event_id", "user_id", "type", "time", "item_id")
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("events") / "shop.parquet")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle from when users had other tastes, of which nothing is true any more."""
    folder = tmp_path_factory.mktemp("earlier") / "shop" / "1"
    Training(SMALL).run(write_shop(folder.parents[1] / "past.parquet", EVENTS // 2, 16), None, folder)
    return folder


@pytest.fixture
def models(earlier: Path, tmp_path: Path) -> Path:
    """A folder of bundles of one's own, that holds the earlier one."""
    shutil.copytree(earlier, tmp_path / "models" / "shop" / "1")
    return tmp_path / "models" / "shop"


def asked(at: int) -> RetrainRequest:
    return RetrainRequest(
        at=at, scope="stream", signal="prediction_error", detector="ADWIN", reason="it rose", id=f"at {at}"
    )


def versions(models: Path) -> list[str]:
    """What lies in a folder of bundles, but for the file of handled requests."""
    return sorted(path.name for path in models.iterdir() if path.name != FILE)


def retrainer_of(
    source: Path, models: Path, settings: Callable[[], Settings] = Settings, sizes: TrainingSettings = SMALL
) -> Retrainer:
    return Retrainer(source=source, items=None, models=models, settings=settings, sizes=sizes)


def in_force(bundle: Path) -> Callable[[], Settings]:
    return lambda: Settings(model=ModelSection(bundle=bundle))


def manifest_with(bundle: Bundle, **span: int) -> Bundle:
    data = msgspec.structs.replace(bundle.manifest.data, **span)
    return replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, data=data))


def test_a_bundle_that_is_no_worse_becomes_the_next_version_and_is_referred_to(
    file: Path, models: Path
) -> None:
    retrainer = retrainer_of(file, models, in_force(models / "1"))
    done = retrainer.answer(asked(END + 5))
    assert done.hr >= done.hr_in_force > 0
    assert done.lists >= 100
    assert (done.in_force, done.bundle) == ("shop/1", str(models / "2"))
    assert load_bundle(models / "2").name == "shop/2"
    assert done.reference is not None
    control = offer(done.reference, now=7)
    assert (control.kind, control.name, control.version) == ("model", "shop", 7)
    body = msgspec.json.decode(control.body)
    assert body == {"folder": str((models / "2").resolve()), "sha256": sha256_of(models / "2" / MANIFEST)}
    assert versions(models) == ["1", "2"]


def test_a_worse_bundle_is_neither_kept_nor_offered(
    file: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.retraining.judge", lambda *_: Trial(lists=200, hits=(60, 61)))
    done = retrainer_of(file, models, in_force(models / "1")).answer(asked(END + 5))
    assert (done.hr, done.hr_in_force, done.accepted) == (0.3, 0.305, False)
    assert done.bundle is done.reference is None
    assert versions(models) == ["1"]


def test_the_same_bundle_is_not_worse_than_itself_and_both_are_asked_at_the_same_events(
    file: Path, earlier: Path
) -> None:
    bundle = load_bundle(earlier)
    trial = judge(read_training_events(file), (bundle, bundle), Settings(), most=400, seed=7)
    assert trial.lists > 100
    assert trial.hits[0] == trial.hits[1] > 0


def test_nobody_is_judged_by_events_that_they_learned_from(file: Path, earlier: Path) -> None:
    bundle = load_bundle(earlier)
    learned = bundle.manifest.data.ranker_until
    later = manifest_with(bundle, ranker_until=END - 100 * MINUTE)
    assert held_back_from(bundle, None) == learned
    assert held_back_from(bundle, later) == END - 100 * MINUTE
    data = read_training_events(file)
    assert judge(data, (bundle, later), Settings(), most=4_000, seed=7).lists <= 100
    assert judge(data, (bundle, manifest_with(bundle, ranker_until=END)), Settings(), 400, 7).lists == 0


def test_what_is_judged_does_not_depend_on_who_stands_beside(file: Path, earlier: Path) -> None:
    bundle, data = load_bundle(earlier), read_training_events(file)
    alone = judge(data, (bundle,), Settings(), most=200, seed=3)
    beside = judge(data, (bundle, None), Settings(), most=200, seed=3)
    assert (alone.lists, alone.hits[0]) == (beside.lists, beside.hits[0])


def test_too_little_to_judge_by_is_said_and_leaves_nothing(file: Path, models: Path, tmp_path: Path) -> None:
    few = write_shop(tmp_path / "few.parquet", EVENTS // 2)
    shutil.rmtree(models / "1")
    Training(SMALL).run(file, None, models / "1")
    with pytest.raises(HeadraceError, match="lists to judge by that neither"):
        retrainer_of(few, models, in_force(models / "1")).answer(asked(END))
    assert versions(models) == ["1"]


def test_a_training_that_fails_leaves_nothing_and_may_be_asked_for_again(tmp_path: Path) -> None:
    retrainer = retrainer_of(tmp_path / "lake", tmp_path / "models" / "ranker")
    with pytest.raises(HeadraceError, match="no such file"):
        retrainer.answer(asked(5))
    (tmp_path / "lake").mkdir()
    with pytest.raises(HeadraceError, match="no data lake"):
        retrainer.answer(asked(5))
    empty = tmp_path / "empty.csv"
    empty.write_text("user_id,type,time,item_id\n")
    retrainer.source = empty
    with pytest.raises(NothingToLearnError):
        retrainer.answer(asked(5))
    assert retrainer.why_not(asked(6)) is None
    assert newest_version(tmp_path / "models" / "ranker") is None


def test_a_request_that_the_newest_bundle_has_data_of_is_left_alone(file: Path, models: Path) -> None:
    last = read_manifest(models / "1").data.last
    retrainer = retrainer_of(file, models)
    assert "1 is newer" in (retrainer.why_not(asked(last)) or "")
    assert retrainer.why_not(asked(last + 1)) is None
    assert retrainer_of(file, models.parent / "other").why_not(asked(last)) is None


def test_two_requests_in_a_row_make_one_bundle_even_after_a_restart(file: Path, models: Path) -> None:
    settings = Settings(model=ModelSection(bundle=models / "1"), retrain=RetrainSettings(cool_down=1_000))
    retrainer = retrainer_of(file, models, lambda: settings)
    asked_at = END + 500_000  # later than the lake: it is a checkpoint behind
    assert retrainer.answer(asked(asked_at)).accepted
    for each in (retrainer, retrainer_of(file, models, lambda: settings)):
        assert each.why_not(asked(asked_at)) == f"request at {asked_at} was handled before"
        assert "2 is newer" in (each.why_not(asked(asked_at - 1)) or "")
        assert "retrain.cool_down" in (each.why_not(asked(asked_at + 999)) or "")
        assert each.why_not(asked(asked_at + 1_000)) is None


def test_the_same_drift_asks_twice_after_a_crash_of_the_job_and_of_the_training_and_is_answered_once(
    file: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = DriftAlert(
        uid="", detector="ADWIN", at=END + 5, labelled=9, error_before=0.2, error_after=0.5, scope=POOL,
        pool="persona/3", reason="it rose",
    )  # fmt: skip
    before_the_crash = RetrainPolicy(RetrainSettings(cool_down=0)).take(alert)
    restored = RetrainPolicy(RetrainSettings(cool_down=0))
    after_it = restored.take(msgspec.structs.replace(alert, reason="it rose, in other words"))
    elsewhere = restored.take(msgspec.structs.replace(alert, pool="persona/4"))
    assert before_the_crash is not None
    assert after_it is not None
    assert elsewhere is not None
    first, again, another = map(request_of, (before_the_crash, after_it, elsewhere))
    settings = Settings(model=ModelSection(bundle=models / "1"), retrain=RetrainSettings(cool_down=0))
    monkeypatch.setattr("jobs.retraining.judge", lambda *_: Trial(lists=200, hits=(60, 61)))
    assert not retrainer_of(file, models, lambda: settings).answer(first).accepted
    begun_anew = retrainer_of(file, models, lambda: settings)
    assert begun_anew.why_not(again) == f"request {first.id} was handled before"
    assert begun_anew.why_not(another) is None
    assert versions(models) == ["1"]


def test_of_handled_requests_the_last_hundred_are_remembered_and_an_unreadable_file_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    handled = HandledRequests(tmp_path / "models")
    for at in range(MOST + 10):
        handled.add(asked(at))
    again = HandledRequests(tmp_path / "models")
    assert [asked(at) in again for at in (9, 10, MOST + 9)] == [False, True, True]
    assert again.latest_at == MOST + 9
    assert (tmp_path / "models" / FILE).stat().st_size < 50 * MOST
    (tmp_path / "models" / FILE).write_bytes(b"{")
    assert asked(10) not in HandledRequests(tmp_path / "models")
    assert "counts as empty" in caplog.text
    HandledRequests(tmp_path / "models" / "new").add(asked(1))
    assert asked(1) in HandledRequests(tmp_path / "models" / "new")


def test_a_disk_that_takes_no_request_costs_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    HandledRequests(tmp_path / "models").add(asked(1))
    assert "cannot be written" in caplog.text
    assert asked(1) not in HandledRequests(tmp_path / "models")


def test_what_the_schedule_asks_for_is_answered_and_answers_what_drift_asked_until_then(
    file: Path, models: Path
) -> None:
    settings = Settings(model=ModelSection(bundle=models / "1"), retrain=RetrainSettings(cool_down=1_000))
    retrainer = retrainer_of(file, models, lambda: settings)
    scheduled = TrainingSchedule(7 * DAY, models, lambda: 0).request()
    assert retrainer.why_not(scheduled) is None
    assert retrainer.answer(scheduled).accepted
    last = read_manifest(models / "2").data.last
    for each in (retrainer, retrainer_of(file, models, lambda: settings)):
        assert each.why_not(scheduled) is None
        assert "2 is newer" in (each.why_not(asked(last)) or "")
        assert "retrain.cool_down" in (each.why_not(asked(last + 999)) or "")
        assert each.why_not(asked(last + 1_000)) is None


def test_without_a_bundle_in_force_the_blend_is_the_measure(file: Path, tmp_path: Path) -> None:
    done = retrainer_of(file, tmp_path / "models" / "ranker").answer(asked(END + 5))
    assert done.in_force == "blend"
    assert done.hr_in_force > 0
    assert done.accepted == (done.hr >= done.hr_in_force)


@pytest.mark.parametrize(
    ("told", "folder"),
    [("/data/lake", "/data/lake"), ("file:///data/lake", "/data/lake"), ("s3://shop/lake", "s3:/shop/lake")],
)
def test_the_lake_of_the_settings_is_a_folder_of_this_machine_or_of_s3(told: str, folder: str) -> None:
    assert lake_folder(Settings(lake=LakeSettings(folder=told))) == Path(folder)


def test_a_lake_elsewhere_is_refused_by_its_setting() -> None:
    with pytest.raises(
        HeadraceError, match=r"lake\.folder hdfs://shop/lake is neither a folder of this machine"
    ):
        lake_folder(Settings(lake=LakeSettings(folder="hdfs://shop/lake")))


def test_versions_lie_where_the_bundle_in_force_does() -> None:
    assert models_of(in_force(Path("models/shop/3"))()) == Path("models/shop")
    assert models_of(Settings()) == Path("models/ranker")
