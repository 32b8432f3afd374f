"""A model made elsewhere becomes a bundle: its features by name, golden scores, its cost against the budget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from jobs import ranker_cost
from jobs.bundle_writer import refuse_existing, write_bundle
from jobs.factorise import ItemFactors
from jobs.outside_graph import OutsideModelRefused, as_ranker, read_graph
from operators.bundle import Bundle, load_bundle
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import GOLDEN, DataSpan, Manifest, sha256_of
from operators.feature_plan import known_features, refuse_unknown
from operators.golden_scores import GOLDEN_TOLERANCE
from operators.onnx_scorer import OnnxScorer

FACTOR_FEATURES = frozenset({"factors_score", "factors_rank", "factor_fit", "factor_fit_last"})
"""What a bundle without item factors cannot tell."""

GOLDEN_ROWS = 64

Floats = npt.NDArray[np.float32]


class AddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the bundle, which output gives the scores, where golden scores are from, µs per user."""

    bundle: str
    name: str
    features: int
    output: str
    golden: str
    golden_rows: int
    microseconds: float
    most_microseconds: float


def features_in(given: str) -> tuple[str, ...]:
    """Feature names from a comma list, or from the file of that name: by line or comma, behind # a remark.

    >>> features_in("popularity, price_gap")
    ('popularity', 'price_gap')
    """
    file = Path(given)
    text = file.read_text("utf-8") if "," not in given and file.is_file() else given
    told = [line.partition("#")[0] for line in text.splitlines()]
    names = tuple(name.strip() for line in told for name in line.split(",") if name.strip())
    if not names:
        raise OutsideModelRefused(f"--features {given}: names no feature; give names, or a file of them")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OutsideModelRefused(f"--features {given}: names {twice[0]} twice; each column has one place")
    return names


def add_model(
    file: Path,
    features: Sequence[str],
    folder: Path,
    base: Path | None = None,
    golden: Path | None = None,
    output: str | None = None,
    known: Collection[str] = known_features(),
    over_budget: bool = False,
    seen_until: int | None = None,
) -> AddedModel:
    """Write the bundle `folder` (NAME/VERSION) around the ONNX model in `file`, which takes `features` in their order.

    Item factors are those of the bundle `base`. `golden` is an `.npz` with `inputs` float[n, F] and the source
    model's `outputs` float[n], which the graph must give to 1e-4; without it, the graph's own scores are kept.
    `seen_until` (ms) says before when all events were that the model learned from; else those of the base,
    or those until now. Raises `OutsideModelRefused`, `UnknownFeatures`, `BundleExists`, or `BundleRefused`
    for the base.
    """
    refuse_existing(folder)
    refuse_unknown(features, known, str(file))
    under = None if base is None else load_bundle(base, known)
    if under is None and (reading := sorted(FACTOR_FEATURES.intersection(features))):
        raise OutsideModelRefused(
            f"{file}: the feature {reading[0]} reads item factors; say with --base which bundle's they are"
        )
    model = read_graph(file)
    producer = model.producer_name or "unknown"
    graph, chosen = as_ranker(model, features, output, str(file))
    scorer = OnnxScorer(graph, len(features))
    if golden is not None:
        inputs, expected = _given(golden, len(features))
        _hold_to(scorer.score(inputs), expected, f"{file}: output {chosen}", golden)
    else:
        inputs = _rows_of(base, under, features)
    outputs = scorer.score(inputs)
    _refuse_odd_scores(scorer, inputs, outputs, f"{file}: output {chosen}")
    cost = ranker_cost.microseconds_for_rows(scorer, inputs)
    most = ranker_cost.MOST_MICROSECONDS
    if cost > most and not over_budget:
        raise OutsideModelRefused(
            f"{file}: costs {cost:.0f} µs per user, and {most:.0f} is the budget; make it smaller (fewer trees, "
            "fewer features), or take it as it is with --over-budget"
        )
    kept = np.unique(np.linspace(0, len(inputs) - 1, GOLDEN_ROWS).astype(np.int64))
    told: dict[str, float | int | str] = {
        "file": file.name, "sha256": sha256_of(file), "producer": producer, "output": chosen,
        "golden": "made here" if golden is None else golden.name,
    }  # fmt: skip
    if under is not None:
        told["base"] = under.name
    manifest = Manifest(
        name=folder.parent.name,
        version=folder.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        ranker="added",
        data=_span(under, seen_until),
        features=tuple(features),
        metrics={producer: {"microseconds": round(cost, 1)}},
        settings=told,
        files={},
    )
    written = write_bundle(folder, manifest, _factors(under), graph, inputs[kept], outputs[kept])
    return AddedModel(
        bundle=str(folder),
        name=written.name,
        features=len(features),
        output=chosen,
        golden=str(told["golden"]),
        golden_rows=len(kept) if golden is None else len(inputs),
        microseconds=round(cost, 1),
        most_microseconds=most,
    )


