"""A model made elsewhere becomes a bundle that ranks, or is refused with what is wrong and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from jobs.cli import build
from jobs.outside_graph import OutsideModelRefused, as_ranker, read_graph
from jobs.outside_model import add_model, features_in
from operators.bundle import load_bundle
from operators.bundle_manifest import BundleRefused
from operators.bundle_reference import reference_to
from operators.feature_plan import UnknownFeatures
from operators.features import FEATURES
from operators.onnx_scorer import OnnxScorer
from tests.small_bundles import write_network

MODELS = Path(__file__).parents[1] / "contract" / "golden" / "models"
NAMES = ("popularity", "price_gap", "profile.events")
ROWS = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
TAKEN = (ROWS[:, 0] - ROWS[:, 1] > 0).astype(np.int64)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, folder / "outside.onnx")
    return folder / "outside.onnx"


def linear(
    inputs: list[Any], outputs: list[Any], nodes: list[Any], opset: int = 17, **constants: Any
) -> onnx.ModelProto:
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def matrix(name: str, *shape: int | str | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def product(
    columns: int = 1, rows: int | str | None = None, kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """x · w, as float[n, columns]."""
    made = np.float64 if kind == TensorProto.DOUBLE else np.float32
    return linear(
        [matrix("x", rows, 3, kind=kind)],
        [matrix("y", rows, columns, kind=kind)],
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        w=np.arange(3 * columns, dtype=made).reshape(3, columns),
    )


def exported(kind: str) -> tuple[onnx.ModelProto, Any]:
    """A model by one of the usual exporters, and its own scores of `ROWS`."""
    sizes = {"n_estimators": 5, "max_depth": 3}
    width = [("features", FloatTensorType([None, 3]))]
    if kind.startswith("xgboost"):
        if kind == "xgboost regressor":
            booster = xgboost.XGBRegressor(**sizes).fit(ROWS, TAKEN)
            return convert_xgboost(booster, initial_types=width), booster.predict(ROWS)
        booster = xgboost.XGBClassifier(**sizes).fit(ROWS, TAKEN)
        return convert_xgboost(booster, initial_types=width), booster.predict_proba(ROWS)[:, 1]
    if kind == "scikit-learn regressor":
        trees = GradientBoostingRegressor(**sizes).fit(ROWS, TAKEN)
        return to_onnx(trees, ROWS[:1]), trees.predict(ROWS)
    if kind.startswith("scikit-learn trees"):
        trees = GradientBoostingClassifier(**sizes).fit(ROWS, TAKEN)
        options = {id(trees): {"zipmap": "zipmap" in kind}}
        return to_onnx(trees, ROWS[:1], options=options), trees.predict_proba(ROWS)[:, 1]
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, TAKEN)
    rows = ROWS[:1].astype(np.float64 if "float64" in kind else np.float32)
    return to_onnx(fitted, rows), fitted.predict_proba(ROWS)[:, 1]


EXPORTS = (
    "xgboost regressor", "xgboost classifier", "scikit-learn regressor", "scikit-learn trees",
    "scikit-learn trees with zipmap", "scikit-learn pipeline", "scikit-learn pipeline in float64",
)  # fmt: skip


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_model_of_another_library_scores_in_its_bundle_as_it_did_there(kind: str, tmp_path: Path) -> None:
    model, scores = exported(kind)
    np.savez(tmp_path / "golden.npz", inputs=ROWS, outputs=scores)
    file = saved(model, tmp_path)
    made = add_model(file, NAMES, tmp_path / "shop" / "1", golden=tmp_path / "golden.npz")
    bundle = load_bundle(tmp_path / "shop" / "1")
    assert (made.name, made.golden_rows, bundle.features) == ("shop/1", 300, NAMES)
    assert bundle.manifest.ranker == "added"
    np.testing.assert_allclose(bundle.score(ROWS), scores, rtol=1e-4, atol=1e-4)


def test_a_torch_export_scores_as_torch_did(tmp_path: Path) -> None:
    features = (*NAMES, "sources")
    golden = MODELS / "torch_ranker.npz"
    made = add_model(MODELS / "torch_ranker.onnx", features, tmp_path / "deep" / "1", golden=golden)
    with np.load(golden) as held:
        outputs = load_bundle(tmp_path / "deep" / "1").score(held["inputs"])
        np.testing.assert_allclose(outputs, held["outputs"][:, 0], rtol=1e-4, atol=1e-4)
    assert 0.0 < made.microseconds <= made.most_microseconds


def test_golden_scores_of_another_model_are_refused_by_row(tmp_path: Path) -> None:
    model, scores = exported("xgboost regressor")
    scores = scores.copy()
    scores[17] += 1e-3
    np.savez(tmp_path / "golden.npz", inputs=ROWS, outputs=scores)
    with pytest.raises(OutsideModelRefused, match=r"1 of 300 golden rows .* row 17"):
        add_model(saved(model, tmp_path), NAMES, tmp_path / "shop" / "1", golden=tmp_path / "golden.npz")
    assert not (tmp_path / "shop").exists()


def test_factors_come_from_the_base_and_so_does_what_it_has_seen(tmp_path: Path) -> None:
    base = write_network(tmp_path / "base" / "1", 3)
    model = product()
    add_model(saved(model, tmp_path), ("factor_fit", *NAMES[:2]), tmp_path / "shop" / "1", base=base)
    bundle, under = load_bundle(tmp_path / "shop" / "1"), load_bundle(base)
    np.testing.assert_array_equal(bundle.factors, under.factors)
    assert bundle.item_ids == under.item_ids
    assert bundle.manifest.data.ranker_until == under.manifest.data.last
    assert bundle.manifest.settings["base"] == "base/1"


def test_without_a_base_features_of_item_factors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutsideModelRefused, match="factor_fit reads item factors; say with --base"):
        add_model(saved(product(), tmp_path), ("factor_fit", *NAMES[:2]), tmp_path / "shop" / "1")


def test_what_the_model_has_seen_is_not_known_to_be_earlier_than_now_unless_said(tmp_path: Path) -> None:
    file = saved(product(), tmp_path)
    add_model(file, NAMES, tmp_path / "shop" / "1")
    add_model(file, NAMES, tmp_path / "shop" / "2", seen_until=1_700_000_000_000)
    seen = [load_bundle(tmp_path / "shop" / n).manifest.data.ranker_until for n in "12"]
    assert seen[0] > 1_700_000_000_000
    assert seen[1] == 1_700_000_000_000


def test_a_feature_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownFeatures, match="'taste'"):
        add_model(saved(product(), tmp_path), ("taste", *NAMES[:2]), tmp_path / "shop" / "1")


def test_a_model_above_the_budget_is_taken_only_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.ranker_cost.MOST_MICROSECONDS", 0.0)
    file = saved(product(), tmp_path)
    with pytest.raises(OutsideModelRefused, match=r"µs per user, and 0 is the budget; .* --over-budget"):
        add_model(file, NAMES, tmp_path / "shop" / "1")
    made = add_model(file, NAMES, tmp_path / "shop" / "1", over_budget=True)
    assert made.microseconds > 0.0


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (product(3), r"shape \[5, 3\] for 5 rows"),
        (product(rows=1), "takes exactly 1 rows; .* dynamic_axes"),
        (product(kind=TensorProto.DOUBLE), None),
        (product(2), None),
        (
            linear(
                [matrix("x", None, 4)], [matrix("y", None, 4)], [helper.make_node("Relu", ["x"], ["y"])]
            ),
            r"shape \[n, 4\], and --features names 3",
        ),
        (
            linear(
                [matrix("x", None, 3, kind=TensorProto.INT64)],
                [matrix("y", None, 3, kind=TensorProto.FLOAT)],
                [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
            ),
            "takes int64; float32 or float64",
        ),
        (
            linear(
                [matrix("x", None, 3)],
                [matrix("a", None, 3), matrix("b", None, 3)],
                [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["b"])],
            ),
            "outputs a float, b float; say which is the score with --output",
        ),
        (
            linear(
                [matrix("x", None, 3)],
                [matrix("y", None, kind=TensorProto.INT64)],
                [helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)],
            ),
            "one of floats is needed",
        ),
        (
            linear(
                [matrix("x", None, 3)], [matrix("y", None, 3)],
                [helper.make_node("OwnThing", ["x"], ["y"], domain="our.own")],
            ),
            "no valid ONNX model|onnxruntime cannot run it",
        ),
        (
            linear(
                [matrix("a", None, 1), matrix("b", None, 1)], [matrix("y", None, 1)],
                [helper.make_node("Add", ["a", "b"], ["y"])],
            ),
            r"takes a \[n, 1\], b \[n, 1\]; one input \[n, 3\] is needed",
        ),
    ],
)  # fmt: skip
def test_a_graph_that_gives_no_score_per_row_is_refused_with_what_it_gives(
    model: onnx.ModelProto, why: str | None, tmp_path: Path
) -> None:
    file = saved(model, tmp_path)
    if why is None:
        graph, _ = as_ranker(read_graph(file), NAMES)
        assert OnnxScorer(graph, 3).score(ROWS).shape == (300,)
        return
    with pytest.raises(OutsideModelRefused, match=why):
        as_ranker(read_graph(file), NAMES)


def test_a_named_output_is_taken_and_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    model = product(1)
    model.graph.node.append(helper.make_node("Neg", ["y"], ["least"]))
    model.graph.output.append(matrix("least", None, 1))
    file = saved(model, tmp_path)
    with pytest.raises(OutsideModelRefused, match="no output 'score'; known: y, least"):
        as_ranker(read_graph(file), NAMES, "score")
    graph, chosen = as_ranker(read_graph(file), NAMES, "least")
    assert chosen == "least"
    np.testing.assert_allclose(OnnxScorer(graph, 3).score(ROWS), -(ROWS @ [0, 1, 2]), rtol=1e-4, atol=1e-4)


def test_an_input_for_each_feature_is_fed_by_name_in_any_order(tmp_path: Path) -> None:
    inputs = [matrix(name, None, 1) for name in reversed(NAMES)]
    sub = helper.make_node("Sub", [NAMES[0], NAMES[1]], ["gap"])
    nodes = [sub, helper.make_node("Add", ["gap", NAMES[2]], ["y"])]
    graph, _ = as_ranker(linear(inputs, [matrix("y", None, 1)], nodes), NAMES)
    found = OnnxScorer(graph, 3).score(ROWS)
    np.testing.assert_allclose(found, ROWS[:, 0] - ROWS[:, 1] + ROWS[:, 2], rtol=1e-5, atol=1e-5)


def test_a_model_that_looks_at_the_whole_batch_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0]),
        helper.make_node("Sub", ["x", "mean"], ["off"]),
        helper.make_node("MatMul", ["off", "w"], ["y"]),
    ]
    model = linear(
        [matrix("x", None, 3)], [matrix("y", None, 1)], nodes, w=np.ones((3, 1), np.float32)
    )  # fmt: skip
    with pytest.raises(OutsideModelRefused, match="a row alone and the same row among others"):
        add_model(saved(model, tmp_path), NAMES, tmp_path / "shop" / "1")


@pytest.mark.parametrize(
    ("weight", "why"), [(np.nan, "is nan for golden row 0"), (0.0, "is 0 for every golden row")]
)
def test_scores_that_order_nothing_are_refused(weight: float, why: str, tmp_path: Path) -> None:
    model = linear(
        [matrix("x", None, 3)], [matrix("y", None, 1)], [helper.make_node("MatMul", ["x", "w"], ["y"])],
        w=np.full((3, 1), weight, np.float32),
    )  # fmt: skip
    with pytest.raises(OutsideModelRefused, match=why):
        add_model(saved(model, tmp_path), NAMES, tmp_path / "shop" / "1")


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"inputs": ROWS[:, :2], "outputs": TAKEN}, r"inputs of shape \[300, 2\]"),
        ({"inputs": ROWS, "outputs": TAKEN[:9]}, r"outputs of shape \[9\]"),
        ({"inputs": ROWS}, "outputs"),
    ],
)
def test_golden_arrays_that_do_not_fit_are_refused(arrays: dict[str, Any], why: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "golden.npz", **arrays)
    with pytest.raises((OutsideModelRefused, BundleRefused), match=why):
        add_model(saved(product(), tmp_path), NAMES, tmp_path / "shop" / "1", golden=tmp_path / "golden.npz")


def test_what_is_no_model_is_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(OutsideModelRefused, match=r"x\.onnx: is no valid ONNX model"):
        read_graph(tmp_path / "x.onnx")
    with pytest.raises(OutsideModelRefused, match=r"y\.onnx: cannot be read"):
        read_graph(tmp_path / "y.onnx")


def test_features_come_from_a_list_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "features.txt"
    file.write_text("# ours\npopularity, price_gap\n\nprofile.events  # of the user\n")
    assert features_in(str(file)) == NAMES == features_in("popularity,price_gap,profile.events")
    with pytest.raises(OutsideModelRefused, match="names price_gap twice"):
        features_in("price_gap,price_gap")
    with pytest.raises(OutsideModelRefused, match="names no feature"):
        features_in(" , ")


def test_the_command_writes_a_bundle_that_model_put_can_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = write_network(tmp_path / "base" / "1", 3)
    width = len(FEATURES)
    weights = np.random.default_rng(2).normal(size=(width, 1)).astype(np.float32)
    model = linear(
        [matrix("x", None, width)], [matrix("y", None, 1)],
        [helper.make_node("MatMul", ["x", "w"], ["y"])], w=weights,
    )  # fmt: skip
    file = saved(model, tmp_path)
    words = [
        "model",
        "add",
        str(file),
        "--features",
        ",".join(FEATURES),
        "--name",
        "ours",
        "--base",
        str(base),
    ]
    for version in ("1", "2"):
        result = CliRunner().invoke(build([*words, "--json"]), [*words, "--json"])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["name"] == f"ours/{version}"
    folder = tmp_path / "models" / "ours" / "2"
    assert reference_to(folder).folder == str(folder)
    # The golden rows are the base's, which has the same features.
    with np.load(base / "golden.npz") as held, np.load(folder / "golden.npz") as kept:
        np.testing.assert_array_equal(held["inputs"], kept["inputs"])
    refused = [*words[:3], "--features", "taste"]
    result = CliRunner().invoke(build(refused), refused)
    assert result.exit_code == 2
    assert "'taste'" in result.stderr
