"""`headrace evaluate`: Headrace's own list and the baselines on one stream, as a library and as a command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import build
from jobs.evaluate import KNOWN, CannotJudge, evaluate
from jobs.headrace_list import HeadraceList
from jobs.plain_stream import PlainStream
from jobs.training_events import TrainingEvents, read_training_events
from operators.bundle import Bundle
from operators.bundle_manifest import DataSpan, Manifest
from operators.numbering import Numbering
from operators.prequential import Prequential
from schemas.records import Event

RETAIL = Path(__file__).parents[2] / "data" / "online_retail_2010_2011.parquet"
SECOND = 1_000
NOON = 1_300_000_000_000

STRICT = 7_618
"""Strict events of the Online Retail file as its adapter shuffles it; other shuffles give 7,477 to 7,712."""


def shoppers(count: int) -> list[Event]:
    """Users who buy items 0 to 7 of one of two shelves, one a second, each beginning at another item."""
    events = []
    for user in range(count):
        for step in range(8):
            item = f"{('even', 'odd')[user % 2]}-{(user + step) % 8}"
            time = NOON + (user * 8 + step) * SECOND
            events.append(
                Event(event_id=f"{user}-{step}", user_id=str(user), type="purchase", time=time, item_id=item)
            )
    return events


def data_of(events: list[Event]) -> TrainingEvents:
    return TrainingEvents(events, [], 0)


def blend_bundle(last: int) -> Bundle:
    """A bundle without a ranker, made from events until `last` (ms)."""
    manifest = Manifest(
        name="shop",
        version="7",
        created="2026-01-01T00:00:00Z",
        ranker="blend",
        data=DataSpan(events=1, users=1, items=1, first=0, factors_until=0, ranker_until=0, last=last),
        features=(),
        files={},
    )
    factors, neighbours = np.ones((1, 2), np.float32), np.full((1, 1), -1, np.int32)
    return Bundle(manifest, ["even-0"], factors, neighbours, np.zeros((1, 1), np.float32), None)


def test_all_recommenders_are_judged_by_the_same_events() -> None:
    done = evaluate(data_of(shoppers(12)))
    assert [score.name for score in done.recommenders] == list(KNOWN)
    # 12 users with 8 items each, of which the first never counts; each is later than the one before.
    assert (done.events, done.counting, done.strict, done.users, done.items) == (96, 84, 84, 12, 16)


def test_headraces_list_finds_what_similar_shoppers_bought() -> None:
    [own, popular] = evaluate(data_of(shoppers(40)), ("headrace", "popularity")).recommenders
    assert own.hit_rate is not None
    assert own.mrr is not None
    assert popular.mrr is not None
    assert own.hit_rate > 0.8
    assert own.mrr > 1.5 * popular.mrr


def test_headraces_list_is_made_of_what_came_before_the_event() -> None:
    # Every user takes items that nobody took before: no honest list can hold them.
    events = [
        Event(
            event_id=f"{u}-{n}", user_id=str(u), type="view", time=(10 * n + u) * SECOND, item_id=f"{u}-{n}"
        )
        for n in range(6)
        for u in range(4)
    ]
    [own] = evaluate(data_of(events), ("headrace",)).recommenders
    assert own.hit_rate == 0.0


def test_headraces_list_never_holds_a_touched_item_however_many_there_are() -> None:
    # More items than the bounded record remembers; the protocol raises on a list with a touched item.
    items = 530
    events = [
        Event(
            event_id=f"{u}-{n}",
            user_id=str(u),
            type="view",
            time=(items * u + n) * SECOND,
            item_id=f"item-{n}",
        )
        for u in range(2)
        for n in range(items)
    ]
    catalogue = Numbering()
    trial = Prequential([HeadraceList(catalogue, PlainStream())], catalogue)
    for event in events:
        trial.take(event)
    assert trial.counting == 2 * (items - 1)


def test_a_model_is_judged_only_by_events_after_its_data() -> None:
    events = shoppers(12)
    done = evaluate(data_of(events), ("headrace", "popularity"), blend_bundle(last=events[47].time))
    assert done.model == "shop/7"
    assert (done.events, done.counting) == (96, 6 * 7)


def test_a_model_that_has_seen_all_events_is_refused() -> None:
    events = shoppers(3)
    with pytest.raises(CannotJudge, match=r"shop/7 was trained on events until .* train on an earlier span"):
        evaluate(data_of(events), ("headrace",), blend_bundle(last=events[-1].time))


def test_an_unknown_recommender_is_refused_by_name() -> None:
    with pytest.raises(CannotJudge, match=r"named 'magic'; known: headrace, session-knn"):
        evaluate(data_of(shoppers(1)), ("magic",))


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    rows = [f"{e.user_id}\t{e.item_id}\t{e.time / SECOND}" for e in shoppers(12)]
    file = tmp_path / "sessions.txt"
    file.write_text("\n".join(["SessionId\tItemId\tTime", *rows]) + "\n")
    return file


def run(*words: str) -> str:
    said = CliRunner().invoke(build(["evaluate"]), ["evaluate", *words])
    assert said.exit_code == 0, said.output
    return said.stdout


def test_the_command_prints_one_json_object_for_machines(session_file: Path) -> None:
    done = json.loads(run(str(session_file), "--json"))
    assert (done["events"], done["counting"], done["unused_rows"], done["model"]) == (96, 84, 0, None)
    assert [score["name"] for score in done["recommenders"]] == list(KNOWN)
    assert set(done["recommenders"][0]) == {
        "name", "hit_rate", "mrr", "strict_hit_rate", "strict_mrr", "coverage",
    }  # fmt: skip


def test_the_command_prints_a_table_for_people(session_file: Path) -> None:
    said = run(str(session_file), "--only", "popularity", "--only", "last-item")
    assert "HR@20" in said
    assert "last-item" in said
    assert "headrace" not in said
    assert "84 of 96 events counted, 84 of them strict" in said


def test_a_limit_takes_the_first_events_alone(session_file: Path) -> None:
    done = json.loads(run(str(session_file), "--json", "--limit", "10", "--only", "popularity"))
    assert (done["events"], done["counting"]) == (10, 8)


@pytest.fixture(scope="module")
def retail() -> TrainingEvents:
    return read_training_events(RETAIL)


def test_the_online_retail_file_has_the_documented_counting_events(retail: TrainingEvents) -> None:
    done = evaluate(retail, only=())
    assert (done.touching, done.users, done.items) == (396_337, 4_362, 3_659)
    assert (done.counting, done.strict) == (261_887, STRICT)


def test_counting_events_of_the_online_retail_file_do_not_depend_on_its_refunds(
    retail: TrainingEvents,
) -> None:
    part = replace(retail, events=retail.events[:60_000])
    sold = replace(part, events=[event for event in part.events if event.type == "purchase"])
    assert len(part.events) - len(sold.events) > 0
    whole, without = evaluate(part, only=()), evaluate(sold, only=())
    assert whole.counting > 10_000
    assert (without.counting, without.strict) == (whole.counting, whole.strict)
