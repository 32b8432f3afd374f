"""Finding the bundle that a list was ranked with, by the SHA-256 of its manifest."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.model_readings import RedisUnreachable, ask_redis
from jobs.settings import Settings
from operators.bundle import Bundle, load_bundle
from operators.bundle_manifest import MANIFEST, BundleRefused, read_manifest, sha256_of

logger = logging.getLogger(__name__)


class BundleSearch:
    """Looks in the folders given (a bundle, NAME of NAME/VERSION, or the folder of many NAMEs), beside the bundle
    of the settings, and where the running job was told to find its models."""

    def __init__(self, told: Settings, folders: Sequence[Path] = ()) -> None:
        self._told = told
        self._folders = folders
        self._loaded: dict[str, Bundle | None] = {}

    def find(self, sha256: str) -> Bundle | None:
        """The bundle, loaded and checked; None where it is nowhere, or refused."""
        if sha256 not in self._loaded:
            folder = next((each for each in self._candidates() if _is(each, sha256)), None)
            self._loaded[sha256] = None if folder is None else _load(folder)
        return self._loaded[sha256]

    def _candidates(self) -> Iterator[Path]:
        for folder in self._folders:
            for pattern in (MANIFEST, f"*/{MANIFEST}", f"*/*/{MANIFEST}"):
                yield from (manifest.parent for manifest in sorted(folder.glob(pattern)))
        if (own := self._told.model.bundle) is not None:
            yield own
            yield from (manifest.parent for manifest in sorted(own.resolve().parent.glob(f"*/{MANIFEST}")))
        try:
            records = ask_redis(self._told, time.time_ns() // 1_000_000).records.values()
        except RedisUnreachable:
            return
        for record in records:
            yield from (Path(each.folder) for each in (record.bundle, record.former) if each is not None)


def _is(folder: Path, sha256: str) -> bool:
    try:
        return sha256_of(folder / MANIFEST) == sha256
    except OSError:
        return False


def _load(folder: Path) -> Bundle | None:
    """The bundle; its features are in the log, so that none of them need be known here."""
    try:
        return load_bundle(folder, frozenset(read_manifest(folder).features))
    except BundleRefused as why:
        logger.warning("%s", why)
        return None
