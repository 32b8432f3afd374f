"""The extra `deep`: models of users' last items trained with torch and exported, where torch is installed."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from jobs.autoencoder_onnx import export_autoencoder
from jobs.autoencoder_settings import AutoencoderSettings
from jobs.sequence_onnx import ExportedSequence, exported, held_to, principal_axes
from jobs.sequence_settings import SequenceSettings
from jobs.sequence_windows import SequenceWindows, windows_of
from jobs.training_events import NothingToLearnError
from operators.bundle_manifest import AUTOENCODER, AUTOENCODER_ITEMS
from operators.sequence_model import NO_ITEM
from schemas.errors import HeadraceError
from schemas.records import Event

GOLDEN_USERS = 64
LEAST_EXAMPLES = 200
_AXES_USERS = 4_096


class DeepMissing(HeadraceError):  # noqa: N818 (named for what it says)
    """A model that is trained with torch was asked for where torch is not installed."""


def torch_installed() -> bool:
    """Whether torch can be imported; it is not, which would take seconds."""
    return find_spec("torch") is not None


def require_torch() -> None:
    """Raise `DeepMissing` where torch is not installed."""
    if not torch_installed():
        raise DeepMissing(
            "--deep: torch is not installed, and a sequence model is trained with it;"
            " pip install 'headrace[deep]' (docs/deep.md)"
        )


@dataclass(frozen=True, eq=False)
class Examples:
    """What models of users' last items learn from: `numbers` int32[n] of a bundle's items (`numbered`), and the
    `windows` of those that have one."""

    numbers: npt.NDArray[np.int32]
    windows: SequenceWindows

    @property
    def items(self) -> int:
        """How many items have a number."""
        return int(self.numbers.max())


def sequence_from(
    events: Sequence[Event],
    item_ids: Sequence[str],
    types: Collection[str],
    remembered: int,
    settings: SequenceSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> ExportedSequence:
    """A sequence model of `events`, for a bundle of the items `item_ids`, exported and held to its source.

    `types` are the event types that say that a user took an item, `remembered` how many items a record keeps.
    Raises `DeepMissing` without torch and `NothingToLearnError` where too few items follow one another.
    """
    learned = examples_of(events, item_ids, types, remembered, settings)
    windows = learned.windows
    # Imported here, since it takes torch.
    fitted = importlib.import_module("jobs.sasrec").fit_sequence(windows, learned.items, settings, progress)
    spread = np.linspace(0, len(windows) - 1, min(len(windows), _AXES_USERS)).astype(np.int64)
    axes = principal_axes(fitted.vectors(windows.items[spread]))
    return exported(fitted.arrays, settings, learned.numbers, _golden(windows), fitted.vectors, axes)


def autoencoder_from(
    events: Sequence[Event],
    item_ids: Sequence[str],
    types: Collection[str],
    remembered: int,
    settings: AutoencoderSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> ExportedSequence:
    """An autoencoder of users of `events`: as `sequence_from`, and raises the same."""
    learned = examples_of(events, item_ids, types, remembered, settings)
    fitted = importlib.import_module("jobs.autoencoder").fit_autoencoder(
        learned.windows, learned.items, settings, progress
    )
    vectors, golden = fitted.arrays["items"].copy(), _golden(learned.windows)
    vectors[NO_ITEM] = 0.0
    return held_to(
        ExportedSequence(
            export_autoencoder(fitted.arrays, settings),
            vectors,
            learned.numbers,
            golden,
            fitted.vectors(golden),
            (AUTOENCODER, AUTOENCODER_ITEMS),
        )
    )


def examples_of(
    events: Sequence[Event],
    item_ids: Sequence[str],
    types: Collection[str],
    remembered: int,
    settings: SequenceSettings | AutoencoderSettings,
) -> Examples:
    """The latest examples of `events`: see `sequence_from`."""
    require_torch()
    numbers = numbered(events, item_ids, types, settings.least_users)
    windows = windows_of(
        events,
        {item: int(n) for item, n in zip(item_ids, numbers, strict=True) if n != NO_ITEM},
        types,
        settings.length,
        remembered,
    )
    windows = windows.part(max(len(windows) - settings.examples, 0), len(windows))
    if len(windows) < LEAST_EXAMPLES:
        raise NothingToLearnError(
            f"--deep: {len(windows)} times did a user take another item that {settings.least_users} users took;"
            f" {LEAST_EXAMPLES} are needed: train without it"
        )
    return Examples(numbers, windows)


def numbered(
    events: Sequence[Event], item_ids: Sequence[str], types: Collection[str], least_users: int
) -> npt.NDArray[np.int32]:
    """int32[n]: numbers from 1 for the items that at least so many users took, 0 for the others."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.item_id is not None and event.type in types and len(users[event.item_id]) < least_users:
            users[event.item_id].add(event.user_id)
    known = np.array([len(users[item]) >= least_users for item in item_ids], np.bool_)
    return np.where(known, np.cumsum(known), NO_ITEM).astype(np.int32)


def _golden(windows: SequenceWindows) -> npt.NDArray[np.int32]:
    """Windows spread over the time, and one that is empty."""
    chosen = np.linspace(0, len(windows) - 1, GOLDEN_USERS).astype(np.int64)
    golden = windows.items[chosen].copy()
    golden[0] = NO_ITEM
    return golden
