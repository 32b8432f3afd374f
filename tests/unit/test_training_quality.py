"""The report in a new bundle's folder, on the events that its ranker did not learn from."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.quality_report import Origin
from jobs.settings import Settings
from jobs.training_events import TrainingEvents
from jobs.training_quality import drawn, write_quality
from operators.bundle import load_bundle
from schemas.records import Event
from tests.small_bundles import SPAN, write_network

ORIGIN = Origin(command="", files=[], sha256=[], made="", versions={})


def views() -> list[Event]:
    """Nine users who walk through six items, one event a millisecond, until the end of the bundle's data."""
    return [
        Event(
            event_id=str(n),
            user_id=f"user-{n % 9}",
            type="view",
            time=n,
            item_id=f"item-{(n % 9 + n // 18) % 6}",
        )
        for n in range(SPAN.last + 1)
    ]


def test_a_new_bundle_is_judged_by_what_its_ranker_did_not_learn_from(tmp_path: Path) -> None:
    folder = write_network(tmp_path / "shop" / "1", seed=3)
    heard: list[int] = []
    report = write_quality(folder, TrainingEvents(views(), [], 0), Settings(), ORIGIN, heard.append)
    kept = json.loads((folder / "report" / "report.json").read_text())
    assert [each["name"] for each in kept["strategies"]][:2] == ["headrace", "blend"]
    assert kept["models"] == {"headrace": "shop/1"}
    taken_anew = {(event.user_id, event.item_id) for event in views() if event.time >= SPAN.ranker_until} - {
        (event.user_id, event.item_id) for event in views() if event.time < SPAN.ranker_until
    }
    assert report.judgements == len(taken_anew) > 0
    assert heard[-1] == len(views())
    # What was written beside it does not change the bundle.
    assert load_bundle(folder).name == "shop/1"


def test_what_a_user_took_at_one_time_is_drawn_as_a_whole() -> None:
    chosen = drawn(0.5)
    events = [
        Event(event_id=f"{n}-{piece}", user_id=f"user-{n}", type="purchase", time=7, item_id=piece)
        for n in range(40)
        for piece in "ab"
    ]
    told = [chosen(event) for event in events]
    assert told[::2] == told[1::2]
    assert 0 < sum(told) < len(told)
    assert all(map(drawn(1.0), events))
