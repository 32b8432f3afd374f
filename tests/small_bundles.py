"""Model bundles for tests of loading and swapping, not of quality: made in milliseconds, checked as any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from jobs.bundle_writer import write_bundle
from jobs.factorise import FactorSettings, factorise
from jobs.listwise_network import ListwiseNetwork
from jobs.ranker_onnx import export_network
from operators.bundle_manifest import DataSpan, Manifest, sha256_of
from operators.features import FEATURES
from operators.onnx_scorer import OnnxScorer

SPAN = DataSpan(events=90, users=9, items=6, first=0, factors_until=60, ranker_until=80, last=100)


def write_network(folder: Path, seed: int, *, ranker: bool = True) -> Path:
    """A bundle NAME/VERSION whose ranker is a small network with weights drawn by `seed`; or factors alone."""
    drawn = np.random.default_rng(seed)
    users, items = (drawn.integers(0, most, 90).astype(np.int32) for most in (9, 6))
    settings = FactorSettings(factors=4, neighbours=3, least_users=1)
    factors = factorise(users, items, np.ones(90, np.float32), [f"item-{i}" for i in range(6)], settings)
    manifest = Manifest(
        name=folder.parent.name, version=folder.name, created="2026-01-01T00:00:00Z",
        ranker="network" if ranker else "blend", data=SPAN, features=FEATURES, files={},
    )  # fmt: skip
    width = len(FEATURES)
    inputs = drawn.normal(size=(20, width)).astype(np.float32)
    if not ranker:
        write_bundle(folder, manifest, factors, None, inputs[:0], inputs[:0, 0])
        return folder
    weights = tuple(drawn.normal(size=shape).astype(np.float32) for shape in ((width, 4), (4, 1)))
    graph = export_network(ListwiseNetwork(weights, (np.ones(4, np.float32), np.zeros(1, np.float32))))
    write_bundle(folder, manifest, factors, graph, inputs, OnnxScorer(graph, width).score(inputs))
    return folder


def spoil_golden(folder: Path) -> Path:
    """Let the ranker miss its golden scores, with checksums that are right."""
    with np.load(folder / "golden.npz") as golden:
        inputs, outputs = golden["inputs"], golden["outputs"]
    outputs[7] += 0.5
    np.savez(folder / "golden.npz", inputs=inputs, outputs=outputs)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    path.write_text(json.dumps(manifest))
    return folder
