"""DDM: an error rate that rises significantly above the lowest it has been.

Gama, Medas, Castillo and Rodrigues, "Learning with Drift Detection" (SBIA 2004), with the arithmetic of
river's `drift.binary.DDM`, whose detections it shares (`tests/unit/test_ddm_river.py`). It reads errors of 0
and 1; a graded error in [0, 1] counts as 1 from `wrong_from` on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from struct import Struct

from operators.change_detector import check_stored

FORM = 0x21
"""First stored byte: DDM, version 1."""
_STORED = Struct("<BIdIdd")


@dataclass(frozen=True)
class DdmSettings:
    """As in river: nothing is tested up to `warm_start` errors; a rate is a change when it lies
    `drift_threshold` standard deviations above the lowest. Raises `ValueError` for a value out of its range.

    >>> DdmSettings(warm_start=0)
    Traceback (most recent call last):
    ValueError: warm_start is 0; it must be from 1 to 100000
    """

    warm_start: int = 30
    """Errors before the first test."""
    drift_threshold: float = 3.0
    """Standard deviations above the lowest rate that make a change: greater finds fewer, true and false."""
    wrong_from: float = 0.5
    """An error in [0, 1] counts as a wrong prediction from here on."""

    def __post_init__(self) -> None:
        ranges = {"warm_start": (1, 100_000), "drift_threshold": (0.5, 20.0), "wrong_from": (0.01, 1.0)}
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from {least} to {most}")


class Ddm:
    """The running error rate and the lowest it has been.

    >>> rate = Ddm(DdmSettings())
    >>> next(k for k in range(200) if rate.update(float(k % 5 == 0 or k >= 100)))
    110
    >>> [round(mean, 2) for mean in rate.means]
    [0.2, 1.0]
    """

    __slots__ = ("_low", "_low_count", "_low_spread", "_mean", "_settings", "width")

    def __init__(self, settings: DdmSettings) -> None:
        self._settings = settings
        self.width = 0
        self._mean = 0.0
        self._low = 0.0
        self._low_spread = inf
        self._low_count = 0

    @property
    def means(self) -> tuple[float, float]:
        """The error rates until it was lowest, and since."""
        since = self.width - self._low_count
        if not self._low_count or not since:
            return self._mean, self._mean
        return self._low, (self._mean * self.width - self._low * self._low_count) / since

    def update(self, value: float) -> bool:
        """Take in one error. True when the rate has risen significantly."""
        settings = self._settings
        self.width += 1
        wrong = 1.0 if value >= settings.wrong_from else 0.0
        self._mean += 1.0 / self.width * (wrong - self._mean)
        if self.width <= settings.warm_start:
            return False
        mean = self._mean
        # Rounding can leave the mean of ones or zeros just outside [0, 1].
        spread = sqrt(max(mean * (1.0 - mean), 0.0) / self.width)
        if mean + spread <= self._low + self._low_spread:
            self._low, self._low_spread, self._low_count = mean, spread, self.width
        return mean + spread > self._low + settings.drift_threshold * self._low_spread

    def to_bytes(self) -> bytes:
        """The state as stored: 33 bytes.

        >>> len(Ddm(DdmSettings()).to_bytes())
        33
        """
        return _STORED.pack(FORM, self.width, self._mean, self._low_count, self._low, self._low_spread)

    @classmethod
    def from_bytes(cls, stored: bytes, settings: DdmSettings) -> Ddm:
        """The state of stored bytes. Raises `UnreadableWindow`."""
        check_stored(stored, FORM, _STORED.size, "DDM")
        rate = cls(settings)
        _, rate.width, rate._mean, rate._low_count, rate._low, rate._low_spread = _STORED.unpack(stored)
        return rate
