"""Arrays of a bundle, read without trusting them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.bundle_manifest import BundleRefused


def read_arrays(path: Path, *names: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of these names in an `.npz` file; nothing in it is unpickled.

    Raises `BundleRefused` where the file does not read or lacks one.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in names}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleRefused(f"{path}: {error}; train the bundle again") from error
