"""A bundle with a sequence model, as torch trained it once, loads and ranks wherever the job runs, without torch.

python -m tests.contract.test_sequence_golden     train it anew; needs the extra deep
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from operators.bundle import BundleRefused, load_bundle
from operators.sequence_model import load_sequence
from tests.contract import ring
from tests.contract.ring import RING, ranked, rewritten, walks, write

GOLDEN = ring.GOLDEN / "2"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "ring" / "2"))


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


def test_an_encoder_that_misses_its_golden_vectors_is_refused(bundle: Path) -> None:
    rewritten(bundle, "sequence.npz", lambda held: held["golden_vectors"].__setitem__((3, 0), 9.0))
    with pytest.raises(BundleRefused, match="golden user 3 gets another vector here"):
        load_bundle(bundle)


def test_items_that_are_not_the_bundles_are_refused(bundle: Path) -> None:
    rewritten(bundle, "sequence.npz", lambda held: held.update(numbers=held["numbers"][1:]))
    with pytest.raises(BundleRefused, match="11 items, and the bundle has 12"):
        load_bundle(bundle)


def test_vectors_that_do_not_fit_the_encoder_are_refused(bundle: Path) -> None:
    rewritten(bundle, "sequence.npz", lambda held: held.update(vectors=held["vectors"][:, 1:]))
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
    from jobs.deep import sequence_from
    from jobs.sequence_settings import SequenceSettings

    settings = SequenceSettings(length=6, width=8, negatives=11, batch=32, epochs=30, dropout=0.1, rate=1e-2)
    sequence = sequence_from(walks(), RING, {"view"}, 20, settings)
    write("2", {"sequence_fit": 1.0, "sequence_share": 0.0, "trending_score": 0.01}, sequence)


if __name__ == "__main__":
    _write()
