"""A model bundle, loaded and checked: item factors with their neighbours, and the ranker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from operators.boosted_affinity import BoostedAffinity, load_boosted
from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import (
    AUTOENCODER,
    AUTOENCODER_ITEMS,
    BOOSTED,
    BOOSTED_GOLDEN,
    FACTORS,
    GOLDEN,
    MANIFEST,
    RANKER,
    SEQUENCE,
    SEQUENCE_ITEMS,
    BundleRefused,
    Manifest,
    read_manifest,
    sha256_of,
)
from operators.feature_plan import UnknownFeatures, known_features, refuse_unknown
from operators.features import (
    AUTOENCODER_FEATURES,
    BOOSTED_FEATURES,
    SEQUENCE_FEATURES,
    SEQUENCE_PROFILE,
)
from operators.golden_scores import golden_scorer
from operators.onnx_scorer import OnnxScorer
from operators.sequence_model import SequenceModel, load_sequence

__all__ = ["Bundle", "BundleRefused", "load_bundle"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """What `headrace train` made of past events. Made by `load_bundle`; nothing in it may be changed.

    `factors` float32[n, F] are L2-normalised rows, one per entry of `item_ids` (all zero for an item with
    too few events). `neighbours` int32[n, k] are the most similar items, best first, as rows of the same
    arrays (-1 where there are no more), and `neighbour_scores` float32[n, k] their cosines. `sequence` and
    `autoencoder` read users' last items, and `boosted` says how likely categories are, where the ranker wants to know
    what comes of that.
    """

    manifest: Manifest
    item_ids: list[str]
    factors: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int32]
    neighbour_scores: npt.NDArray[np.float32]
    scorer: OnnxScorer | None
    sequence: SequenceModel | None = None
    autoencoder: SequenceModel | None = None
    boosted: BoostedAffinity | None = None
    sha256: str = ""
    """Of the manifest, which names the SHA-256 of every other file."""

    @property
    def name(self) -> str:
        """Name and version, as every list that was ranked with this bundle says."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @property
    def models(self) -> tuple[SequenceModel | None, SequenceModel | None, BoostedAffinity | None]:
        """What features are made by beside the shelf, as `FeaturePlan.rows` takes them."""
        return self.sequence, self.autoencoder, self.boosted

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that `score` takes, in their order."""
        return self.manifest.features

    @property
    def has_ranker(self) -> bool:
        """Whether `score` may be called: where no model beat the blend, a bundle carries factors only."""
        return self.scorer is not None

    def score(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32[n] ranking scores, higher is better, of float32[n, len(features)] feature rows.

        Raises `ValueError` where the bundle carries no ranker.
        """
        if self.scorer is None:
            raise ValueError(f"bundle {self.name} carries no ranker: ask has_ranker first")
        return self.scorer.score(rows)


def load_bundle(folder: Path | str, known: Collection[str] = known_features()) -> Bundle:
    """Load the bundle in `folder` and check it: checksums, its features, shapes and golden scores.

    `known` are the features that the caller can compute: the bundle's must be among them. Raises
    `BundleRefused` when anything does not fit; the bundle that serves now should then serve on.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name in (FACTORS,) if manifest.ranker == "blend" else (FACTORS, RANKER, GOLDEN):
        if name not in manifest.files:
            raise BundleRefused(f"{folder}: the manifest names no {name}; train the bundle again")
    item_ids, factors, neighbours, scores = _factors(folder / FACTORS)
    scorer = None if manifest.ranker == "blend" else _scorer(folder, manifest, known)
    own = (*SEQUENCE_FEATURES, *SEQUENCE_PROFILE)
    sequence = _model_of(folder, manifest, len(item_ids), (SEQUENCE, SEQUENCE_ITEMS), own)
    autoencoder = _model_of(
        folder, manifest, len(item_ids), (AUTOENCODER, AUTOENCODER_ITEMS), AUTOENCODER_FEATURES
    )
    boosted = None
    if _wanted(folder, manifest, (BOOSTED, BOOSTED_GOLDEN), BOOSTED_FEATURES, "--boosted"):
        boosted = load_boosted(folder)
    return Bundle(
        manifest,
        item_ids,
        factors,
        neighbours,
        scores,
        scorer,
        sequence,
        autoencoder,
        boosted,
        sha256_of(folder / MANIFEST),
    )


def _model_of(
    folder: Path, manifest: Manifest, rows: int, files: tuple[str, str], features: tuple[str, ...]
) -> SequenceModel | None:
    """What `features` are made by, where the ranker takes one of them."""
    return (
        load_sequence(folder, rows, *files) if _wanted(folder, manifest, files, features, "--deep") else None
    )


def _wanted(
    folder: Path, manifest: Manifest, files: tuple[str, str], features: tuple[str, ...], option: str
) -> bool:
    """Whether the ranker takes one of `features`, which a model in `files` makes that `option` trains."""
    wanted = [name for name in manifest.features if name in features]
    if wanted and not set(files) <= set(manifest.files):
        raise BundleRefused(
            f"{folder}: the ranker wants the feature {wanted[0]!r}, and the manifest names no {files[0]} with"
            f" {files[1]}; train the bundle again with {option}"
        )
    return bool(wanted)


def _scorer(folder: Path, manifest: Manifest, known: Collection[str]) -> OnnxScorer:
    features = manifest.features
    try:
        refuse_unknown(features, known, str(folder))
    except UnknownFeatures as error:
        raise BundleRefused(f"{error}; train the bundle again") from error
    golden = folder / GOLDEN
    return golden_scorer(folder / RANKER, golden, read_arrays(golden, "inputs", "outputs"), len(features))


def _factors(
    path: Path,
) -> tuple[list[str], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    held = read_arrays(path, "item_ids", "factors", "neighbours", "neighbour_scores")
    ids, factors = held["item_ids"], held["factors"]
    neighbours, scores = held["neighbours"], held["neighbour_scores"]
    n = len(ids)
    fits = (
        ids.dtype.kind == "U"
        and factors.dtype == scores.dtype == np.float32
        and neighbours.dtype == np.int32
        and factors.ndim == 2
        and neighbours.ndim == 2
        and len(factors) == len(neighbours) == n
        and neighbours.shape == scores.shape
        and bool(((neighbours >= -1) & (neighbours < n)).all())
        and bool(np.isfinite(factors).all() and np.isfinite(scores).all())
    )
    if not fits:
        raise BundleRefused(f"{path}: arrays of {n} items do not fit together; train the bundle again")
    for array in (factors, neighbours, scores):
        array.flags.writeable = False
    return ids.tolist(), factors, neighbours, scores
