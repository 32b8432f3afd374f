"""`train --deep`: models of users' last items learn, and the rule picks them where they are worth their cost."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.deep import DeepMissing, numbered, require_torch, sequence_from
from jobs.factorise import FactorSettings
from jobs.sequence_settings import SequenceSettings
from jobs.sequence_windows import windows_of
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_events import TrainingEvents
from jobs.training_settings import TrainingSettings
from operators.bundle import load_bundle
from operators.bundle_manifest import AUTOENCODER, SEQUENCE
from operators.feature_plan import UnknownFeatures
from operators.features import AUTOENCODER_FEATURES, DEEP_FEATURES, FEATURES
from schemas.records import Event

START = 1_700_000_000_000
MINUTE = 60_000
RING = 12
TINY = SequenceSettings(length=6, width=16, negatives=8, batch=64, epochs=12, dropout=0.1, rate=1e-2)

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the extra deep is not installed: pip install 'headrace[deep]'"
)


def rounds(events: int = 2_400, users: int = 40) -> list[Event]:
    """Every user goes round a ring of items from a place of their own, so that what comes next is certain."""
    drawn = np.random.default_rng(3)
    at = drawn.integers(0, RING, users)
    made = []
    for k in range(events):
        user = int(drawn.integers(users))
        generation = k // 600  # users come anew, since nobody takes an item twice
        item = f"item-{at[user] % RING}"
        at[user] += 1
        name = f"user-{user}-{generation}"
        made.append(Event(event_id=f"e{k}", user_id=name, type="view", time=START + k * MINUTE, item_id=item))
    return made


def test_a_window_is_what_was_taken_before_and_never_what_came() -> None:
    events = rounds(600)
    numbers = {f"item-{k}": k + 1 for k in range(RING)}
    made = windows_of(events, numbers, {"view"}, length=4, remembered=20)
    assert len(made) > 300
    assert not (made.items == made.target[:, None]).any()
    assert (made.items[:, 0] % RING + 1 == made.target).all()  # the newest comes first
    cut = windows_of(events[:300], numbers, {"view"}, length=4, remembered=20)
    np.testing.assert_array_equal(cut.items, made.items[: len(cut)])
    np.testing.assert_array_equal(cut.target, made.target[: len(cut)])


def test_items_of_too_few_users_have_no_number() -> None:
    seen = [
        Event(event_id="", user_id=user, type="view", time=1, item_id=item)
        for user, item in (("ann", "a"), ("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c"), ("cy", "c"))
    ]
    assert numbered(seen, ["a", "b", "c"], {"view"}, 2).tolist() == [0, 1, 2]


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed here")
def test_without_torch_the_way_out_is_said_before_anything_is_read() -> None:
    with pytest.raises(DeepMissing, match=r"pip install 'headrace\[deep\]'"):
        Training(TrainingSettings(sequence=TINY))


def test_features_of_a_sequence_model_cannot_be_asked_for_without_one() -> None:
    for name in DEEP_FEATURES:
        with pytest.raises(UnknownFeatures, match=name):
            Training(TrainingSettings(features=(*FEATURES, name)))


def test_heads_share_the_width() -> None:
    with pytest.raises(ValueError, match="cannot be shared by 3 heads"):
        SequenceSettings(width=64, heads=3)


@needs_torch
def test_what_follows_is_learned_and_exported() -> None:
    require_torch()
    ids = [f"item-{k}" for k in range(RING)]
    made = sequence_from(rounds(), ids, {"view"}, 20, TINY)
    model = made.model()
    windows = np.array([[k, k - 1, k - 2, 0, 0, 0] for k in range(4, RING)], np.int32)
    scores = model.encode(windows) @ model.vectors.T
    scores[np.arange(len(windows))[:, None], windows] = -np.inf
    assert (scores.argmax(axis=1) == windows[:, 0] + 1).all()
    again = sequence_from(rounds(), ids, {"view"}, 20, TINY)
    assert made.graph == again.graph


@needs_torch
def test_a_bundle_with_a_sequence_model_is_trained_and_loads(tmp_path: Path) -> None:
    settings = TrainingSettings(
        lists=400,
        validation=300,
        factors=FactorSettings(factors=8, neighbours=10),
        rankers=RankerSettings(networks=((8,),), epochs=5, rankers=("network",)),
        sequence=TINY,
        autoencoder=AutoencoderSettings(length=6, width=8, batch=64, epochs=5, rate=1e-2),
    )
    data = TrainingEvents(rounds(), [], 0)
    report = Training(settings).learn(data, tmp_path / "ring" / "1")
    labels = [tried.ranker for tried in report.tried]
    assert labels == [
        "blend", "network 8", "sequence alone", "network 8 + sequence", "network 8 + sequence profile",
        "autoencoder alone", "network 8 + autoencoder",
    ]  # fmt: skip
    bundle = load_bundle(tmp_path / "ring" / "1")
    chosen = next(tried.ranker for tried in report.tried if tried.chosen)
    assert (bundle.sequence is not None) == ("sequence" in chosen)
    assert (bundle.autoencoder is not None) == ("autoencoder" in chosen)
    held = {AUTOENCODER: "autoencoder", SEQUENCE: "sequence"}
    assert all((file in bundle.manifest.files) == (name in chosen) for file, name in held.items())
    assert set(AUTOENCODER_FEATURES[:1]).issubset(bundle.features) == ("autoencoder" in chosen)
    assert bundle.manifest.libraries["torch"]
    plain = Training(replace(settings, sequence=None, autoencoder=None)).learn(data, tmp_path / "ring" / "2")
    assert [tried.ranker for tried in plain.tried] == ["blend", "network 8"]
