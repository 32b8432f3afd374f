"""A bundle with a sequence model, as torch trained it once, loads and ranks wherever the job runs, without torch.

python -m tests.contract.test_sequence_golden     train it anew; needs the extra deep
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from operators.bundle import BundleRefused, load_bundle
from operators.bundle_manifest import DataSpan, Manifest, sha256_of
from operators.ranker import Ranker
from operators.sequence_model import load_sequence
from operators.shelf import Shelf
from operators.shelf_records import Popularity
from schemas.records import Event
from schemas.state import RecentItem, UserState

GOLDEN = Path(__file__).parent / "golden" / "bundle" / "ring" / "2"
RING = [f"item-{k:02d}" for k in range(12)]
"""What users take one after the other, each from a place of their own; after the last comes the first."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "ring" / "2"))


def ranked(folder: Path, taken: list[str], trending: list[str]) -> list[str]:
    shelf = Shelf()
    shelf.apply(Popularity(["all"] * len(trending), trending, [1.0] * len(trending)))
    recent = [RecentItem(item, k, "view", "?") for k, item in enumerate(taken)]
    user = UserState("ann", born=0, n=len(taken), recent=recent)
    [made] = Ranker(shelf, bundle=load_bundle(folder)).rank([user], [100], [taken])
    return made.items


def test_what_comes_next_stands_first(bundle: Path) -> None:
    for at in range(3, 9):
        assert ranked(bundle, RING[at - 3 : at], RING)[0] == RING[at]


def test_what_was_not_there_when_it_was_trained_is_listed_and_changes_no_other_place(bundle: Path) -> None:
    made = ranked(bundle, ["new-1", *RING[3:6], "new-2"], [*RING, "new-3"])
    assert "new-3" in made
    assert [item for item in made if item != "new-3"] == ranked(bundle, RING[3:6], RING)


def test_a_user_of_new_items_alone_gets_a_list(bundle: Path) -> None:
    assert sorted(ranked(bundle, ["new-1"], RING)) == RING


def test_golden_vectors_are_those_of_torch() -> None:
    with np.load(GOLDEN / "sequence.npz") as held:
        items, vectors = held["golden_items"], held["golden_vectors"]
    np.testing.assert_allclose(load_sequence(GOLDEN, len(RING)).encode(items), vectors, rtol=1e-4, atol=1e-4)
    assert len(items) >= 20


def rewritten(folder: Path, change: Callable[[dict[str, npt.NDArray[np.generic]]], object]) -> None:
    """Change the arrays of the sequence model and the checksum with them."""
    with np.load(folder / "sequence.npz") as held:
        arrays = dict(held)
    change(arrays)
    np.savez(folder / "sequence.npz", **arrays)  # type: ignore[arg-type]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["sequence.npz"] = sha256_of(folder / "sequence.npz")
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_encoder_that_misses_its_golden_vectors_is_refused(bundle: Path) -> None:
    rewritten(bundle, lambda held: held["golden_vectors"].__setitem__((3, 0), 9.0))
    with pytest.raises(BundleRefused, match="golden user 3 gets another vector here"):
        load_bundle(bundle)


def test_items_that_are_not_the_bundles_are_refused(bundle: Path) -> None:
    rewritten(bundle, lambda held: held.update(numbers=held["numbers"][1:]))
    with pytest.raises(BundleRefused, match="11 items, and the bundle has 12"):
        load_bundle(bundle)


def test_vectors_that_do_not_fit_the_encoder_are_refused(bundle: Path) -> None:
    rewritten(bundle, lambda held: held.update(vectors=held["vectors"][:, 1:]))
    with pytest.raises(BundleRefused, match=r"sequence\.onnx: the graph returns"):
        load_bundle(bundle)


def test_a_ranker_that_wants_a_sequence_model_that_is_not_there_is_refused(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"]["sequence.onnx"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused, match=r"names no sequence\.onnx .* with --deep"):
        load_bundle(bundle)


def test_no_file_of_the_bundle_holds_a_row_of_a_user(bundle: Path) -> None:
    held = b"".join(path.read_bytes() for path in bundle.iterdir())
    assert b"user-" not in held


def _write() -> None:
    from jobs.bundle_writer import write_bundle
    from jobs.deep import sequence_from
    from jobs.factorise import FactorSettings, factorise
    from jobs.listwise_network import ListwiseNetwork
    from jobs.ranker_onnx import export_network
    from jobs.sequence_settings import SequenceSettings
    from operators.onnx_scorer import OnnxScorer

    drawn = np.random.default_rng(3)
    events = []
    for user in range(300):
        first, steps = drawn.integers(len(RING)), drawn.integers(4, 10)
        for step in range(steps):
            events.append(
                Event(event_id="", user_id=f"user-{user}", type="view", time=user * 100 + step,
                      item_id=RING[(first + step) % len(RING)])
            )  # fmt: skip
    settings = SequenceSettings(length=6, width=8, negatives=11, batch=32, epochs=30, dropout=0.1, rate=1e-2)
    sequence = sequence_from(events, RING, {"view"}, 20, settings)
    features = ("sequence_fit", "sequence_share", "trending_score")
    weights = np.array([[1.0], [0.0], [0.01]], np.float32)
    graph = export_network(ListwiseNetwork((weights,), (np.zeros(1, np.float32),)))
    inputs = drawn.normal(size=(8, len(features))).astype(np.float32)
    users, items = np.repeat(np.arange(9), 12), np.tile(np.arange(12), 9)
    factors = factorise(
        users.astype(np.int32), items.astype(np.int32), np.ones(108, np.float32), RING,
        FactorSettings(factors=4, neighbours=3),
    )  # fmt: skip
    span = DataSpan(events=len(events), users=300, items=12, first=0, factors_until=9, ranker_until=9, last=9)
    manifest = Manifest(name="ring", version="2", created="2026-11-21T00:00:00+00:00", ranker="network",
                        data=span, features=features, files={})  # fmt: skip
    shutil.rmtree(GOLDEN, ignore_errors=True)
    write_bundle(GOLDEN, manifest, factors, graph, inputs, OnnxScorer(graph, 3).score(inputs), sequence)


if __name__ == "__main__":
    _write()
