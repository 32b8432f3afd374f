"""A bundle with an autoencoder and a profile by a sequence model, trained once with torch, ranks without it.

python -m tests.contract.test_autoencoder_golden     train it anew; needs the extra deep
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from operators.barred_items import BarredItems
from operators.bundle import BundleRefused, load_bundle
from operators.bundle_manifest import AUTOENCODER, AUTOENCODER_ITEMS
from operators.candidates import CandidateFinder
from operators.factor_neighbours import FactorNeighbours
from operators.feature_plan import FeaturePlan
from operators.features import SEQUENCE_PROFILE
from operators.rank_settings import RankSettings
from operators.sequence_model import load_sequence
from operators.shelf import Shelf
from operators.shelf_records import Popularity
from operators.user_batch import UserBatch
from schemas.state import RecentItem, UserState
from tests.contract import ring
from tests.contract.ring import RING, ranked, rewritten, walks, write

GOLDEN = ring.GOLDEN / "3"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "ring" / "3"))


def test_what_goes_with_what_was_taken_stands_first_in_whatever_order_it_was_taken(bundle: Path) -> None:
    for at in range(3, 9):
        near = {RING[at - 4], RING[at]} if at > 3 else {RING[at]}
        made = ranked(bundle, RING[at - 3 : at], RING)
        assert made[0] in near
        assert ranked(bundle, RING[at - 3 : at][::-1], RING) == made


def test_what_was_not_there_when_it_was_trained_is_listed_and_changes_no_other_place(bundle: Path) -> None:
    made = ranked(bundle, ["new-1", *RING[3:6], "new-2"], [*RING, "new-3"])
    assert "new-3" in made
    assert [item for item in made if item != "new-3"] == ranked(bundle, RING[3:6], RING)
    assert sorted(ranked(bundle, ["new-1"], RING)) == RING


def test_golden_vectors_are_those_of_torch() -> None:
    model = load_sequence(GOLDEN, len(RING), AUTOENCODER, AUTOENCODER_ITEMS)
    with np.load(GOLDEN / AUTOENCODER_ITEMS) as held:
        items, vectors = held["golden_items"], held["golden_vectors"]
    np.testing.assert_allclose(model.encode(items), vectors, rtol=1e-4, atol=1e-4)
    assert len(items) >= 20


def test_the_profile_is_the_users_vector_and_alike_for_all_their_candidates() -> None:
    loaded = load_bundle(GOLDEN)
    assert loaded.sequence is not None
    shelf = Shelf()
    shelf.apply(Popularity(["all"] * 12, RING, [1.0] * 12))
    neighbours = FactorNeighbours(loaded.item_ids, loaded.neighbours, loaded.neighbour_scores)
    states = [
        UserState(
            name, born=0, n=len(taken), recent=[RecentItem(i, k, "view", "?") for k, i in enumerate(taken)]
        )
        for name, taken in (("ann", RING[:3]), ("bob", RING[4:9]), ("cy", ["new-1"]))
    ]
    users = UserBatch.of(states, shelf, [100] * 3)
    found = CandidateFinder(shelf, RankSettings().candidates, neighbours).find(
        users, BarredItems.of([[], [], []], [b"", b"", b""], shelf)
    )
    row = neighbours.numbered(shelf).row
    rows = FeaturePlan(SEQUENCE_PROFILE).rows(
        found, users, shelf, row, loaded.factors, loaded.sequence, loaded.autoencoder
    )
    vectors = loaded.sequence.users(users.recent, row)[:, : len(SEQUENCE_PROFILE)]
    np.testing.assert_allclose(rows, np.repeat(vectors, np.diff(found.start), axis=0))
    assert np.abs(vectors[0] - vectors[1]).max() > 0.1
    assert not vectors[2].any()
    with np.load(GOLDEN / "sequence.npz") as held:
        spread = held["golden_vectors"].std(axis=0)
    assert spread[0] > 2 * spread[-1]  # the first number says most


def test_an_encoder_that_misses_its_golden_vectors_is_refused(bundle: Path) -> None:
    rewritten(bundle, AUTOENCODER_ITEMS, lambda held: held["golden_vectors"].__setitem__((3, 0), 9.0))
    with pytest.raises(BundleRefused, match=r"autoencoder\.onnx: golden user 3 gets another vector here"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("file", "feature"), [(AUTOENCODER, "autoencoder_fit"), ("sequence.npz", "sequence_user_0")]
)
def test_a_ranker_that_wants_a_model_that_is_not_there_is_refused(
    bundle: Path, file: str, feature: str
) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"][file]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleRefused, match=rf"wants the feature '{feature}', .* with --deep"):
        load_bundle(bundle)


def test_a_bundle_with_an_autoencoder_has_a_format_of_its_own_and_no_row_of_a_user(bundle: Path) -> None:
    assert json.loads((bundle / "manifest.json").read_text())["format"] == 3
    assert b"user-" not in b"".join(path.read_bytes() for path in bundle.iterdir() if path.suffix != ".json")


def _write() -> None:
    from jobs.autoencoder_settings import AutoencoderSettings
    from jobs.deep import autoencoder_from, sequence_from
    from jobs.sequence_settings import SequenceSettings

    settings = AutoencoderSettings(length=6, width=8, dropout=0.3, batch=32, epochs=40, rate=1e-2)
    autoencoder = autoencoder_from(walks(), RING, {"view"}, 20, settings)
    profile = SequenceSettings(length=6, width=8, negatives=11, batch=32, epochs=5, dropout=0.1, rate=1e-2)
    sequence = sequence_from(walks(), RING, {"view"}, 20, profile)
    weights = {
        "autoencoder_fit": 1.0,
        "autoencoder_share": 0.0,
        "sequence_user_0": 0.1,
        "trending_score": 0.01,
    }
    write("3", weights, sequence, autoencoder)


if __name__ == "__main__":
    _write()
