"""Golden bundles of a ring of items, which users go round, each from a place of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from operators.bundle import load_bundle
from operators.bundle_manifest import sha256_of
from operators.ranker import Ranker
from operators.shelf import Shelf
from operators.shelf_records import Popularity
from schemas.records import Event
from schemas.state import RecentItem, UserState

if TYPE_CHECKING:
    from jobs.bundle_writer import BesideModel

GOLDEN = Path(__file__).parent / "golden" / "bundle" / "ring"
RING = [f"item-{k:02d}" for k in range(12)]
"""What users take one after the other; after the last comes the first."""


def ranked(folder: Path, taken: list[str], trending: list[str]) -> list[str]:
    """The list of a user who took these items, the newest last, while these trend."""
    shelf = Shelf()
    shelf.apply(Popularity(["all"] * len(trending), trending, [1.0] * len(trending)))
    recent = [RecentItem(item, k, "view", "?") for k, item in enumerate(taken)]
    user = UserState("ann", born=0, n=len(taken), recent=recent)
    [made] = Ranker(shelf, bundle=load_bundle(folder)).rank([user], [100], [taken])
    return made.items


def rewritten(
    folder: Path, file: str, change: Callable[[dict[str, npt.NDArray[np.generic]]], object]
) -> None:
    """Change the arrays in a file of a bundle and the checksum with them."""
    with np.load(folder / file) as held:
        arrays = dict(held)
    change(arrays)
    np.savez(folder / file, **arrays)  # type: ignore[arg-type]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][file] = sha256_of(folder / file)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def walks() -> list[Event]:
    """What 300 users did, from which golden bundles were trained."""
    drawn = np.random.default_rng(3)
    events = []
    for user in range(300):
        first, steps = drawn.integers(len(RING)), drawn.integers(4, 10)
        for step in range(steps):
            events.append(
                Event(event_id="", user_id=f"user-{user}", type="view", time=user * 100 + step,
                      item_id=RING[(first + step) % len(RING)])
            )  # fmt: skip
    return events


def write(version: str, weights: dict[str, float], *models: BesideModel) -> None:
    """Write the bundle of that version, whose ranker adds up features times their weights, with these models."""
    from jobs.bundle_writer import write_bundle
    from jobs.factorise import FactorSettings, factorise
    from jobs.listwise_network import ListwiseNetwork
    from jobs.ranker_onnx import export_network
    from operators.bundle_manifest import DataSpan, Manifest
    from operators.onnx_scorer import OnnxScorer

    features = tuple(weights)
    column = np.array([[weight] for weight in weights.values()], np.float32)
    graph = export_network(ListwiseNetwork((column,), (np.zeros(1, np.float32),)))
    inputs = np.random.default_rng(3).normal(size=(8, len(features))).astype(np.float32)
    users, items = np.repeat(np.arange(9), 12), np.tile(np.arange(12), 9)
    factors = factorise(
        users.astype(np.int32), items.astype(np.int32), np.ones(108, np.float32), RING,
        FactorSettings(factors=4, neighbours=3),
    )  # fmt: skip
    span = DataSpan(
        events=len(walks()), users=300, items=12, first=0, factors_until=9, ranker_until=9, last=9
    )
    manifest = Manifest(name="ring", version=version, created="2026-11-21T00:00:00+00:00", ranker="network",
                        data=span, features=features, files={})  # fmt: skip
    shutil.rmtree(GOLDEN / version, ignore_errors=True)
    scores = OnnxScorer(graph, len(features)).score(inputs)
    write_bundle(GOLDEN / version, manifest, factors, graph, inputs, scores, *models)