def _given(golden: Path, width: int) -> tuple[Floats, Floats]:
    held = read_arrays(golden, "inputs", "outputs")
    inputs, outputs = (held[name].astype(np.float32) for name in ("inputs", "outputs"))
    if outputs.ndim == 2 and outputs.shape[1] in (1, 2):
        outputs = outputs[:, -1]
    if inputs.ndim != 2 or inputs.shape[1] != width or outputs.shape != (len(inputs),) or len(inputs) == 0:
        raise OutsideModelRefused(
            f"{golden}: inputs of shape {list(inputs.shape)} and outputs of shape {list(outputs.shape)}; "
            f"[n, {width}] and [n] are needed, with n at least 1"
        )
    return inputs, outputs


def _hold_to(found: Floats, expected: Floats, place: str, golden: Path) -> None:
    off = ~np.isclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise OutsideModelRefused(
            f"{place} scores {int(off.sum())} of {len(off)} golden rows otherwise than {golden} says; row {row}: "
            f"{found[row]:.6g} here, {expected[row]:.6g} there. Give what the exported output holds (a "
            "probability, or a raw score), from the same model"
        )


def _refuse_odd_scores(scorer: OnnxScorer, inputs: Floats, outputs: Floats, place: str) -> None:
    """A row's score must be a number, and that row's alone: a user's list may not depend on who is beside them."""
    if not np.isfinite(outputs).all():
        row = int(np.flatnonzero(~np.isfinite(outputs))[0])
        raise OutsideModelRefused(f"{place} is {outputs[row]} for golden row {row}; scores must be numbers")
    alone = np.concatenate([scorer.score(inputs[k : k + 1]) for k in range(min(len(inputs), GOLDEN_ROWS))])
    if not np.allclose(alone, outputs[: len(alone)], rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE):
        raise OutsideModelRefused(
            f"{place} differs for a row alone and the same row among others; export the model for inference "
            "(torch: model.eval()), without layers that look at the whole batch"
        )
    if np.ptp(outputs) == 0.0:
        raise OutsideModelRefused(f"{place} is {outputs[0]:.6g} for every golden row: it orders nothing")


def _rows_of(base: Path | None, under: Bundle | None, features: Sequence[str]) -> Floats:
    """Golden inputs where none are given: those of the base, if it has the same features; else drawn ones."""
    if base is not None and under is not None and under.has_ranker and under.features == tuple(features):
        inputs: Floats = read_arrays(base / GOLDEN, "inputs")["inputs"]
        return inputs
    drawn = np.random.default_rng(7)
    rows = drawn.normal(size=(4 * GOLDEN_ROWS, len(features))).astype(np.float32)
    # Most features lie between 0 and 1, or are 0 or -1 where nothing is known.
    rows[::2] = drawn.random((2 * GOLDEN_ROWS, len(features)), np.float32)
    rows[drawn.random(rows.shape) < 0.2] = 0.0
    rows[drawn.random(rows.shape) < 0.05] = -1.0
    return rows


def _factors(under: Bundle | None) -> ItemFactors:
    if under is not None:
        return ItemFactors(under.item_ids, under.factors, under.neighbours, under.neighbour_scores)
    none = np.zeros((0, 0), np.float32)
    return ItemFactors([], none, np.zeros((0, 0), np.int32), none)


def _span(under: Bundle | None, seen_until: int | None) -> DataSpan:
    """What was seen: nothing is known to be later than the model's data, unless that is said."""
    data = None if under is None else under.manifest.data
    last = seen_until
    if last is None:
        last = data.last if data is not None else int(datetime.now(UTC).timestamp() * 1000)
    return DataSpan(
        events=0 if data is None else data.events,
        users=0 if data is None else data.users,
        items=0 if data is None else data.items,
        first=min(last, last if data is None else data.first),
        factors_until=min(last, last if data is None else data.factors_until),
        ranker_until=last,
        last=last if data is None else max(last, data.last),
    )
