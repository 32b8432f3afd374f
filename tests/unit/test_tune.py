"""`headrace tune`: what it may change, that it judges as `evaluate` does, and never by what it tunes for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.evaluate import evaluate
from jobs.settings import Settings, load
from jobs.training_events import NothingToLearnError, TrainingEvents
from jobs.tune_judge import Judge
from jobs.tune_panel import judge, learns_alike
from jobs.tune_proposals import Proposals
from jobs.tune_search import Bounds, Found, Search, Stand
from jobs.tune_space import DIALS, Dial, Values, dials_for, laid_over, value_in
from operators.judged_events import judged_events
from operators.list_figures import FIGURES, figures
from operators.ranker import Ranker
from operators.shelf import Shelf
from schemas.records import Event, Item

NOON = 1_300_000_000_000
SHORT = Bounds(trials=8, sample=30)

LOUD_TRENDS = laid_over(Settings(), {"rank.blend.trending": 0.5, "rank.blend.covisit": 0.1})
"""Settings that can be bettered: what trends drowns what goes together."""


def shoppers(users: int, seed: int = 1) -> list[Event]:
    """Views of users who mostly go on by seven items in a ring of 40, an hour after each other."""
    random = np.random.default_rng(seed)
    events = []
    for user in range(users):
        item, time = int(random.integers(40)), NOON + user * 3_600_000
        for step in range(8):
            name = Event(
                event_id=f"{user}-{step}", user_id=f"u{user}", type="view", time=time, item_id=f"i{item}"
            )
            events.append(name)
            item = (item + 7) % 40 if random.random() < 0.7 else int(random.integers(40))
            time += 60_000 * int(random.integers(2))
    return events


def data_of(events: list[Event]) -> TrainingEvents:
    return TrainingEvents(sorted(events, key=lambda event: event.time), [], 0)


def searched(
    events: list[Event],
    seed: int = 1,
    bounds: Bounds = SHORT,
    progress: Callable[[Stand], None] = lambda stand: None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Found:
    return Search(data_of(events), LOUD_TRENDS, bounds, seed, progress, clock).run()


def write_csv(path: Path, events: list[Event]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event_id", "user_id", "type", "time", "item_id"])
        rows.writerows([[e.event_id, e.user_id, e.type, e.time, e.item_id] for e in events])
    return path


@pytest.mark.parametrize("dial", DIALS, ids=lambda dial: str(dial.name))
def test_a_dial_turns_a_setting_that_is_there_around_its_default(dial: Dial) -> None:
    default = value_in(Settings(), dial.name)
    assert isinstance(default, int) == dial.whole
    assert dial.low < default <= dial.high
    for value in (dial.rounded(dial.low), dial.rounded(dial.high)):
        turned = laid_over(Settings(), {dial.name: value})
        assert value_in(turned, dial.name) == value
        assert Settings.model_validate(turned.model_dump()).model_dump() == turned.model_dump()
        assert learns_alike(turned, Settings()) == (not dial.learns)
        Ranker(Shelf(), turned.rank)


def test_what_cannot_change_lists_of_the_data_is_not_tried() -> None:
    bare = data_of(shoppers(1))
    of_toys = replace(bare, items=[Item(item_id="i1", category="Toys")])
    assert {d.name for d in dials_for(of_toys, False)} - {d.name for d in dials_for(bare, False)} == {
        "rank.blend.category_trending"
    }


def test_a_panel_judges_each_settings_as_evaluate_does() -> None:
    data = data_of(shoppers(30))
    ways: list[Values] = [
        {},
        {"rank.blend.covisit": 0.1},
        {"statistics.reverse": 0.1, "step.session_gap": 600_000},
    ]
    settings = [laid_over(Settings(), values) for values in ways]
    judged = judged_events(data.events)
    for each, ranks in zip(settings, judge(settings, data.events, [], judged), strict=True):
        [score] = evaluate(data, ("headrace",), settings=each).recommenders
        told = figures(ranks, judged)
        assert told.tolist() == pytest.approx([getattr(score, name) for name in FIGURES])


def test_a_sample_is_judged_as_it_is_among_all() -> None:
    data = data_of(shoppers(20))
    whole = judged_events(data.events)
    drawn = whole.sample(25, seed=4)
    [every] = judge([Settings()], data.events, [], whole)
    [some] = judge([Settings()], data.events, [], drawn)
    assert some.tolist() == every[drawn.at].tolist()
    assert some.any()


def test_settings_are_judged_once_however_often_they_are_asked_for() -> None:
    data = data_of(shoppers(30))
    passes = count()
    judged = Judge(data, LOUD_TRENDS, judged_events(data.events), lambda taken: taken or next(passes))
    [first] = judged.objectives([{"rank.blend.trending": 0.05}])
    again = judged.objectives([{"rank.blend.trending": 0.05}, {}])
    assert again == [first, 1.0]
    assert next(passes) == 1
    assert judged.best(1) == [(first, {"rank.blend.trending": 0.05})]


def test_proposals_come_to_what_is_better_and_follow_their_seed() -> None:
    dials = [Dial("statistics.reverse", 0.1, 1.0), Dial("step.previous_items", 1, 5, whole=True)]

    def after(seed: int) -> list[dict[str, float | int]]:
        proposals = Proposals(dials, {"statistics.reverse": 0.5, "step.previous_items": 3}, seed)
        for _ in range(3):
            asked = proposals.ask(8)
            for values in asked:
                assert 0.1 <= values["statistics.reverse"] <= 1.0
                assert values["step.previous_items"] in range(1, 6)
            proposals.tell([1.0 + v["statistics.reverse"] - 0.1 * v["step.previous_items"] for v in asked])
        return proposals.ask(8)

    late = after(seed=1)
    assert late == after(seed=1)
    assert np.median([values["statistics.reverse"] for values in late]) > 0.7
    assert np.median([values["step.previous_items"] for values in late]) <= 2


def test_a_search_finds_what_is_better_and_the_same_by_the_same_seed() -> None:
    found = searched(shoppers(60))
    assert found.gain > 0.0
    assert found.confirmed
    assert found.tried == SHORT.trials
    assert found.values
    assert set(found.worth) == set(found.values)
    assert found == searched(shoppers(60))


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def break_off(stand: Stand) -> None:
        if stand.tried >= 5:
            raise KeyboardInterrupt

    found = searched(shoppers(60), bounds=replace(SHORT, trials=1_000), progress=break_off)
    assert found.stopped == "interrupted"
    assert found.values
    assert found.gain > 0.0
    assert not found.confirmed


def test_the_end_of_the_time_keeps_the_best_so_far() -> None:
    seconds = count(0, 25)
    found = searched(
        shoppers(60), bounds=replace(SHORT, trials=1_000, minutes=1), clock=lambda: next(seconds)
    )
    assert found.stopped == "the 1 minutes were over"


def test_a_stream_that_judges_nothing_is_refused() -> None:
    alone = [replace_user(event, f"{k}") for k, event in enumerate(shoppers(3))]
    with pytest.raises(NothingToLearnError, match="give more events"):
        searched(alone)


def replace_user(event: Event, user: str) -> Event:
    return Event(
        event_id=event.event_id, user_id=user, type=event.type, time=event.time, item_id=event.item_id
    )


def tune(arguments: list[str]) -> tuple[int, str, str]:
    done = CliRunner().invoke(build(["tune"]), ["tune", *arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "loud.toml"
    path.write_text("[rank.blend]\nsession_knn = 1.0\ncovisit = 0.1\ntrending = 0.5\n")
    return path


def test_the_command_writes_a_settings_file_that_says_what_it_was_made_of(
    tmp_path: Path, config: Path
) -> None:
    file, out = write_csv(tmp_path / "shop.csv", shoppers(100)), tmp_path / "tuned.toml"
    code, said, error = tune(
        [str(file), "--trials", "8", "--sample", "50", "--config", str(config), "--out", str(out), "--json"]
    )
    assert (code, error) == (0, "")
    done = json.loads(said)
    values = {change["name"]: change["tuned"] for change in done["changes"]}
    assert values
    tuned = load(out, variables={})
    assert tuned.model_dump() == laid_over(load(config, variables={}), values).model_dump()
    assert done["earlier"]["events"] + done["later"]["events"] == 800
    assert done["earlier"]["last"] < done["later"]["first"]
    assert [figure["name"] for figure in done["verdict"]["figures"]] == list(FIGURES)
    gain = done["verdict"]["gain"]
    assert done["recommended"] == (gain["low"] > 0.0)
    comment = out.read_text()
    assert f"on {file.name} with seed 1" in comment
    assert f"gain {100 * gain['by']:+.1f} %" in comment
    assert ("NOT RECOMMENDED" in comment) == (not done["recommended"])


def test_nothing_of_the_later_part_is_looked_at(tmp_path: Path, config: Path) -> None:
    events = data_of(shoppers(60)).events
    later = [
        Event(event_id=e.event_id, user_id=e.user_id, type="purchase", time=e.time, item_id=f"other-{k % 5}")
        for k, e in enumerate(events[300:])
    ]
    chosen = []
    for name, stream in (("one", events), ("other", events[:300] + later)):
        file = write_csv(tmp_path / f"{name}.csv", stream)
        out = str(tmp_path / f"{name}.toml")
        options = ["--trials", "8", "--sample", "50", "--config", str(config), "--out", out, "--json"]
        done = json.loads(tune([str(file), *options])[1])
        chosen.append((done["changes"], done["found_gain"], done["verdict"]["judged"]))
    assert chosen[0][:2] == chosen[1][:2]
    assert chosen[0][0]
    assert chosen[0][2] != chosen[1][2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share", "1.5"], "--share"),
        (["--trials", "0"], "--trials"),
        (["--budget", "0"], "--budget"),
        (["--out", "/no/such/folder/tuned.toml"], "there is no folder"),
        (["--limit", "1"], "too few different times"),
    ],
)
def test_bad_input_is_told_in_a_line(tmp_path: Path, options: list[str], said: str) -> None:
    file = write_csv(tmp_path / "shop.csv", shoppers(10))
    code, _, error = tune([str(file), "--out", str(tmp_path / "tuned.toml"), *options])
    assert code == 2
    assert said in error
    assert not (tmp_path / "tuned.toml").exists()
