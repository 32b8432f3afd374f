"""Writing a model bundle, so that a half-written one is never seen under its name."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from jobs.factorise import ItemFactors
from operators.bundle import Bundle, load_bundle
from operators.bundle_manifest import FACTORS, GOLDEN, RANKER, Manifest, sha256_of, write_manifest
from schemas.errors import HeadraceError

LIBRARIES = (
    "implicit",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxmltools",
    "onnxruntime",
)


class BundleExists(HeadraceError):  # noqa: N818 (named for what it says)
    """A bundle of this name and version is already there: versions are written once."""


def refuse_existing(folder: Path) -> None:
    """Raise `BundleExists` when a bundle's folder is there already."""
    if folder.exists():
        raise BundleExists(f"{folder} is there already: choose another version, or remove it")


def write_bundle(
    folder: Path,
    manifest: Manifest,
    factors: ItemFactors,
    ranker: bytes | None,
    golden_inputs: npt.NDArray[np.float32],
    golden_outputs: npt.NDArray[np.float32],
) -> Bundle:
    """Write a bundle to `folder` and load it again, checked, under that name.

    The manifest's `files` and `libraries` are filled in here. Raises `BundleExists` when the folder is
    there already, and `BundleRefused` when what was written does not load.
    """
    refuse_existing(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    np.savez(
        partial / FACTORS,
        item_ids=np.array(factors.item_ids, np.str_),
        factors=factors.factors,
        neighbours=factors.neighbours,
        neighbour_scores=factors.neighbour_scores,
    )
    names = [FACTORS]
    if ranker is not None:
        (partial / RANKER).write_bytes(ranker)
        np.savez(partial / GOLDEN, inputs=golden_inputs, outputs=golden_outputs)
        names += [RANKER, GOLDEN]
    manifest = msgspec.structs.replace(
        manifest,
        files={name: sha256_of(partial / name) for name in names},
        libraries={name: version(name) for name in LIBRARIES},
    )
    write_manifest(partial, manifest)
    load_bundle(partial, manifest.features)
    partial.rename(folder)
    return load_bundle(folder, manifest.features)
