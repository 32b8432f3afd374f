"""A new bundle by split: users who were left out teach nothing, and what was seen before is not unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from jobs.factorise import FactorSettings
from jobs.plain_stream import PlainStream
from jobs.quality_report import Origin
from jobs.settings import Settings
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_bundle import LEFT_OUT
from jobs.training_events import TrainingEvents
from jobs.training_quality import write_quality
from jobs.training_set import ListSampler
from jobs.training_settings import TrainingSettings
from jobs.training_splits import LATER, LEFT_OUT_USERS, SplitFigures, names_of, split_figures
from jobs.training_told import print_splits
from operators.bundle import load_bundle
from operators.cold_start import UNSEEN_ITEMS
from operators.held_out import ONE_IN, held_out
from schemas.records import Event

MINUTE = 60_000
START = 1_700_000_000_000
EVENTS = 2_400
ORIGIN = Origin(command="", files=[], sha256=[], made="", versions={})
SMALL = TrainingSettings(
    lists=300,
    validation=300,
    factors=FactorSettings(factors=8, neighbours=10),
    rankers=RankerSettings(rankers=("trees",), trees=((10, 7),), least_rows_in_leaf=10),
    leaves_users_out=True,
)


def shop(events: int = EVENTS) -> list[Event]:
    """80 users, each of one of three tastes; a taste has 20 items, and four more come late."""
    drawn = np.random.default_rng(11)
    made = []
    for k in range(events):
        user = int(drawn.integers(80))
        item = int(drawn.integers(20))
        late = k > 0.85 * events and drawn.random() < 0.2
        name = f"late-{user % 3}-{item % 4}" if late else f"item-{user % 3}-{item}"
        made.append(
            Event(
                event_id=f"e{k}", user_id=f"user-{user}", type="view", time=START + k * MINUTE, item_id=name
            )
        )
    return made


def data(events: list[Event]) -> TrainingEvents:
    return TrainingEvents(events, [], 0)


def changed(events: list[Event], *, of_left_out: bool) -> list[Event]:
    """The same events, those of some users with other items."""
    return [
        msgspec.structs.replace(event, item_id=f"item-{(k + 1) % 3}-{k % 20}")
        if held_out(event) is of_left_out
        else event
        for k, event in enumerate(events)
    ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "shop" / "1"
    Training(SMALL).learn(data(shop()), folder)
    return folder


def test_there_are_users_to_leave_out() -> None:
    assert 50 < sum(map(held_out, shop())) < EVENTS // 4


def learned_of(events: list[Event], settings: TrainingSettings = SMALL) -> list[npt.NDArray[np.float32]]:
    """All that a bundle is made of: factors, and the lists that rankers are fitted to and chosen by."""
    made = Training(settings).lists(data(events))
    return [
        made.factors.factors,
        made.train.rows,
        made.train.blend,
        made.validation.rows,
        made.validation.blend,
    ]


def test_nothing_that_users_who_are_left_out_do_changes_what_a_bundle_is_made_of() -> None:
    as_it_was, changed_since = learned_of(shop()), learned_of(changed(shop(), of_left_out=True))
    assert all(len(array) for array in as_it_was)
    for one, other in zip(as_it_was, changed_since, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "of_left_out"), [(SMALL, False), (replace(SMALL, leaves_users_out=False), True)]
)
def test_a_planted_leak_would_show(settings: TrainingSettings, of_left_out: bool) -> None:
    """The same change, of users who are not left out, or with nobody left out, is learned from."""
    as_it_was = learned_of(shop(), settings)
    changed_since = learned_of(changed(shop(), of_left_out=of_left_out), settings)
    assert all(
        one.shape != other.shape or (one != other).any()
        for one, other in zip(as_it_was, changed_since, strict=True)
    )


def test_a_bundle_says_that_users_were_left_out(bundle: Path) -> None:
    assert load_bundle(bundle).manifest.settings[LEFT_OUT] == ONE_IN


def test_no_list_is_of_a_user_who_is_left_out_and_nothing_shared_learns_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[Event] = []
    learned: list[Event] = []
    sample, learn = ListSampler.sample, PlainStream.learn

    def sample_and_tell(self: ListSampler, event: Event, bought_at: int) -> None:
        sampled.append(event)
        sample(self, event, bought_at)

    def learn_and_tell(self: PlainStream, event: Event) -> object:
        learned.append(event)
        return learn(self, event)

    monkeypatch.setattr(ListSampler, "sample", sample_and_tell)
    monkeypatch.setattr(PlainStream, "learn", learn_and_tell)
    Training(SMALL).lists(data(shop()))
    assert len(sampled) > 100
    assert not any(map(held_out, sampled))
    assert not any(map(held_out, learned))
    assert len(learned) == EVENTS - sum(map(held_out, shop()))


def figures(bundle: Path, events: list[Event]) -> dict[str, SplitFigures]:
    report = write_quality(bundle, data(events), Settings(), ORIGIN)
    kept = json.loads((bundle / "report" / "report.json").read_text())
    assert kept["groupings"][0]["title"] == "By split"
    return {split.split: split for split in split_figures(report)}


def test_the_report_tells_later_events_users_left_out_and_unseen_items_apart(bundle: Path) -> None:
    events, until = shop(), load_bundle(bundle).manifest.data.ranker_until
    told = figures(bundle, events)
    assert list(told) == [LATER, LEFT_OUT_USERS, UNSEEN_ITEMS]

    def taken_anew(of: list[Event]) -> int:
        before = {(e.user_id, e.item_id) for e in events if e.time < until}
        return len({(e.user_id, e.item_id) for e in of if e.time >= until} - before)

    assert told[LATER].judged == taken_anew(events)
    assert told[LEFT_OUT_USERS].judged == taken_anew([e for e in events if held_out(e)]) > 0
    assert (
        told[UNSEEN_ITEMS].judged == taken_anew([e for e in events if str(e.item_id).startswith("late")]) > 10
    )
    assert names_of(list(told.values())) == ["headrace", "blend", "popularity"]
    for split in told.values():
        hr, mrr = split.hr["headrace"], split.mrr["headrace"]
        assert hr is not None
        assert mrr is not None
        assert 0.0 < mrr <= hr <= 1.0
    assert told[LATER].hr["session-knn"] is not None
    page = (bundle / "report" / "report.html").read_text()
    assert LEFT_OUT_USERS in page


def test_an_item_that_anybody_touched_before_is_not_unseen(bundle: Path) -> None:
    events, until = shop(), load_bundle(bundle).manifest.data.ranker_until
    planted = msgspec.structs.replace(events[3], event_id="planted", user_id="somebody", item_id="late-0-0")
    seen = sorted([*events, planted], key=lambda event: event.time)
    late = [e for e in events if e.time >= until and e.item_id == "late-0-0"]
    before, after = (figures(bundle, each)[UNSEEN_ITEMS].judged for each in (events, seen))
    assert late
    assert before - after == len({e.user_id for e in late})


def test_of_a_bundle_that_learned_from_all_users_nothing_is_told_of_users_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "1"
    Training(replace(SMALL, leaves_users_out=False)).learn(data(shop()), folder)
    assert LEFT_OUT not in load_bundle(folder).manifest.settings
    assert list(figures(folder, shop())) == [LATER, UNSEEN_ITEMS]


def test_the_table_has_who_was_judged_on_every_split_and_no_figure_where_nothing_was() -> None:
    console = Console(width=100, record=True, file=StringIO())
    splits = [
        SplitFigures(
            split=LATER, judged=2_000, hr={"headrace": 0.25, "session-knn": 0.2}, mrr={"headrace": 0.1}
        ),
        SplitFigures(split=LEFT_OUT_USERS, judged=9, hr={"headrace": 0.5}, mrr={"headrace": 0.3}),
        SplitFigures(split=UNSEEN_ITEMS, judged=0, hr={"headrace": None}, mrr={"headrace": None}),
    ]
    print_splits(splits, console)
    told = console.export_text()
    assert "2,000" in told
    assert "0.250" in told
    assert "–" in told
    assert "session-knn" not in told
