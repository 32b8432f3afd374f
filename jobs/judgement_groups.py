"""Judgements sorted by the moment, the user's and the item's past, and the segments that the user was in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from operators.judgements import Judgements

Mask = NDArray[np.bool_]

PARTS = 10
"""Parts of a run, with the same number of judgements each."""

USER_BOUNDS = ((1, 1), (2, 4), (5, 19), (20, None))
"""Earlier touching events of a user: from, to."""

ITEM_BOUNDS = ((0, 0), (1, 4), (5, 19), (20, 99), (100, None))
"""Earlier touches of an item, by anybody: from, to."""


@dataclass(frozen=True, eq=False)
class Sorted:
    """A grouping before its figures: by name, which judgements belong."""

    title: str
    note: str
    masks: Mapping[str, Mask]
    overlapping: bool = False


def over_time(judged: Judgements) -> Sorted:
    """Parts of equal numbers of judgements, in order of time, named by when they begin (UTC)."""
    n = len(judged)
    edges = np.linspace(0, n, min(PARTS, n) + 1).astype(np.int64)
    starts = [judged.time[low] for low in edges[:-1].tolist()]
    short = n > 0 and bool(judged.time[-1] - judged.time[0] < 20 * 86_400_000)
    place = np.arange(n)
    masks: dict[str, Mask] = {}
    for low, high, start in zip(edges[:-1].tolist(), edges[1:].tolist(), starts, strict=True):
        moment = datetime.fromtimestamp(int(start) / 1000, UTC)
        name = moment.strftime("%Y-%m-%d %H:%M" if short else "%Y-%m-%d")
        while name in masks:  # parts within one minute
            name += " "
        masks[name] = (place >= low) & (place < high)
    return Sorted(
        "Over time",
        f"{len(masks)} parts of equal numbers of judgements, named by when they begin (UTC).",
        masks,
    )


def by_user_past(judged: Judgements) -> Sorted:
    """By how many touching events the user had before: who is cold and who is warm."""
    return Sorted(
        "Users, cold to warm",
        "By how many touching events the user had before the judged one.",
        _within(judged.earlier, USER_BOUNDS, "earlier event"),
    )


def by_item_past(judged: Judgements) -> Sorted:
    """By how often anybody had touched the wanted item before: what is cold and what is warm."""
    return Sorted(
        "Items, cold to warm",
        "By how often anybody had touched the item that was wanted, before it was.",
        _within(earlier_touches(judged), ITEM_BOUNDS, "earlier touch"),
    )


def by_segment(memberships: Sequence[frozenset[str]], names: Sequence[str]) -> Sorted:
    """By the segments that the user was in at the time, of those `names`, and by being in none."""
    masks = {
        name: np.fromiter((name in held for held in memberships), np.bool_, len(memberships))
        for name in names
    }
    masks["in no segment"] = np.fromiter((not held for held in memberships), np.bool_, len(memberships))
    return Sorted(
        "Segments",
        "By the segments that the user was in just before the judged event; a user may be in several.",
        masks,
        overlapping=True,
    )


def earlier_touches(judged: Judgements) -> NDArray[np.int64]:
    """int64[n]: how often each wanted item had been touched before it was wanted."""
    # Touches by item and then by order: those before a moment are a run that two searches bound.
    span = len(judged.touches) + 1
    keys = np.sort(judged.touches.astype(np.int64) * span + np.arange(len(judged.touches)))
    wanted = judged.wanted.astype(np.int64)
    found: NDArray[np.int64] = np.searchsorted(keys, wanted * span + judged.before) - np.searchsorted(
        keys, wanted * span
    )
    found[wanted < 0] = 0
    return found


def _within(
    counts: NDArray[np.int32] | NDArray[np.int64], bounds: Sequence[tuple[int, int | None]], what: str
) -> dict[str, Mask]:
    masks: dict[str, Mask] = {}
    for low, high in bounds:
        if high is None:
            name = f"{low}+ {what}{_plural(what)}"
        elif low == high:
            name = f"{low} {what}{'' if low == 1 else _plural(what)}"
        else:
            name = f"{low}–{high} {what}{_plural(what)}"
        masks[name] = (counts >= low) & (counts <= (np.inf if high is None else high))
    return masks


def _plural(what: str) -> str:
    return "es" if what.endswith("h") else "s"
