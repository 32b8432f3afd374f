"""Writing a persona bundle, once its ONNX form was found to agree with the arithmetic."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from jobs.bundle_writer import checksums, new_folder
from jobs.personas_clusters import Labels
from jobs.personas_onnx import export, run
from operators.bundle_manifest import GOLDEN, write_manifest
from operators.persona import PersonaModel
from operators.persona_arithmetic import Floats, PersonaArithmetic
from operators.persona_bundle import ARITHMETIC, GRAPH, PersonaManifest, load_personas

LIBRARIES = ("numpy", "onnx", "scikit-learn", "scipy")
REPORTS = ("report.md", "report.html")
GOLDEN_ROWS = 64
PARITY = 1e-3
"""How far a distance of the ONNX graph, in float32, may be from the arithmetic's, absolutely and relatively."""


class ExportDiffers(ValueError):  # noqa: N818 (named for what it says)
    """An exported graph does not assign as the arithmetic it was made from."""


def write_personas(
    folder: Path,
    manifest: PersonaManifest,
    arithmetic: PersonaArithmetic,
    vectors: Floats,
    in_markdown: str,
    in_html: str,
) -> None:
    """Write a bundle, its golden rows taken from `vectors`; its ONNX form is checked on all of them.

    Raises `ExportDiffers`, and `BundleRefused` where what was written does not load.
    """
    graph = export(arithmetic)
    model = PersonaModel(manifest.full_name, manifest.personas, arithmetic)
    given = vectors.astype(np.float32).astype(np.float64)
    numbers = np.array([model.nearest(vector) for vector in given.tolist()], np.int64)
    check_parity(graph, arithmetic, given, numbers)
    rows = np.linspace(0, len(given) - 1, min(GOLDEN_ROWS, len(given))).astype(np.int64)
    clear = rows[_margins(arithmetic.distances(given[rows])) > PARITY]
    with new_folder(folder) as partial:
        (partial / GRAPH).write_bytes(graph)
        np.savez(
            partial / ARITHMETIC,
            mean=arithmetic.mean,
            scale=arithmetic.scale,
            limit=np.float64(arithmetic.limit),
            centre=arithmetic.centre,
            components=arithmetic.components,
            centroids=arithmetic.centroids,
        )
        np.savez(partial / GOLDEN, inputs=given[clear], outputs=numbers[clear])
        for name, text in zip(REPORTS, (in_markdown, in_html), strict=True):
            (partial / name).write_text(text, encoding="utf-8")
        filled = msgspec.structs.replace(
            manifest, files=checksums(partial), libraries={name: version(name) for name in LIBRARIES}
        )
        write_manifest(partial, filled)
        load_personas(partial)


def check_parity(graph: bytes, arithmetic: PersonaArithmetic, vectors: Floats, numbers: Labels) -> None:
    """Raise `ExportDiffers` where the graph's distances are off, or another persona is clearly nearer by them."""
    found, distance = run(graph, vectors)
    wanted = arithmetic.distances(vectors)
    off = ~np.isclose(distance, wanted, rtol=PARITY, atol=PARITY).all(axis=1)
    off |= (found != numbers) & (_margins(wanted) > PARITY)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise ExportDiffers(
            f"{int(off.sum())} of {len(off)} assignments of the exported graph are off, as in row {row}"
        )


def _margins(distances: Floats) -> Floats:
    """By how much the second nearest is farther than the nearest."""
    nearest = np.partition(distances, 1, axis=1)
    margins: Floats = nearest[:, 1] - nearest[:, 0]
    return margins
