"""A model bundle serves only when it is whole, unaltered, and made for the features computed here."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from jobs.bundle_writer import BundleExists, write_bundle
from jobs.factorise import FactorSettings, ItemFactors, factorise
from jobs.listwise_network import ListwiseNetwork
from jobs.ranker_onnx import export_network
from operators.bundle import Bundle, BundleRefused, load_bundle
from operators.bundle_manifest import DataSpan, Manifest, RankerKind, sha256_of
from operators.onnx_scorer import OnnxScorer

FEATURES = ("covisit_score", "popularity", "price_gap")
SPAN = DataSpan(events=90, users=9, items=6, first=0, factors_until=60, ranker_until=80, last=100)


def manifest(ranker: RankerKind = "network") -> Manifest:
    return Manifest(
        name="shop",
        version="1",
        created="2026-01-01T00:00:00Z",
        ranker=ranker,
        data=SPAN,
        features=FEATURES,
        files={},
    )


def factors() -> ItemFactors:
    drawn = np.random.default_rng(3)
    users = drawn.integers(0, 9, 90).astype(np.int32)
    items = drawn.integers(0, 6, 90).astype(np.int32)
    settings = FactorSettings(factors=4, neighbours=3, least_users=1)
    return factorise(users, items, np.ones(90, np.float32), [f"item-{i}" for i in range(6)], settings)


def graph() -> bytes:
    drawn = np.random.default_rng(4)
    weights = tuple(drawn.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4, 1)))
    return export_network(ListwiseNetwork(weights, (np.ones(4, np.float32), np.zeros(1, np.float32))))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "shop" / "1"
    ranker = graph()
    inputs = np.random.default_rng(5).normal(size=(20, 3)).astype(np.float32)
    write_bundle(folder, manifest(), factors(), ranker, inputs, OnnxScorer(ranker, 3).score(inputs))
    return folder


@pytest.fixture
def bundle(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "bundle"))


def rewrite_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rechecksum(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rewrite_manifest(folder, files={name: sha256_of(folder / name) for name in files})


def test_a_whole_bundle_loads_quickly_and_says_its_name(bundle: Path) -> None:
    start = time.perf_counter()
    loaded = load_bundle(bundle, FEATURES)
    assert time.perf_counter() - start < 0.5
    assert loaded.name == "shop/1"
    assert loaded.features == FEATURES
    assert loaded.item_ids == [f"item-{i}" for i in range(6)]
    assert loaded.factors.shape == (6, 4)
    assert loaded.neighbours.shape == loaded.neighbour_scores.shape == (6, 3)


def test_scores_are_one_float_per_row_and_none_for_no_rows(bundle: Path) -> None:
    loaded = load_bundle(bundle, FEATURES)
    scores = loaded.score(np.zeros((5, 3), np.float32))
    assert scores.shape == (5,)
    assert scores.dtype == np.float32
    assert loaded.score(np.zeros((0, 3), np.float32)).shape == (0,)


def test_nothing_in_a_loaded_bundle_can_be_written_to(bundle: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_bundle(bundle, FEATURES).factors[0, 0] = 1.0


def test_an_altered_file_is_refused_by_its_name(bundle: Path) -> None:
    stored = bytearray((bundle / "ranker.onnx").read_bytes())
    stored[len(stored) // 2] ^= 1
    (bundle / "ranker.onnx").write_bytes(stored)
    with pytest.raises(BundleRefused, match=r"ranker\.onnx: SHA-256 .* altered; copy the bundle again"):
        load_bundle(bundle, FEATURES)


@pytest.mark.parametrize("name", ["ranker.onnx", "factors.npz", "golden.npz"])
def test_a_missing_file_is_refused_by_its_name(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleRefused, match=f"{name}: cannot be read"):
        load_bundle(bundle, FEATURES)


def test_a_ranker_that_misses_its_golden_scores_is_refused(bundle: Path) -> None:
    with np.load(bundle / "golden.npz") as golden:
        inputs, outputs = golden["inputs"], golden["outputs"]
    outputs[7] += 0.01
    np.savez(bundle / "golden.npz", inputs=inputs, outputs=outputs)
    rechecksum(bundle)
    with pytest.raises(BundleRefused, match=r"golden row 7 scores .* train the bundle again"):
        load_bundle(bundle, FEATURES)


def test_a_bundle_names_its_features_and_their_order_and_others_may_be_known_beside_them(
    bundle: Path,
) -> None:
    assert load_bundle(bundle, {*FEATURES, "recency"}).features == FEATURES
    assert load_bundle(bundle).features == FEATURES


def test_a_feature_that_this_release_lacks_is_refused_by_name(bundle: Path) -> None:
    with pytest.raises(BundleRefused, match=r"wants the feature 'price_gap', .*; train the bundle again"):
        load_bundle(bundle, ("covisit_score", "popularity", "recency"))


def test_a_bundle_of_a_later_format_is_refused_by_number(bundle: Path) -> None:
    rewrite_manifest(bundle, format=5)
    with pytest.raises(
        BundleRefused, match="bundle format 5; this release reads 1, 2, 3 and 4: train it again"
    ):
        load_bundle(bundle, FEATURES)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="give the folder that `headrace train` wrote"):
        load_bundle(tmp_path, FEATURES)


@pytest.mark.parametrize("written", [b"", b"{", b'{"format": 1}', b"\xff\xfe", b"[]"])
def test_a_manifest_that_does_not_parse_is_refused(bundle: Path, written: bytes) -> None:
    (bundle / "manifest.json").write_bytes(written)
    with pytest.raises(BundleRefused, match=r"manifest\.json"):
        load_bundle(bundle, FEATURES)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ""])
def test_a_manifest_cannot_name_files_outside_its_folder(bundle: Path, name: str) -> None:
    rewrite_manifest(bundle, files={name: "0" * 64})
    with pytest.raises(BundleRefused, match="not a file name inside the bundle"):
        load_bundle(bundle, FEATURES)


def test_factors_that_do_not_fit_their_items_are_refused(bundle: Path) -> None:
    with np.load(bundle / "factors.npz") as held:
        arrays = dict(held)
    arrays["neighbours"] = np.full_like(arrays["neighbours"], 6)
    np.savez(bundle / "factors.npz", **arrays)
    rechecksum(bundle)
    with pytest.raises(BundleRefused, match=r"factors\.npz: arrays of 6 items do not fit together"):
        load_bundle(bundle, FEATURES)


def test_pickled_arrays_are_never_unpickled(bundle: Path) -> None:
    np.savez(bundle / "factors.npz", item_ids=np.array([{"a": 1}], dtype=object))
    rechecksum(bundle)
    with pytest.raises(BundleRefused, match=r"factors\.npz"):
        load_bundle(bundle, FEATURES)


def test_a_graph_of_another_width_is_refused(bundle: Path) -> None:
    rewrite_manifest(bundle, features=["covisit_score", "popularity"])
    with pytest.raises(BundleRefused, match=r"float32\[n, 2\] is needed"):
        load_bundle(bundle, ("covisit_score", "popularity"))


def test_a_bundle_without_ranker_carries_factors_and_says_so(tmp_path: Path) -> None:
    empty = np.zeros((0, 3), np.float32)
    loaded = write_bundle(tmp_path / "1", manifest("blend"), factors(), None, empty, empty[:, 0])
    assert isinstance(loaded, Bundle)
    assert not loaded.has_ranker
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["factors.npz", "manifest.json"]
    with pytest.raises(ValueError, match="carries no ranker"):
        loaded.score(empty)


def test_a_version_is_written_once(bundle: Path) -> None:
    empty = np.zeros((0, 3), np.float32)
    with pytest.raises(BundleExists, match="choose another version"):
        write_bundle(bundle, manifest("blend"), factors(), None, empty, empty[:, 0])


def test_a_bundle_that_would_be_refused_never_appears_under_its_name(tmp_path: Path) -> None:
    inputs = np.ones((2, 3), np.float32)
    with pytest.raises(BundleRefused, match=r"golden row 0"):
        write_bundle(tmp_path / "1", manifest(), factors(), graph(), inputs, np.full(2, 99.0, np.float32))
    assert not (tmp_path / "1").exists()
