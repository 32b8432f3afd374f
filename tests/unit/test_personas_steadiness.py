"""Personas that do not flicker: a margin beyond the border, and how training chooses it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.personas_steadiness import KEPT_FIT, MARGINS, steadiness
from jobs.personas_vectors import PersonaVectors
from operators.bundle_manifest import BundleRefused
from operators.persona import PersonaSettings, PersonaStep
from operators.persona_bundle import load_personas, read_persona_manifest
from operators.persona_vector import PersonaVector
from operators.profile_features import FEATURES
from schemas.state import UserState
from tests.unit.made_personas import D, arithmetic, learned, model_of, vectors


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["euclidean", "cosine"]), st.integers(0, 5), st.integers(0, 10_000), st.integers(0, 3),
    st.floats(0.0, 0.9),
)  # fmt: skip
def test_a_persona_changes_beyond_the_margin_and_not_before_it(
    metric: str, seed: int, drawn: int, held: int, margin: float
) -> None:
    made = arithmetic(metric, seed)
    vector = np.random.default_rng(drawn).normal(0.0, 2.0, D)
    # In the geometry of the projection: -1 at the centroid held, 0 on the border, 1 at the nearest centroid.
    point, centroids = made.projected(vector[None])[0], made.centroids
    if metric == "cosine":
        point = point / np.linalg.norm(point)
    nearest = int(made.distances(vector[None])[0].argmin())
    way = centroids[nearest] - centroids[held]
    beyond = (
        0.0
        if nearest == held
        else (point - (centroids[nearest] + centroids[held]) / 2) @ way / (way @ way) * 2
    )
    found = model_of(made, margin).following(vector.tolist(), held)
    if abs(beyond - margin) > 1e-9:
        assert found == (nearest if beyond > margin else held)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_who_arrives_at_another_centroid_gets_its_persona_under_any_margin(metric: str) -> None:
    made = arithmetic(metric, 4)
    model = model_of(made, max(MARGINS))
    for number, centroid in enumerate(made.centroids):
        # The components are orthonormal, so this vector is projected onto the centroid.
        standardised = made.centre + made.components @ centroid
        assert (np.abs(standardised) < made.limit).all()
        vector = made.mean + made.scale * standardised
        assert {model.following(vector.tolist(), held) for held in range(4)} == {number}


def test_a_persona_that_these_personas_do_not_hold_gives_way_to_the_nearest() -> None:
    model = model_of(arithmetic("euclidean", 1), 0.6)
    row = np.random.default_rng(2).normal(size=D).tolist()
    assert model.assign(row, "of another training") == model.assign(row) == model.assign(row, None)


class Swinging(PersonaVector):
    """A vector that swings about the border between the personas p0 and p1."""

    def __init__(self) -> None:
        super().__init__(FEATURES)
        self.rows: list[list[float]] = []

    def of(self, user: UserState) -> list[float]:
        return self.rows[user.n - 1]


@pytest.mark.parametrize(("margin", "changes"), [(0.0, 9), (0.3, 0)])
def test_who_swings_about_a_border_changes_persona_without_a_margin_alone(
    margin: float, changes: int
) -> None:
    made = arithmetic("euclidean", 7, clusters=2)
    half, way = made.centroids.mean(axis=0), made.centroids[1] - made.centroids[0]
    vector = Swinging()
    for swing in (-0.1, 0.1) * 5:
        point = half + swing * way / 2
        vector.rows.append((made.mean + made.scale * (made.centre + made.components @ point)).tolist())
    step = PersonaStep(PersonaSettings(first=1, every=1), vector)
    step.use(model_of(made, margin))
    user = UserState("ann", born=0)
    seen = []
    for user.n in range(1, 11):
        seen.append(step.update(user))
    assert seen[0] is not None
    assert sum(change is not None for change in seen[1:]) == changes


def wandering(seed: int) -> PersonaVectors:
    """Users of three kinds looked at six times, each look off by noise, and at last as they are."""
    whole = vectors(seed).vectors
    drawn = np.random.default_rng(seed)
    users, looks = len(whole), 6
    rows = np.concatenate([whole + drawn.normal(0.0, 0.6, whole.shape) for _ in range(looks)])
    latest = np.arange((looks - 1) * users, looks * users)
    return PersonaVectors(rows, np.tile(np.arange(users), looks), latest, whole)


def test_training_takes_the_steadiest_margin_that_leaves_users_where_they_belong(tmp_path: Path) -> None:
    report = learned(tmp_path / "shop" / "1", wandering(3))
    manifest, held = read_persona_manifest(tmp_path / "shop" / "1"), report.steadiness
    assert [line.margin for line in held] == list(MARGINS[: len(held)])
    assert [line for line in held if line.chosen] == [report.served]
    assert manifest.margin == report.served.margin > 0.0
    assert report.served.changes == min(line.changes for line in held) < 0.9 * held[0].changes
    assert all(line.same >= KEPT_FIT * held[0].same for line in held)
    assert load_personas(tmp_path / "shop" / "1").margin == manifest.margin


def test_what_training_reports_is_what_the_stream_does(tmp_path: Path) -> None:
    given = wandering(5)
    report = learned(tmp_path / "shop" / "1", given)
    model = load_personas(tmp_path / "shop" / "1")
    held: dict[int, str] = {}
    changes = 0
    for user, row in zip(given.user.tolist(), given.vectors.tolist(), strict=True):
        before = held.get(user)
        held[user] = model.assign(row, before)
        changes += before is not None and before != held[user]
    assert report.served.changes == pytest.approx(changes / (5 * len(given.whole)), abs=1e-4)
    same = [model.assign(row) == held[user] for user, row in enumerate(given.whole.tolist())]
    assert report.served.same == pytest.approx(np.mean(same), abs=1e-4)


def test_users_looked_at_once_change_nothing(tmp_path: Path) -> None:
    given = vectors(1)
    report = learned(tmp_path / "shop" / "1", given)
    assert {(line.changes, line.agreement) for line in report.steadiness} == {(0.0, 1.0)}
    assert report.served.margin == 0.0  # nothing flickers, so nothing is held back
    found = steadiness(given, report.personas, arithmetic("euclidean", 1, clusters=3))
    assert [line.margin for line in found] == list(MARGINS)


def rewritten(folder: Path, **changes: object) -> None:
    """Change the manifest, whose own checksum stands in references alone."""
    written = json.loads((folder / "manifest.json").read_text())
    for name, value in changes.items():
        written.pop(name) if value is None else written.update({name: value})
    (folder / "manifest.json").write_bytes(msgspec.json.encode(written))


def test_a_bundle_of_an_earlier_release_has_no_margin(tmp_path: Path) -> None:
    learned(tmp_path / "shop" / "1", wandering(3))
    rewritten(tmp_path / "shop" / "1", margin=None)
    assert load_personas(tmp_path / "shop" / "1").margin == 0.0


@pytest.mark.parametrize("margin", [-0.1, 1.0])
def test_a_margin_that_makes_no_sense_is_refused(tmp_path: Path, margin: float) -> None:
    learned(tmp_path / "shop" / "1", wandering(3))
    rewritten(tmp_path / "shop" / "1", margin=margin)
    with pytest.raises(BundleRefused, match="the margin is"):
        load_personas(tmp_path / "shop" / "1")
