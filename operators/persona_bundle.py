"""A persona bundle on disk: manifest, the arithmetic, its ONNX form, and golden assignments to check it by.

The stream computes in plain Python from `arithmetic.npz`, which is held to the golden inputs and outputs when a
bundle is loaded. `personas.onnx` is the same arithmetic for everyone else; training checks that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from operators.bundle_arrays import read_arrays
from operators.bundle_manifest import GOLDEN, BundleRefused, read_checked
from operators.bundle_reference import BundleReference, referenced_folder
from operators.persona import Persona, PersonaModel
from operators.persona_arithmetic import Metric, PersonaArithmetic
from operators.persona_vector import DIMENSIONS

PERSONAS = "personas"
"""Kind of the control message that refers to a persona bundle, and its one name: one bundle is in force."""

PERSONA_FORMAT = 1
GRAPH = "personas.onnx"
ARITHMETIC = "arithmetic.npz"
MOST_PERSONAS = 64
"""More are no personas, and would cost every user step."""

_NAMES = tuple(dimension.name for dimension in DIMENSIONS)


class PersonaSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The events personas were made from, and of how many users there was a vector. Times are event times in ms."""

    events: int
    users: int
    vectors: int
    first: int
    last: int


class PersonaManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`manifest.json` of a persona bundle. `files` maps each file's name to its SHA-256 in hexadecimal.

    `features` are the dimensions of the vector, in their order. `personas` stand in the order of the centroids.
    `margin` is how far beyond the border to another persona a user must be to change to it (`PersonaModel`); bundles
    of earlier releases have none.
    `next_id` is the number of the next new persona: an id is never given twice in a line of trainings.
    `previous` is the bundle (NAME/VERSION) whose personas these were matched to.
    """

    format: int = PERSONA_FORMAT
    kind: str = PERSONAS
    name: str
    version: str
    created: str
    algorithm: str
    metric: Metric
    data: PersonaSpan
    features: tuple[str, ...]
    personas: tuple[Persona, ...]
    margin: float = 0.0
    next_id: int
    previous: str | None = None
    metrics: dict[str, float] = {}
    settings: dict[str, float | int | str] = {}
    files: dict[str, str]
    libraries: dict[str, str] = {}

    @property
    def full_name(self) -> str:
        """NAME/VERSION."""
        return f"{self.name}/{self.version}"


def load_referenced(body: str | bytes) -> PersonaModel:
    """The personas that a control message's body refers to.

    Raises `BundleRefused` for a body that is no reference, and for a bundle that is not the one referred to or
    that `load_personas` refuses.
    """
    try:
        reference = msgspec.json.decode(body, type=BundleReference)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleRefused(
            f'{error}; a personas message has the body {{"folder": "/models/personas/1", "sha256": "…"}}, '
            "as `headrace train personas` prints it"
        ) from error
    return load_personas(referenced_folder(reference))


def load_personas(folder: Path | str, dimensions: Sequence[str] = _NAMES) -> PersonaModel:
    """Load the persona bundle in `folder` and check it: checksums, dimensions, shapes, golden assignments.

    `dimensions` are what the caller's vectors hold, in order. Raises `BundleRefused` when anything does not fit;
    the personas in force should then stay.
    """
    folder = Path(folder)
    manifest = read_persona_manifest(folder)
    if manifest.features != tuple(dimensions):
        raise BundleRefused(
            f"{folder}: its vector has the dimensions {', '.join(manifest.features)}; this release computes "
            f"{', '.join(dimensions)}; train the personas again"
        )
    arithmetic = read_arithmetic(folder, manifest)
    model = PersonaModel(manifest.full_name, manifest.personas, arithmetic, manifest.margin)
    golden = read_arrays(folder / GOLDEN, "inputs", "outputs")
    inputs, expected = golden["inputs"], golden["outputs"]
    fits = expected.ndim == 1 and inputs.shape == (len(expected), len(dimensions)) and len(expected) > 0
    if not fits or inputs.dtype != np.float64 or expected.dtype.kind not in "iu":
        raise BundleRefused(
            f"{folder}/{GOLDEN}: inputs {inputs.dtype} of shape {inputs.shape}, outputs {expected.dtype} of shape "
            f"{expected.shape}; train the personas again"
        )
    for row, (vector, persona) in enumerate(zip(inputs.tolist(), expected.tolist(), strict=True)):
        found = model.nearest(vector)
        if found != persona:
            raise BundleRefused(
                f"{folder}/{ARITHMETIC}: golden row {row} is nearest to persona {found} here, to {persona} "
                "where it was trained; train the personas again here"
            )
    return model


def read_persona_manifest(folder: Path) -> PersonaManifest:
    """The manifest of the persona bundle in `folder`, its files unaltered. Raises `BundleRefused`."""
    manifest = read_checked(folder, PersonaManifest, (PERSONA_FORMAT,), "headrace train personas")
    if not 1 <= len(manifest.personas) <= MOST_PERSONAS:
        raise BundleRefused(
            f"{folder}: {len(manifest.personas)} personas; from 1 to {MOST_PERSONAS} can be served"
        )
    if not 0.0 <= manifest.margin < 1.0:
        raise BundleRefused(
            f"{folder}: the margin is {manifest.margin}, it must be from 0 to below 1; train the personas again"
        )
    for name in (GRAPH, ARITHMETIC, GOLDEN):
        if name not in manifest.files:
            raise BundleRefused(f"{folder}: the manifest names no {name}; train the personas again")
    return manifest


def read_arithmetic(folder: Path, manifest: PersonaManifest) -> PersonaArithmetic:
    """What the personas of a checked bundle are computed with. Raises `BundleRefused`."""
    path = folder / ARITHMETIC
    held = read_arrays(path, "mean", "scale", "limit", "centre", "components", "centroids")
    d, c = len(manifest.features), len(manifest.personas)
    p = held["components"].shape[-1] if held["components"].ndim else 0
    shapes = {
        "mean": (d,),
        "scale": (d,),
        "limit": (),
        "centre": (d,),
        "components": (d, p),
        "centroids": (c, p),
    }
    for name, shape in shapes.items():
        array = held[name]
        if array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
            raise BundleRefused(
                f"{path}: {name} is {array.dtype} of shape {array.shape}, finite float64 of shape {shape} is "
                "needed; train the personas again"
            )
    if not (held["scale"] > 0).all():
        raise BundleRefused(f"{path}: a scale is not above 0; train the personas again")
    return PersonaArithmetic(
        mean=held["mean"],
        scale=held["scale"],
        limit=float(held["limit"]),
        centre=held["centre"],
        components=held["components"],
        centroids=held["centroids"],
        metric=manifest.metric,
    )
