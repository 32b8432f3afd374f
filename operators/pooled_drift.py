"""Drift of users whose own histories are too short: one detector for all of a pool, on their pooled errors.

A pool is a persona, a segment, or the department that a user favours. What a pool's detector finds is told,
and may ask for a retraining. It changes no user's record: that depends on the user's own events alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from struct import Struct

import msgspec

from operators.adwin import Adwin, AdwinSettings
from operators.change_detector import UnreadableWindow
from schemas.records import POOL, DriftAlert
from schemas.state import UserState

logger = logging.getLogger(__name__)

FORM = 0x51
"""First stored byte: a pool's detector, version 1."""
AGES = 8
"""Errors are compared among users of about the same number of labelled events: 1, 2–3, 4–7 and so on."""
_HEAD = Struct("<BI")
_AGE = Struct("<Id")


@dataclass(frozen=True)
class PooledDriftSettings:
    """Whose errors are pooled, and how a pool's detector is set. Raises `ValueError` for a value out of its
    range."""

    from_labelled: int = 4
    """A user's first errors say nothing: those up to so many labelled events are left out."""
    until_labelled: int = 64
    """From so many labelled events on a user's own detector acts, and the pool hears no more of them."""
    segments: tuple[str, ...] = ()
    """Segments that are pools, the first that a user is in; used where the user has no persona."""
    delta: float = 0.002
    """ADWIN's confidence."""
    clock: int = 32
    """ADWIN tests after every so many errors."""
    grace_period: int = 200
    """Errors of a pool before the first test."""
    least_rise: float = 0.05
    """A detection is a drift only if the mean error rose by this much."""

    def __post_init__(self) -> None:
        if not 1 <= self.from_labelled < self.until_labelled < 1 << AGES:
            raise ValueError(
                f"from_labelled is {self.from_labelled} and until_labelled {self.until_labelled};"
                f" they must rise from 1 to at most {(1 << AGES) - 1}"
            )
        if not 0.0 <= self.least_rise <= 1.0:
            raise ValueError(f"least_rise is {self.least_rise}; it must be from 0 to 1")
        self.adwin()

    def adwin(self) -> AdwinSettings:
        """The settings of a pool's window.

        >>> PooledDriftSettings().adwin().clock
        32
        """
        return AdwinSettings(delta=self.delta, clock=self.clock, grace_period=self.grace_period)


class PooledError(msgspec.Struct, array_like=True, frozen=True):
    """One prediction error for a pool to hear of; `labelled` is that user's number of labelled events."""

    pool: str
    error: float
    labelled: int
    time: int


def pooled_error(
    user: UserState, error: float | None, time: int, settings: PooledDriftSettings
) -> PooledError | None:
    """What a pool is to hear of an event: None where the event had no error or the user needs no pool.

    >>> from schemas.state import Affinity
    >>> young = UserState("u", born=1, categories={"Toys/Cars": 2.0}, affinity=Affinity(labelled=9))
    >>> pooled_error(young, 0.4, 7, PooledDriftSettings()).pool
    'category/Toys'
    """
    labelled = user.affinity.labelled
    if error is None or not settings.from_labelled < labelled < settings.until_labelled:
        return None
    pool = pool_of(user.persona, user.segments, user.categories, settings.segments)
    return None if pool is None else PooledError(pool, error, labelled, time)


def pool_of(
    persona: str | None,
    segments: Sequence[str],
    categories: Mapping[str, float],
    pooled_segments: Sequence[str],
) -> str | None:
    """The pool of a user: their persona, else the first pooled segment, else the department counted most.

    >>> pool_of("3", ["new"], {}, ["new"]), pool_of(None, ["new"], {}, ["new"]), pool_of(None, [], {}, [])
    ('persona/3', 'segment/new', None)
    """
    if persona is not None:
        return f"persona/{persona}"
    for segment in pooled_segments:
        if segment in segments:
            return f"segment/{segment}"
    departments: dict[str, float] = {}
    for category, count in categories.items():
        department = category.partition("/")[0]
        departments[department] = departments.get(department, 0.0) + count
    if not departments:
        return None
    return f"category/{min(departments, key=lambda name: (-departments[name], name))}"


