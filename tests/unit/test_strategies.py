"""Strategies by name: single sources, blends, bundles, baselines; and users held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.evaluate_stream import evaluate
from jobs.recommenders import BASELINES, CannotJudge, recommenders, strategies
from jobs.settings import Settings, load
from jobs.training_events import TrainingEvents
from operators.bundle import load_bundle
from operators.candidates import SOURCES
from operators.held_out import LeavesOut, held_out
from operators.numbering import Numbering
from operators.prequential import Prequential, Visit
from schemas.records import Event
from tests.small_bundles import write_network

SETTINGS = Settings()


def view(n: int, user: str, item: str) -> Event:
    return Event(event_id=str(n), user_id=user, type="view", time=1_000 * n, item_id=item)


def views(count: int) -> list[Event]:
    """Nine users who walk through six items, each beginning elsewhere."""
    return [view(n, f"user-{n % 9}", f"item-{(n % 9 + n // 9) % 6}") for n in range(count)]


def data(count: int = 45) -> TrainingEvents:
    return TrainingEvents(views(count), [], 0)


def names(*asked: str) -> list[str]:
    return [each.name for each in strategies(asked, None, SETTINGS)]


def test_groups_stand_for_all_of_their_kind_and_nothing_is_judged_twice() -> None:
    assert names("sources") == [f"source:{name}" for name in SOURCES]
    assert names("popularity", "baselines", "headrace", "headrace") == [
        "popularity", *(name for name in BASELINES if name != "popularity"), "headrace",
    ]  # fmt: skip


def test_a_variant_is_judged_by_the_settings_that_its_users_would_have(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(
        '[experiments.quiet.variants.as_is]\n[experiments.quiet.variants.without]\noff = ["trending"]\n'
        "[experiments.quiet.variants.blended]\nblend = { similar = 2.0 }\n",
        "utf-8",
    )
    told = load(None, {"experiments.file": str(file)}, {})
    bundle = load_bundle(write_network(tmp_path / "shop" / "1", seed=1))
    asked = ("variant:quiet/as_is", "variant:quiet/without", "variant:quiet/blended")
    as_is, without, by_blend = strategies(asked, bundle, told)
    assert (as_is.rank, as_is.bundle) == (told.rank, bundle)
    assert (without.rank.candidates.trending, without.bundle) == (0, bundle)
    assert (by_blend.rank.blend["similar"], by_blend.bundle) == (2.0, None)
    with pytest.raises(CannotJudge, match=r"no variant 'loud'; experiments\.file has: quiet/as_is, "):
        strategies(["variant:loud"], bundle, told)


def test_a_source_alone_lists_what_it_names_and_nothing_to_fill_up() -> None:
    items = Numbering()
    made = recommenders(
        strategies(("source:covisit", "source:similar", "headrace"), None, SETTINGS), items, [], SETTINGS
    )
    trial = Prequential(made, items)
    strangers = [view(20 + n, f"stranger-{n}", f"far-{n}") for n in range(5)]
    for event in (*views(13), *strangers):
        trial.take(event)
    touched = np.array([items.find("item-4"), items.find("item-5")], np.int32)
    by_visits, by_text, whole = (each.recommend(8, 30_000, touched) for each in made)
    # Nothing has a text, and nobody went from these items to the far ones; the job fills its list with all.
    assert list(by_text) == []
    assert 0 < len(by_visits) <= 3
    assert len(whole) == 3 + 5


def test_sources_whose_names_are_all_zero_in_a_blend_do_not_order_it() -> None:
    [given, only] = strategies(("blend:covisit=2+trending=0.5", "source:covisit"), None, SETTINGS)
    assert given.rank.blend == {"covisit": 2.0, "trending": 0.5}
    assert only.rank.candidates.covisit == SETTINGS.rank.candidates.covisit
    assert only.rank.candidates.trending == only.rank.candidates.session_knn == 0


def test_lists_on_one_stream_are_as_if_each_had_its_own() -> None:
    together = evaluate(data(), ("source:covisit", "headrace", "blend", "popularity")).recommenders
    for name, ours in zip(("source:covisit", "headrace", "blend"), together, strict=False):
        [alone] = evaluate(data(), (name,)).recommenders
        assert alone == ours


def test_a_bundle_is_named_by_its_folder_and_judged_after_its_data(tmp_path: Path) -> None:
    folder = write_network(tmp_path / "shop" / "1", seed=3, ranker=False)
    done = evaluate(data(45), (f"bundle:{folder}", "blend"))
    assert [each.name for each in done.recommenders] == [f"bundle:{folder}", "blend"]
    # Its data end at 100 ms, so the first event alone is before them.
    assert done.counting == evaluate(data(45), ("popularity",)).counting
    with pytest.raises(CannotJudge, match="it has seen them all"):
        evaluate(TrainingEvents(views(1), [], 0), (f"bundle:{folder}",))


@pytest.mark.parametrize("name", ["bundle:", "source:", "magic", "blend:covisit=much"])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(CannotJudge):
        names(name)


class Diary:
    """Remembers what it was told of whom."""

    name = "diary"

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def recommend(self, user: int, time: int, touched: NDArray[np.int32]) -> Sequence[int]:
        return [3]

    def learn(self, visit: Visit) -> None:
        self.told.append(("learned", visit.event.user_id))

    def follow(self, visit: Visit) -> None:
        self.told.append(("followed", visit.event.user_id))


def test_users_held_out_are_followed_and_never_learned_from() -> None:
    users = [f"user-{n}" for n in range(60)]
    events = [Event(event_id=user, user_id=user, type="view", time=0, item_id="mug") for user in users]
    diary = Diary()
    kept = LeavesOut(diary)
    for event in events:
        kept.learn(Visit(event, 0, 0))
    assert (kept.name, kept.recommend(0, 0, np.zeros(0, np.int32))) == ("diary", [3])
    followed = {user for told, user in diary.told if told == "followed"}
    learned = {user for told, user in diary.told if told == "learned"}
    assert followed == {event.user_id for event in events if held_out(event)}
    assert 0 < len(followed) < len(learned)
    assert not followed & learned
