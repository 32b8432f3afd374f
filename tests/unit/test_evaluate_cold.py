"""`headrace evaluate --cold`: what is new is told apart, and only text can speak for an item nobody touched."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from jobs.cli import build
from jobs.evaluate import KNOWN, evaluate_cold
from jobs.training_events import TrainingEvents
from schemas.records import Event, Item

RETAIL = Path(__file__).parents[2] / "data" / "online_retail_2010_2011.parquet"
NOON = 1_300_000_000_000
KINDS = ("enamel camping mug", "oak kitchen table", "felt owl cushion", "paper garden lantern")


def shop() -> TrainingEvents:
    """Users keep to one kind of thing; in the later half each kind has a new item, which each user takes first."""
    items = [
        Item(item_id=f"{kind[:3]}-{n}", title=f"{word} {kind}")
        for kind in KINDS
        for n, word in enumerate(("red", "blue", "green", "white", "black", "grey", "pink", "new"))
    ]
    events: list[Event] = []

    def view(user: str, item: str) -> None:
        at = NOON + 1_000 * len(events)
        events.append(Event(event_id=str(at), user_id=user, type="view", time=at, item_id=item))

    for user in range(40):
        for step in range(3):
            view(f"old-{user}", f"{KINDS[user % 4][:3]}-{(user + step) % 7}")
    for user in range(40):
        kind = KINDS[user % 4][:3]
        view(f"young-{user}", f"{kind}-{user % 7}")
        view(f"young-{user}", f"{kind}-7")
        view(f"young-{user}", f"{kind}-{(user + 1) % 7}")
    return TrainingEvents(events, items, 0)


def test_only_the_text_finds_an_item_that_nobody_touched() -> None:
    done = evaluate_cold(shop())
    assert (done.new_items, done.new_users) == (4, 40)
    groups = {group.group: group for group in done.groups}
    first = groups["new items: 1st touch"]
    figures = {score.name: score.hit_rate for score in first.recommenders}
    assert first.counting == 4
    assert figures["headrace"] == 1.0
    assert {figures[name] for name in KNOWN if name != "headrace"} == {0.0}
    assert groups["new items: first 3 touches"].counting == 12
    assert [groups[f"new users: {k} earlier event{'s' * (k > 1)}"].counting for k in (1, 2, 3)] == [40, 40, 0]
    assert groups["all counting events"].counting == 80


def test_the_command_prints_every_group_for_machines() -> None:
    words = ["evaluate", str(RETAIL), "--cold", "--limit", "600", "--only", "popularity", "--json"]
    ran = CliRunner().invoke(build(words), words)
    assert ran.exit_code == 0, ran.output
    done = json.loads(ran.output)
    assert len(done["groups"]) == 6
    assert done["groups"][-1]["counting"] > 100
    assert done["groups"][0]["recommenders"][0]["hit_rate"] == 0.0
