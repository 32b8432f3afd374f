"""The manifest of a model bundle: what the model is, what it was made from, each file's checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec

from schemas.errors import HeadraceError

BUNDLE_FORMAT = 1
SEQUENCE_FORMAT = 2
"""Of a bundle that holds a sequence model, so that a release that knows of none says so by number."""

AUTOENCODER_FORMAT = 3
"""Of a bundle that holds an autoencoder of users, for the same reason."""

BOOSTED_FORMAT = 4
"""Of a bundle that holds a boosted model of the next category."""

MANIFEST = "manifest.json"
RANKER = "ranker.onnx"
FACTORS = "factors.npz"
GOLDEN = "golden.npz"
SEQUENCE = "sequence.onnx"
SEQUENCE_ITEMS = "sequence.npz"
AUTOENCODER = "autoencoder.onnx"
AUTOENCODER_ITEMS = "autoencoder.npz"
BOOSTED = "categories.onnx"
BOOSTED_GOLDEN = "categories.npz"

RankerKind = Literal["trees", "network", "blend", "stack", "added"]
"""What scores the candidates: gradient-boosted trees, a small neural network, no model at all, several models
whose scores are added up, or a model made elsewhere."""


class BundleRefused(HeadraceError):  # noqa: N818 (named for what it says)
    """A model bundle that must not serve; the message names what is wrong and the way out."""


class BundleRefusedHere(BundleRefused):
    """The same, by a look at the bundle's folder on this machine: another one may find it good."""


class DataSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The events a bundle was made from. Times are event times in ms.

    Factors come from events before `factors_until`, the ranker from those between that and
    `ranker_until`, the metrics from those between that and `last`.
    """

    events: int
    users: int
    items: int
    first: int
    factors_until: int
    ranker_until: int
    last: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`manifest.json` of a bundle. `files` maps each file's name to its SHA-256 in hexadecimal.

    `features` are the columns that the ranker takes, in their order; `metrics` holds, for each ranker
    that was tried, its measured quality and cost.
    """

    format: int = BUNDLE_FORMAT
    name: str
    version: str
    created: str
    ranker: RankerKind
    data: DataSpan
    features: tuple[str, ...]
    metrics: dict[str, dict[str, float]] = {}
    settings: dict[str, float | int | str] = {}
    files: dict[str, str]
    libraries: dict[str, str] = {}


class Listing(Protocol):
    """A manifest of any kind of bundle: it names its files, each with its SHA-256."""

    @property
    def files(self) -> dict[str, str]: ...


Described = TypeVar("Described", bound=Listing)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: msgspec.Struct) -> None:
    """Write `manifest.json`, indented for people."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the model bundle in `folder`: see `read_checked`."""
    formats = (BUNDLE_FORMAT, SEQUENCE_FORMAT, AUTOENCODER_FORMAT, BOOSTED_FORMAT)
    return read_checked(folder, Manifest, formats, "headrace train")


def read_checked(folder: Path, kind: type[Described], formats: Sequence[int], command: str) -> Described:
    """The manifest of the bundle in `folder`, once every file it names was found unaltered.

    `kind` is the manifest's type, with `format` and `files`; `command` writes such bundles. Raises
    `BundleRefused` when the folder holds no readable manifest of one of the formats, or when a file is missing,
    altered, or not the manifest's to name.
    """
    try:
        written = (folder / MANIFEST).read_bytes()
    except OSError as missing:
        raise BundleRefused(
            f"{folder}: no {MANIFEST} can be read there ({missing.strerror}); "
            f"give the folder that `{command}` wrote"
        ) from missing
    try:
        version = msgspec.json.decode(written, type=_OnlyFormat).format
        if version not in formats:
            raise BundleRefused(
                f"{folder}: bundle format {version}; this release reads {_listed(formats)}: train it again"
            )
        manifest = msgspec.json.decode(written, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleRefused(
            f"{folder}/{MANIFEST}: {error}; copy the bundle again or train it again"
        ) from error
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    return manifest


def _listed(formats: Sequence[int]) -> str:
    *others, last = map(str, formats)
    return f"{', '.join(others)} and {last}" if others else last


class _OnlyFormat(msgspec.Struct):
    format: int


def _check_file(folder: Path, name: str, expected: str) -> None:
    if Path(name).name != name or name in ("", ".", ".."):
        raise BundleRefused(f"{folder}/{MANIFEST}: {name!r} is not a file name inside the bundle")
    try:
        found = sha256_of(folder / name)
    except OSError as missing:
        raise BundleRefused(
            f"{folder}/{name}: cannot be read ({missing.strerror}); copy the whole bundle again"
        ) from missing
    if found != expected:
        raise BundleRefused(
            f"{folder}/{name}: SHA-256 is {found[:12]}…, the manifest says {expected[:12]}…: "
            "the file was altered; copy the bundle again or train it again"
        )
