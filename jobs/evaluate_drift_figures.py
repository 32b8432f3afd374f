"""The figures of `evaluate --drift`, and how sure they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec
import numpy as np

from jobs.evaluate_drift_trial import Followed, Hits

RESAMPLES = 2000
WITHIN = 100
"""Labelled events after a change in which a drift counts as its detection, and in which hits are judged."""


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What recalibration is worth: the share of judged events among the best, less that of a profile that never
    recalibrates. `gain` is over all `judged` events, those of histories without a drift included, for which it
    is 0; `low` and `high` are its 95 % interval, from a bootstrap over users.

    `never` and `recalibrated` are the two shares over the `ranked` events: those of histories with a drift.
    """

    judged: int
    gain: float
    low: float
    high: float
    ranked: int
    never: float | None
    recalibrated: float | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Histories with a change at labelled event `at`. `detected` is the share in which a drift was found within
    `WITHIN` events, `delay` the median number of events until then; `unchanged` is the share in which one was
    found at those places in the same users' own histories; `before` is drifts per 1,000 events before the
    change.
    """

    data: str
    kind: str
    at: int
    histories: int
    users: int
    detected: float
    delay: float | None
    unchanged: float
    before: float
    items: Gain
    categories: Gain


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """Drifts per 1,000 errors where nothing changes, with the 95 % interval of a bootstrap over users.

    `promised` is the most that ADWIN's confidence allows: delta at every test; None for other detectors.
    """

    stream: str
    users: int
    errors: int
    alarms: int
    per_thousand: float
    low: float
    high: float
    promised: float | None


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How many users have so many labelled events that their detector can fire at all."""

    data: str
    least_events: int
    users: int
    reached: int
    share: float
    share_of_events: float


class DriftEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run. `notes` say what could not be judged, and why."""

    detector: str
    changes: list[Change]
    reach: list[Reach]
    false_alarms: list[FalseAlarms]
    notes: list[str]
    seconds: float


def gain_of(hits: Mapping[str, Sequence[Hits]], seed: int = 1) -> Gain:
    """The gain over all histories; the bootstrap draws users, each with all of their histories.

    >>> gain_of({"ann": [Hits(10, 10, 5, 4)], "bob": [Hits(10, 10, 5, 4)]}).gain
    0.1
    """
    rows = np.array(
        [[sum(h.judged for h in own), sum(h.recalibrated - h.never for h in own)] for own in hits.values()],
        np.float64,
    ).reshape(-1, 2)
    drawn = np.random.default_rng(seed).integers(len(rows), size=(RESAMPLES, len(rows)))
    sums = rows[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 1] / np.maximum(sums[:, 0], 1.0), (0.025, 0.975))
    judged, gained = rows.sum(axis=0)
    every = [one for own in hits.values() for one in own]
    ranked = sum(one.ranked for one in every)
    return Gain(
        judged=int(judged),
        gain=float(gained / max(judged, 1.0)),
        low=float(low),
        high=float(high),
        ranked=ranked,
        never=sum(one.never for one in every) / ranked if ranked else None,
        recalibrated=sum(one.recalibrated for one in every) / ranked if ranked else None,
    )


def change_of(
    data: str,
    kind: str,
    at: int,
    followed: Sequence[tuple[str, Followed]],
    unchanged: Sequence[Followed],
) -> Change:
    """The figures of histories with a change, each with its user, beside those users' own histories."""
    delays = [first for _, one in followed if (first := one.first_after(at, WITHIN)) is not None]
    alarms = sum(sum(place <= at for place in one.drifts) for _, one in followed)
    return Change(
        data=data,
        kind=kind,
        at=at,
        histories=len(followed),
        users=len({user for user, _ in followed}),
        detected=len(delays) / len(followed),
        delay=median(delays) if delays else None,
        unchanged=sum(one.first_after(at, WITHIN) is not None for one in unchanged) / len(unchanged),
        before=1000 * alarms / (at * len(followed)),
        items=gain_of(_by_user(followed, "items")),
        categories=gain_of(_by_user(followed, "categories")),
    )


def alarms_of(
    stream: str, alarms: Sequence[int], errors: Sequence[int], promised: float | None
) -> FalseAlarms:
    """The rate of alarms over users, each with so many alarms on so many errors."""
    counts = np.array([alarms, errors], np.float64).T
    drawn = np.random.default_rng(1).integers(len(counts), size=(RESAMPLES, len(counts)))
    sums = counts[drawn].sum(axis=1)
    low, high = np.quantile(1000 * sums[:, 0] / np.maximum(sums[:, 1], 1.0), (0.025, 0.975))
    return FalseAlarms(
        stream=stream,
        users=len(counts),
        errors=sum(errors),
        alarms=sum(alarms),
        per_thousand=1000 * sum(alarms) / max(sum(errors), 1),
        low=float(low),
        high=float(high),
        promised=promised,
    )


def _by_user(followed: Sequence[tuple[str, Followed]], what: str) -> dict[str, list[Hits]]:
    hits: dict[str, list[Hits]] = defaultdict(list)
    for user, one in followed:
        hits[user].append(getattr(one, what))
    return hits
