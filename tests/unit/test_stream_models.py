"""The stream's models: they learn, choose by what they predicted, stay bounded, and survive being stored."""

from __future__ import annotations

import doctest
from dataclasses import replace
from types import ModuleType

import msgspec
import pytest

from jobs.bench_models import generated
from operators import (
    model_example,
    model_features,
    model_members,
    prequential_loss,
    recent_categories,
    stream_models,
)
from operators.model_example import ModelExample, example_of, is_sampled
from operators.model_features import TOKENS, tokens
from operators.prequential_loss import PrequentialLoss
from operators.recent_categories import LAST, MOST, RecentCategories
from operators.stream_models import BUYS, ENGAGES, ModelsSettings, StreamModel
from schemas.records import Event
from schemas.state import RecentItem, UserState

LINEAR = ModelsSettings(members=("linear",))


@pytest.mark.parametrize(
    "module",
    [
        model_example, model_features, model_members, prequential_loss, recent_categories,
        stream_models,
    ],
)  # fmt: skip
def test_the_examples_in_the_documentation_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def trained(name: str, examples: int, settings: ModelsSettings = LINEAR) -> StreamModel:
    model = StreamModel(name, settings)
    for example in generated(examples):
        model.learn(example)
    return model


@pytest.mark.parametrize("name", [ENGAGES, BUYS])
def test_every_member_learns_and_the_best_answers_better_than_a_coin(name: str) -> None:
    model = trained(name, 700, ModelsSettings())
    figures = model.figures()
    loss = {member: found["log loss"].fading for member, found in figures.members.items()}
    base = {ENGAGES: 0.693, BUYS: 0.47}[name]
    assert loss[model.chosen] < min(loss.values()) + 0.01 < base
    assert all(found["accuracy"].fading > 0.6 for found in figures.members.values())
    assert figures.together["accuracy"].fading > 0.6
    assert figures.examples == (2 * 699 if name == ENGAGES else 700)


def test_the_favourite_of_a_user_is_the_likeliest_next_category() -> None:
    model = trained(ENGAGES, 800)
    some = "Department 1/Shelf 1"
    user = ModelExample(
        5, 1_700_100_000_000, "view", "?", 40, 4, 60_000, "mobile", "GB", {some: 1.0}, [some] * 5
    )
    likely = model.next_categories(user)
    assert likely[0][0] == some
    assert sum(p for _, p in likely) == pytest.approx(1.0)


def test_a_stored_model_goes_on_as_if_nothing_had_happened() -> None:
    settings = ModelsSettings(members=("linear", "tree"))
    straight = trained(ENGAGES, 400, settings)
    again = StreamModel.restore(ENGAGES, settings, straight.snapshot())
    assert msgspec.structs.replace(again.figures(), stored_bytes=0) == msgspec.structs.replace(
        straight.figures(), stored_bytes=0
    )
    for example in generated(100, seed=2):
        first, second = straight.learn(example), again.learn(example)
        assert second.log_loss == pytest.approx(first.log_loss, rel=1e-9)


def test_a_model_of_another_library_or_format_begins_anew_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = ModelsSettings(members=("linear", "tree"))
    stored = trained(ENGAGES, 200, settings).snapshot()
    damaged = stored.replace(b"AdaGrad", b"AdaGrab")
    assert damaged != stored
    for unreadable in (b"", b"nonsense", damaged):
        assert StreamModel.restore(ENGAGES, settings, unreadable).rebuilt == 2
    monkeypatch.setattr(stream_models, "LIBRARY", "river 9.9")
    other = StreamModel.restore(ENGAGES, settings, stored)
    assert other.rebuilt == 2
    assert other.learn(generated(1)[0]).predictions == 2  # the last categories are still known


def test_a_member_that_was_added_to_the_settings_begins_beside_the_others() -> None:
    stored = trained(ENGAGES, 200).snapshot()
    wider = StreamModel.restore(ENGAGES, replace(LINEAR, members=("linear", "tree")), stored)
    assert wider.figures().members["linear"]["log loss"].length > 0
    assert wider.figures().members["tree"] == {}


def test_a_model_stays_within_its_bytes_and_what_is_too_large_begins_anew() -> None:
    model = StreamModel(ENGAGES, ModelsSettings())
    for k in range(500):
        model.learn(
            ModelExample(k * 7919 // 64, k * 60_000, "view", f"c{k * k % 997}", k, 1, 5, f"d{k}", f"o{k}")
        )
    assert len(model.snapshot()) < ModelsSettings().most_bytes
    small = StreamModel.restore(ENGAGES, ModelsSettings(most_bytes=150_000), model.snapshot())
    assert len(small.snapshot()) < 250_000
    assert small.rebuilt >= 1
    assert small.figures().members["linear"]["log loss"].length > 0


def test_tokens_and_categories_are_bounded_however_many_come() -> None:
    seen = {token for k in range(3_000) for token in tokens(ModelExample(k, k, "v", "?"), f"c{k}")}
    assert len(seen) <= TOKENS
    recent = RecentCategories()
    for k in range(3_000):
        recent.add(f"c{k % 1_000}")
    assert len(recent.counts) == MOST
    assert len(recent.last) == LAST
    assert sum(map(recent.share, recent.counts)) == pytest.approx(1.0)


def test_a_row_of_the_table_favours_the_last_category_itself() -> None:
    model = trained(ENGAGES, 1_000)
    for _ in range(5):
        row = model.next_row()
        assert row is not None
        odds = dict(zip(row.categories, row.log_odds, strict=True))
        assert odds[row.last] > sum(odds.values()) / len(odds)


def test_an_example_tells_of_the_user_before_the_event_and_names_nobody() -> None:
    user = UserState("pseudonym", born=1, n=4, last=1_000, categories={"a": 3.0, "b": 1.0}, country="GB")
    user.recent = [RecentItem("i1", 1, "view", "a"), RecentItem("i2", 2, "view", "b")]
    event = Event(event_id="e-17", user_id="ann", type="view", time=5_000, item_id="i3")
    example = example_of(user, event, "c")
    assert (example.events, example.idle, example.country) == (4, 4_000, "GB")
    assert (example.shares, example.last) == ({"a": 0.75, "b": 0.25}, ["b", "a"])
    stored = model_example.encode_example(example)
    assert not any(name in stored for name in (b"ann", b"pseudonym", b"e-17", b"i1"))


def test_the_sample_is_of_the_asked_size_and_the_same_again() -> None:
    taken = [k for k in range(20_000) if is_sampled(f"event-{k}", 0.05)]
    assert 850 < len(taken) < 1_150
    assert taken == [k for k in range(20_000) if is_sampled(f"event-{k}", 0.05)]


def test_prequential_windows_forget_what_was_before_a_change() -> None:
    judged = PrequentialLoss()
    for k in range(2_000):
        judged.update(0.9, int(k < 1_500))
    found = judged.measures()["accuracy"]
    assert found.window < 0.05 < 0.5 < found.fading
    assert found.length < 600
    again = PrequentialLoss.of(judged.keep(), 0.999)
    assert again.measures()["accuracy"].fading == found.fading
    assert again.measures()["accuracy"].window == pytest.approx(found.window, rel=1e-6)
    assert again.examples == 2_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": -0.1}, "rate is -0.1"),
        ({"members": ("oracle",)}, "known: linear, tree, forest"),
        ({"table": 0}, "table"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(ModelsSettings(), **change)  # type: ignore[arg-type]
