"""`train --boosted`: a boosted model of the next category learns from the first part; the rule says if it serves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from jobs.bundle_writer import write_bundle
from jobs.factorise import FactorSettings, ItemFactors
from jobs.train_ranker import RankerSettings
from jobs.training import Training
from jobs.training_events import TrainingEvents, split
from jobs.training_settings import TrainingSettings
from operators.bundle import load_bundle
from operators.bundle_manifest import (
    BOOSTED,
    BOOSTED_FORMAT,
    BOOSTED_GOLDEN,
    BUNDLE_FORMAT,
    BundleRefused,
    Manifest,
    sha256_of,
)
from operators.feature_plan import UnknownFeatures
from operators.features import FEATURES
from tests.small_bundles import SPAN
from tests.unit.made_boosted import QUICK, drawn_boosted
from tests.unit.test_boosted_category import CATEGORIES, ITEMS, OF, visits

SETTINGS = TrainingSettings(
    lists=400,
    validation=300,
    factors=FactorSettings(factors=4, neighbours=5),
    rankers=RankerSettings(networks=((8,),), epochs=3, rankers=("network",)),
    boosted=QUICK,
)
DATA = TrainingEvents(visits(2_500, users=60), ITEMS, 0)


def written(folder: Path) -> Path:
    """A bundle whose ranker is the boosted model's feature itself."""
    from jobs.listwise_network import ListwiseNetwork
    from jobs.ranker_onnx import export_network
    from operators.onnx_scorer import OnnxScorer

    graph = export_network(ListwiseNetwork((np.ones((1, 1), np.float32),), (np.zeros(1, np.float32),)))
    manifest = Manifest(
        name=folder.parent.name, version=folder.name, created="", ranker="network", data=SPAN,
        features=("boosted_category",), files={},
    )  # fmt: skip
    none = np.zeros((0, 4), np.float32)
    factors = ItemFactors([], none, np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))
    golden = np.linspace(0.0, 1.0, 5, dtype=np.float32)[:, None]
    write_bundle(
        folder, manifest, factors, graph, golden, OnnxScorer(graph, 1).score(golden), drawn_boosted()
    )
    return folder


def rewritten(folder: Path, **arrays: np.typing.NDArray[np.generic]) -> None:
    with np.load(folder / BOOSTED_GOLDEN) as held:
        kept = dict(held) | arrays
    np.savez(folder / BOOSTED_GOLDEN, **kept)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][BOOSTED_GOLDEN] = sha256_of(folder / BOOSTED_GOLDEN)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_bundle_brings_its_model_back(tmp_path: Path) -> None:
    bundle = load_bundle(written(tmp_path / "shop" / "1"))
    made = drawn_boosted()
    assert bundle.manifest.format == BOOSTED_FORMAT
    assert bundle.boosted is not None
    np.testing.assert_allclose(bundle.boosted.of_rows(made.golden_rows), made.golden, rtol=1e-4, atol=1e-4)
    assert len(made.golden) >= 20
    assert np.ptp(made.golden) > 0.1


def test_a_model_that_misses_its_golden_probabilities_is_refused(tmp_path: Path) -> None:
    folder, golden = written(tmp_path / "shop" / "1"), drawn_boosted().golden.copy()
    golden[3] += 0.001
    rewritten(folder, outputs=golden)
    with pytest.raises(BundleRefused, match=r"categories\.onnx: golden row 3 scores"):
        load_bundle(folder)


def test_a_model_of_other_inputs_is_refused_by_their_names(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop" / "1")
    with np.load(folder / BOOSTED_GOLDEN) as held:
        names = held["names"].tolist()
    rewritten(folder, names=np.array([*names[:-1], "moon"]))
    with pytest.raises(BundleRefused, match=r"not those of this release \(moon, weekday\)"):
        load_bundle(folder)


def test_a_ranker_that_wants_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop" / "1")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][BOOSTED]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused, match=r"names no categories\.onnx .* with --boosted"):
        load_bundle(folder)


def test_the_feature_cannot_be_asked_for_without_its_model() -> None:
    with pytest.raises(UnknownFeatures, match="boosted_category"):
        Training(TrainingSettings(features=(*FEATURES, "boosted_category")))


def test_every_ranker_is_tried_with_and_without_and_probabilities_are_judged(tmp_path: Path) -> None:
    report = Training(SETTINGS).learn(DATA, tmp_path / "shop" / "1")
    assert [tried.ranker for tried in report.tried] == [
        "blend", "network 8", "boosted category alone", "network 8 + boosted category",
    ]  # fmt: skip
    assert all(tried.microseconds > 0.0 for tried in report.tried[1:])
    assert report.tried[3].microseconds > report.tried[2].microseconds
    own = {each.said: each for each in report.categories if each.asked == "the user's own"}
    assert own["boosted_category"].log_loss < own["category_probability"].log_loss
    chosen = next(tried.ranker for tried in report.tried if tried.chosen)
    bundle = load_bundle(tmp_path / "shop" / "1")
    serves = "boosted" in chosen
    assert (bundle.boosted is not None) == (BOOSTED in bundle.manifest.files) == serves
    assert bundle.manifest.format == (BOOSTED_FORMAT if serves else BUNDLE_FORMAT)
    plain = Training(replace(SETTINGS, boosted=None)).learn(DATA, tmp_path / "shop" / "2")
    assert [tried.ranker for tried in plain.tried] == ["blend", "network 8"]
    assert plain.categories == []
    # Lists of rankers without it are the same as where there is no such model.
    assert [(t.mrr, t.hr) for t in plain.tried] == [(t.mrr, t.hr) for t in report.tried[:2]]


def test_the_model_knows_nothing_of_the_events_after_those_that_make_the_factors() -> None:
    first, _ = split(DATA.events, SETTINGS.factor_share, SETTINGS.ranker_share)
    drawn = np.random.default_rng(8)
    others = [
        msgspec.structs.replace(event, item_id=ITEMS[int(drawn.integers(len(ITEMS)))].item_id)
        for event in DATA.events[first:]
    ]
    planted = TrainingEvents([*DATA.events[:first], *others], ITEMS, 0)
    graphs = []
    for data in (DATA, planted):
        boosted = Training(SETTINGS).lists(data).boosted
        assert boosted is not None
        graphs.append(boosted.exported.graph)
    assert graphs[0] == graphs[1]
    before = [
        *(
            msgspec.structs.replace(event, item_id=event.item_id and _elsewhere(event.item_id))
            for event in DATA.events[first // 2 : first]
        )
    ]
    other = TrainingEvents([*DATA.events[: first // 2], *before, *DATA.events[first:]], ITEMS, 0)
    boosted = Training(SETTINGS).lists(other).boosted
    assert boosted is not None
    assert boosted.exported.graph != graphs[0]


def _elsewhere(item_id: str) -> str:
    category = OF[item_id]
    other = CATEGORIES[(CATEGORIES.index(category) + 1) % len(CATEGORIES)]
    return item_id.replace(category, other)
