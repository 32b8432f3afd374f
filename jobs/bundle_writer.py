"""Writing a model bundle, so that a half-written one is never seen under its name."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from jobs.factorise import ItemFactors
from operators.bundle import Bundle, load_bundle
from operators.bundle_manifest import (
    AUTOENCODER,
    AUTOENCODER_FORMAT,
    BOOSTED,
    BOOSTED_FORMAT,
    BUNDLE_FORMAT,
    FACTORS,
    GOLDEN,
    RANKER,
    SEQUENCE,
    SEQUENCE_FORMAT,
    Manifest,
    sha256_of,
    write_manifest,
)
from schemas.errors import HeadraceError

LIBRARIES = (
    "implicit",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxmltools",
    "onnxruntime",
)


class BesideModel(Protocol):
    """A model whose output is a feature of the ranker."""

    def save(self, folder: Path) -> None:
        """Write its files."""


class BundleExists(HeadraceError):  # noqa: N818 (named for what it says)
    """A bundle of this name and version is already there: versions are written once."""


def refuse_existing(folder: Path) -> None:
    """Raise `BundleExists` when a bundle's folder is there already."""
    if folder.exists():
        raise BundleExists(f"{folder} is there already: choose another version, or remove it")


def next_version(name: Path) -> Path:
    """The folder of the version after the last in a bundle's folder: numbers from 1."""
    taken = [int(path.name) for path in name.glob("*") if path.name.isdecimal()]
    return name / str(max(taken, default=0) + 1)


def newest_version(models: Path) -> Path | None:
    """The folder of the newest bundle, by number, in a bundle's folder; None where there is none."""
    versions = [path for path in models.glob("*") if path.name.isdecimal()]
    return max(versions, key=lambda path: int(path.name), default=None)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which gets its name at the end of the `with`, and not where that fails.

    Raises `BundleExists` when a folder of that name is there already.
    """
    refuse_existing(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(folder)


def checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, by name."""
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir())}


def write_bundle(
    folder: Path,
    manifest: Manifest,
    factors: ItemFactors,
    ranker: bytes | None,
    golden_inputs: npt.NDArray[np.float32],
    golden_outputs: npt.NDArray[np.float32],
    *models: BesideModel | None,
) -> Bundle:
    """Write a bundle to `folder` and load it again, checked, under that name.

    `models` stand beside the ranker, each with files of its own. The manifest's `format`, `files` and
    `libraries` are filled in here. Raises `BundleExists` when the folder is there already, and `BundleRefused`
    when what was written does not load.
    """
    with new_folder(folder) as partial:
        np.savez(
            partial / FACTORS,
            item_ids=np.array(factors.item_ids, np.str_),
            factors=factors.factors,
            neighbours=factors.neighbours,
            neighbour_scores=factors.neighbour_scores,
        )
        if ranker is not None:
            (partial / RANKER).write_bytes(ranker)
            np.savez(partial / GOLDEN, inputs=golden_inputs, outputs=golden_outputs)
        for model in models:
            if model is not None:
                model.save(partial)
        files = checksums(partial)
        manifest = msgspec.structs.replace(
            manifest,
            format=_format(files),
            files=files,
            libraries=manifest.libraries | {name: version(name) for name in LIBRARIES},
        )
        write_manifest(partial, manifest)
        load_bundle(partial, manifest.features)
    return load_bundle(folder, manifest.features)


def _format(files: Collection[str]) -> int:
    """The earliest that knows of everything in the bundle, so that older releases read what they can."""
    if BOOSTED in files:
        return BOOSTED_FORMAT
    if AUTOENCODER in files:
        return AUTOENCODER_FORMAT
    return SEQUENCE_FORMAT if SEQUENCE in files else BUNDLE_FORMAT
