"""How a control message refers to a bundle: where it lies, and which one it is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from operators.bundle_manifest import MANIFEST, BundleRefused, sha256_of

MODEL = "model"
"""Kind of the control message that offers a model bundle."""


class BundleReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a control message of kind `personas`: a bundle's folder, and the SHA-256 of its manifest.

    One of kind `model` says more (`operators.model_reference.ModelBody`).

    The folder must be readable under this path by every task of the job.
    """

    folder: str
    sha256: str


def reference_to(folder: Path) -> BundleReference:
    """What to put on the control topic for the bundle in `folder`."""
    return BundleReference(folder=str(folder.resolve()), sha256=sha256_of(folder / MANIFEST))


def referenced_folder(reference: BundleReference) -> Path:
    """The folder that is referred to. Raises `BundleRefused` where it is not to be read or holds another bundle."""
    folder = Path(reference.folder)
    try:
        found = sha256_of(folder / MANIFEST)
    except OSError as missing:
        raise BundleRefused(
            f"{folder}: no {MANIFEST} can be read there ({missing.strerror}); put the bundle where every task "
            "of the job reads it under this path"
        ) from missing
    if found != reference.sha256:
        raise BundleRefused(
            f"{folder}/{MANIFEST}: SHA-256 is {found[:12]}…, the message says {reference.sha256[:12]}…: "
            "it is another bundle; send the reference that its training printed"
        )
    return folder