class PooledDetector:
    """Feeds errors to a pool's stored detector. Holds nothing of any pool itself.

    Users who are new err more than others, so that a wave of new users would look like a drift: what is fed
    is by how much an error differs from the mean of the pool's errors at that age, brought to [0, 1].

    >>> detector = PooledDetector(PooledDriftSettings())
    >>> stored, alerts = None, []
    >>> for k in range(2000):
    ...     stored, alert = detector.feed(stored, PooledError("category/Toys", 0.9 if k >= 1000 else 0.3, 9, k))
    ...     alerts += [alert] if alert else []
    >>> [(alert.scope, alert.pool, alert.detector) for alert in alerts]
    [('pool', 'category/Toys', 'ADWIN')]
    >>> len(stored) < 700
    True
    """

    name = "ADWIN"

    def __init__(self, settings: PooledDriftSettings) -> None:
        self._settings = settings
        self._adwin = settings.adwin()
        self.rebuilt = 0
        """How many stored detectors could not be read, and were begun anew."""

    def feed(self, stored: bytes | None, sample: PooledError) -> tuple[bytes, DriftAlert | None]:
        """Take in one error of the pool; the pool's new bytes, and the alert where its users have drifted.

        With None, or with bytes that cannot be read (which is logged and counted in `rebuilt`), it begins
        anew. After an alert it begins anew too.
        """
        pool = self._read(stored)
        pool.errors += 1
        count, mean = pool.ages[age := min(int(log2(max(sample.labelled, 1))), AGES - 1)]
        mean = mean if count else sample.error
        changed = pool.window.update(0.5 + (sample.error - mean) / 2.0)
        pool.ages[age] = (count + 1, mean + (sample.error - mean) / (count + 1))
        if not changed:
            return pool.to_bytes(), None
        before, after = pool.window.means
        rise = 2.0 * (after - before)
        if rise < self._settings.least_rise:
            return pool.to_bytes(), None
        level = sum(n * m for n, m in pool.ages) / max(sum(n for n, _ in pool.ages), 1)
        alert = DriftAlert(
            uid="",
            detector=self.name,
            at=sample.time,
            labelled=pool.errors,
            error_before=level + 2.0 * (before - 0.5),
            error_after=level + 2.0 * (after - 0.5),
            scope=POOL,
            pool=sample.pool,
            reason=f"users of {sample.pool} err {rise:.2f} more than users of their age did",
        )
        return _Pool(Adwin(self._adwin)).to_bytes(), alert

    def _read(self, stored: bytes | None) -> _Pool:
        if not stored:
            return _Pool(Adwin(self._adwin))
        try:
            return _Pool.from_bytes(stored, self._adwin)
        except UnreadableWindow as cause:
            self.rebuilt += 1
            logger.warning("drift detection of one pool begins anew: %s", cause)
            return _Pool(Adwin(self._adwin))


class _Pool:
    """A pool's window, and by age the count and mean of its errors."""

    def __init__(self, window: Adwin) -> None:
        self.window = window
        self.errors = 0
        self.ages: list[tuple[int, float]] = [(0, 0.0)] * AGES

    def to_bytes(self) -> bytes:
        ages = b"".join(_AGE.pack(count, mean) for count, mean in self.ages)
        return _HEAD.pack(FORM, self.errors) + ages + self.window.to_bytes()

    @classmethod
    def from_bytes(cls, stored: bytes, settings: AdwinSettings) -> _Pool:
        body = _HEAD.size + AGES * _AGE.size
        if stored[0] != FORM or len(stored) <= body:
            raise UnreadableWindow(f"a stored pool of {len(stored)} bytes has form {stored[0]}, not {FORM}")
        pool = cls(Adwin.from_bytes(stored[body:], settings))
        pool.errors = _HEAD.unpack_from(stored)[1]
        pool.ages = list(_AGE.iter_unpack(stored[_HEAD.size : body]))
        return pool
