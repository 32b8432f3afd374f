"""Files of installed packages, and links to them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from infra.errors import InfraError


def pyflink_folder() -> Path:
    """Where the `apache-flink` package is installed; it is not imported for that."""
    found = importlib.util.find_spec("pyflink")
    if found is None or not found.submodule_search_locations:
        raise InfraError("the Python package apache-flink is not installed; run `make setup`")
    return Path(found.submodule_search_locations[0])


def link(place: Path, target: Path) -> None:
    """Make `place` a link to `target`, whatever it was a link to."""
    if place.is_symlink() and place.readlink() == target:
        return  # another process may be looking through it
    place.unlink(missing_ok=True)
    place.symlink_to(target)
