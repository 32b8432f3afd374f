"""Personas: found in training, kept across trainings, and assigned by the stream as training would."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli import build
from jobs.personas_identity import matched
from jobs.personas_names import names_of, traits_of
from jobs.personas_onnx import export, run
from jobs.personas_vectors import replay_vectors
from jobs.personas_writer import check_parity
from jobs.training_events import NothingToLearnError
from operators.bundle_manifest import BundleRefused, sha256_of
from operators.persona import Persona, PersonaSettings, PersonaStep
from operators.persona_bundle import load_personas, load_referenced, read_arithmetic, read_persona_manifest
from operators.persona_vector import PersonaVector
from operators.profile_features import FEATURES
from operators.user_step import StepSettings, UserStep
from schemas.records import Event
from schemas.state import UserState
from tests.unit.made_personas import PLACE, D, arithmetic, learned, model_of, vectors


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("personas") / "shop" / "1"
    learned(folder, vectors(1))
    return folder


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(nan) | st.sampled_from([inf, -inf]), min_size=D, max_size=D),
    st.sampled_from(["euclidean", "cosine"]),
    st.integers(0, 5),
)
def test_the_stream_finds_the_centroid_that_is_nearest_by_distance(
    vector: list[float], metric: str, seed: int
) -> None:
    made = arithmetic(metric, seed)
    distances = made.distances(np.array([vector]))[0]
    assert distances[model_of(made).nearest(vector)] == pytest.approx(distances.min(), abs=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_onnx_graph_assigns_as_the_stream_does(metric: str) -> None:
    made = arithmetic(metric, 3)
    rows = np.random.default_rng(5).normal(0.0, 3.0, (500, D)).astype(np.float32).astype(np.float64)
    rows[::3, 2] = nan
    model = model_of(made)
    check_parity(export(made), made, rows, np.array([model.nearest(row) for row in rows.tolist()]))


def test_a_trained_bundle_tells_the_kinds_of_users_apart_and_names_them(bundle: Path) -> None:
    manifest = read_persona_manifest(bundle)
    assert len(manifest.personas) == 3
    assert sorted(persona.id for persona in manifest.personas) == ["p1", "p2", "p3"]
    named = " / ".join(persona.name for persona in manifest.personas)
    assert "evenings" in named
    assert "large orders" in named
    assert "comes often" in named
    assert {"personas.onnx", "arithmetic.npz", "golden.npz", "report.md", "report.html"} == set(
        manifest.files
    )
    model = load_personas(bundle)
    held = [model.assign(row) for row in vectors(2).vectors.tolist()]
    for kind in range(3):
        assert len(set(held[kind::3])) == 1
    assert "<svg" in (bundle / "report.html").read_text()
    assert "| kmeans |" in (bundle / "report.md").read_text()


def test_the_golden_outputs_of_the_onnx_file_are_those_of_the_bundle(bundle: Path) -> None:
    with np.load(bundle / "golden.npz") as golden:
        found, _ = run((bundle / "personas.onnx").read_bytes(), golden["inputs"])
        np.testing.assert_array_equal(found, golden["outputs"])
    assert read_arithmetic(bundle, read_persona_manifest(bundle)).centroids.shape[0] == 3


def test_a_new_training_keeps_ids_and_names_and_numbers_what_is_new(bundle: Path, tmp_path: Path) -> None:
    first = read_persona_manifest(bundle)
    again = learned(tmp_path / "shop" / "2", vectors(9, moved=0.05), bundle)
    assert {(p.id, p.name) for p in again.personas} == {(p.id, p.name) for p in first.personas}
    assert (again.new, again.gone, again.previous) == ([], [], "shop/1")
    other = vectors(9)
    other.vectors[::3, PLACE["evening"]] -= 1.0
    other.vectors[::3, PLACE["price_level"]] -= 1.0
    other.vectors[::3, PLACE["returns"]] += 5.0
    changed = learned(tmp_path / "shop" / "3", other, bundle)
    evening = next(p.id for p in first.personas if "evenings" in p.name)
    assert (changed.new, changed.gone) == (["p4"], [evening])
    assert next(p.name for p in changed.personas if p.id == "p4").startswith("returns goods")


@given(st.permutations(range(5)), st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_personas_are_matched_whatever_their_order(order: list[int], seed: int) -> None:
    drawn = np.random.default_rng(seed)
    old = [
        Persona(
            id=f"p{k}", name=str(k), traits=(), users=1, share=0.2, means={"a": 3.0 * k, "b": float(k % 2)}
        )
        for k in range(5)
    ]
    new = [{name: mean + drawn.normal(0, 0.1) for name, mean in old[k].means.items()} for k in order]
    assert matched(new, old, {"a": 1.0, "b": 1.0}) == [old[k] for k in order]


def test_names_say_what_sets_apart_and_leave_out_what_tells_the_same_story() -> None:
    means = np.zeros((2, D))
    means[0, [PLACE["purchase_velocity"], PLACE["sessions_per_week"], PLACE["evening"]]] = (1.5, 1.2, 0.9)
    same = np.eye(D)
    often, comes = PLACE["purchase_velocity"], PLACE["sessions_per_week"]
    same[often, comes] = same[comes, often] = 0.9
    assert names_of(traits_of(means, same)) == ["buys often, evenings", "like the average"]


def shopper(
    events: int, step: UserStep, persona: PersonaStep | None
) -> tuple[UserState, list[tuple[int, str]]]:
    user = UserState("ann", born=0)
    changes = []
    for k in range(events):
        event = Event(event_id=f"e{k}", user_id="ann", type="view", time=k * 3_600_000, item_id=f"i{k % 9}")
        for _ in range(2):  # the second is a duplicate, and asks for nothing
            if step.update(user, event, None).refused is None and persona is not None:
                change = persona.update(user)
                if change is not None:
                    changes.append((user.n, change.after))
    return user, changes


def test_the_stream_assigns_at_fixed_events_what_training_would(bundle: Path) -> None:
    model = load_personas(bundle)
    step = UserStep(StepSettings(), {})
    persona = PersonaStep(PersonaSettings(), PersonaVector(FEATURES))
    persona.use(model)
    assert shopper(7, step, persona)[0].persona is None
    user, changes = shopper(70, step, persona)
    assert all(PersonaSettings().is_due(n) for n, _ in changes)
    events = [
        Event(event_id=f"e{k}", user_id="ann", type="view", time=k * 3_600_000, item_id=f"i{k % 9}")
        for k in range(70)
    ]
    trained = replay_vectors(events, [], StepSettings(), PersonaSettings())
    assert len(trained.vectors) == 4  # at 8, 16, 32 and 64
    assert user.persona == model.assign(trained.vectors[trained.latest[0]].tolist())


def test_without_personas_nothing_is_assigned_and_what_was_stays() -> None:
    persona = PersonaStep(PersonaSettings(), PersonaVector(FEATURES))
    user = UserState("ann", born=0, n=8, persona="p3")
    assert persona.update(user) is None
    assert user.persona == "p3"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "a personas message has the body"),
        ('{"folder": "/nowhere", "sha256": "00"}', "put the bundle where every task of the job reads it"),
    ],
)
def test_a_bad_reference_is_refused_with_the_way_out(body: str, says: str) -> None:
    with pytest.raises(BundleRefused, match=says):
        load_referenced(body)


def test_a_reference_loads_its_own_bundle_alone(bundle: Path, tmp_path: Path) -> None:
    reference = learned(tmp_path / "shop" / "2", vectors(4)).reference
    body = msgspec.json.encode(reference)
    assert load_referenced(body).name == "shop/2"
    manifest = tmp_path / "shop" / "2" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(BundleRefused, match="it is another bundle"):
        load_referenced(body)


def test_a_bundle_that_assigns_otherwise_or_of_other_dimensions_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "1"
    learned(folder, vectors(4))
    with pytest.raises(BundleRefused, match="train the personas again"):
        load_personas(folder, ["pace"])
    with np.load(folder / "golden.npz") as golden:
        inputs, outputs = golden["inputs"], golden["outputs"]
    np.savez(folder / "golden.npz", inputs=inputs, outputs=(outputs + 1) % 3)
    with pytest.raises(BundleRefused, match=r"golden\.npz: SHA-256"):
        load_personas(folder)
    signed(folder)
    with pytest.raises(BundleRefused, match="golden row 0 is nearest to persona"):
        load_personas(folder)


def signed(folder: Path) -> None:
    """Let the manifest name the golden file as it is now."""
    written = json.loads((folder / "manifest.json").read_text())
    written["files"]["golden.npz"] = sha256_of(folder / "golden.npz")
    (folder / "manifest.json").write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (np.full((3, D), "one"), np.arange(3)),
        (np.zeros((3, D)), np.array(["p1", "p2", "p3"])),
        (np.zeros((3, D)), np.zeros((3, 1), np.int64)),
        (np.zeros((0, D)), np.zeros(0, np.int64)),
        (np.zeros(3), np.zeros((), np.int64)),
    ],
)
def test_golden_rows_that_are_none_are_refused(
    tmp_path: Path, inputs: npt.NDArray[Any], outputs: npt.NDArray[Any]
) -> None:
    folder = tmp_path / "shop" / "1"
    learned(folder, vectors(4))
    np.savez(folder / "golden.npz", inputs=inputs, outputs=outputs)
    signed(folder)
    with pytest.raises(BundleRefused, match=r"golden\.npz: inputs .* train the personas again"):
        load_personas(folder)


def test_too_few_users_make_no_personas(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError, match="9 users have 8 events or more; personas need 50"):
        learned(tmp_path / "1", vectors(1, users=9))


def test_train_without_a_command_is_still_the_ranker_and_personas_is_its_own(tmp_path: Path) -> None:
    app = build(["train"])
    missing = str(tmp_path / "none.csv")
    for words in (["train", missing], ["train", "personas", missing]):
        said = CliRunner().invoke(app, words)
        assert said.exit_code == 2
        assert "none.csv" in said.output
    assert "--fewest" in CliRunner().invoke(app, ["train", "personas", "--help"]).output
    assert "--lists" in CliRunner().invoke(app, ["train", "ranker", "--help"]).output
