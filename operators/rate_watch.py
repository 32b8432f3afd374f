"""ADWIN on the mean of batches: a share or a moment that was steady, and is another now."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from struct import Struct

from operators.adwin import Adwin, AdwinSettings
from operators.change_detector import UnreadableWindow, check_stored

FORM = 0x61
"""First stored byte: a watched rate, version 1."""
_STORED = Struct("<BI3d")
_DEVIATIONS = 12.0


@dataclass(frozen=True)
class RateWatchSettings:
    """How a rate is watched. Raises `ValueError` for a value out of its range."""

    calibrate: int = 20
    """Batches from which the rate and its spread are learned before anything is tested."""
    delta: float = 0.02
    """ADWIN's confidence."""
    clock: int = 1
    """ADWIN tests after every so many batches."""

    def __post_init__(self) -> None:
        if not 2 <= self.calibrate <= 10_000:
            raise ValueError(f"calibrate is {self.calibrate}; it must be from 2 to 10000")
        self.adwin()

    def adwin(self) -> AdwinSettings:
        """The settings of the window itself.

        >>> RateWatchSettings().adwin().delta
        0.02
        """
        return AdwinSettings(delta=self.delta, clock=self.clock, min_window_length=3, grace_period=5)


class RateWatch:
    """Feeds ADWIN with batch means in units of their own spread, learned from the first batches.

    ADWIN's bound is for values anywhere in [0, 1]. Means of a batch lie close together: fed as they are, a
    change of some hundredths would take thousands of batches to see. 12 standard deviations are made 1.

    >>> watch = RateWatch(RateWatchSettings())
    >>> next(k for k in range(200) if watch.update(0.3 if k >= 100 else 0.01 * (k % 3), 200))
    118
    >>> round(watch.before, 2)
    0.01
    """

    __slots__ = ("_adwin", "_batches", "_mean", "_settings", "_squares", "before")

    def __init__(self, settings: RateWatchSettings) -> None:
        self._settings = settings
        self._batches = 0
        self._mean = 0.0
        self._squares = 0.0
        self._adwin = Adwin(settings.adwin())
        self.before = 0.0
        """Of the last change: the rate before it."""

    def update(self, rate: float, asked: int) -> bool:
        """Take in the mean of a batch of `asked` values. True when the rate has changed."""
        if self._batches < self._settings.calibrate:
            self._batches += 1
            apart = rate - self._mean
            self._mean += apart / self._batches
            self._squares += apart * (rate - self._mean)
            return False
        # Where all batches were alike, such as all 0, one value of a batch is still no change.
        spread = max(sqrt(self._squares / (self._batches - 1)), 1.0 / asked)
        scale = _DEVIATIONS * spread
        if not self._adwin.update(min(max(0.5 + (rate - self._mean) / scale, 0.0), 1.0)):
            return False
        self.before = self._mean + (self._adwin.means[0] - 0.5) * scale
        return True

    def to_bytes(self) -> bytes:
        """The watch as stored: 29 bytes and its window.

        >>> len(RateWatch(RateWatchSettings()).to_bytes())
        53
        """
        head = _STORED.pack(FORM, self._batches, self._mean, self._squares, self.before)
        return head + self._adwin.to_bytes()

    @classmethod
    def from_bytes(cls, stored: bytes, settings: RateWatchSettings) -> RateWatch:
        """The watch of stored bytes. Raises `UnreadableWindow`."""
        head = stored[: _STORED.size]
        check_stored(head, FORM, _STORED.size, "a watched rate")
        watch = cls(settings)
        _, watch._batches, watch._mean, watch._squares, watch.before = _STORED.unpack(head)
        if watch._batches > settings.calibrate:
            raise UnreadableWindow(f"a stored rate was calibrated on {watch._batches} batches")
        watch._adwin = Adwin.from_bytes(stored[_STORED.size :], settings.adwin())
        return watch
