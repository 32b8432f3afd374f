"""Page-Hinkley: how far the values have run above their own running mean, since they were lowest against it.

Page, "Continuous Inspection Schemes" (Biometrika 1954), with the arithmetic of river's `drift.PageHinkley`,
whose detections it shares (`tests/unit/test_page_hinkley_river.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from struct import Struct
from typing import Literal

from operators.change_detector import check_stored

FORM = 0x31
"""First stored byte: Page-Hinkley, version 1."""
_STORED = Struct("<BI5dIdId")

Mode = Literal["up", "down", "both"]


@dataclass(frozen=True)
class PageHinkleySettings:
    """As in river: nothing is tested before `min_instances` values; a deviation of `delta` is allowed, and a
    sum of `threshold` beyond it is a change; sums are faded by `alpha`.
    Raises `ValueError` for a value out of its range.

    >>> PageHinkleySettings(threshold=0.0)
    Traceback (most recent call last):
    ValueError: threshold is 0.0; it must be from 0.01 to 1000000.0
    """

    min_instances: int = 30
    """Values before the first test."""
    delta: float = 0.005
    """By how much a value may deviate from the mean without counting."""
    threshold: float = 50.0
    """Sum of deviations that makes a change: greater finds fewer, true and false."""
    alpha: float = 0.9999
    """What the sums are multiplied by at every value."""
    mode: Mode = "both"
    """Which changes count: `up`, `down` or `both`."""

    def __post_init__(self) -> None:
        ranges = {
            "min_instances": (1, 100_000),
            "delta": (0.0, 1e6),
            "threshold": (0.01, 1e6),
            "alpha": (0.5, 1.0),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from {least} to {most}")
        if self.mode not in ("up", "down", "both"):
            raise ValueError(f"mode is {self.mode!r}; it must be up, down or both")


class PageHinkley:
    """The running mean, and the sums of deviations with their extremes.

    >>> sums = PageHinkley(PageHinkleySettings(threshold=3.0, mode="up"))
    >>> next(k for k in range(200) if sums.update(float(k % 5 == 0 or k >= 100)))
    103
    >>> [round(mean, 2) for mean in sums.means]
    [0.2, 1.0]
    """

    __slots__ = ("_down", "_high", "_high_at", "_low", "_low_at", "_mean", "_settings", "_up", "width")

    def __init__(self, settings: PageHinkleySettings) -> None:
        self._settings = settings
        self.width = 0
        self._mean = 0.0
        self._up = 0.0
        self._down = 0.0
        self._low = inf
        self._high = -1.0
        # Where the sums were lowest and highest: the count of values, and their mean until then.
        self._low_at = (0, 0.0)
        self._high_at = (0, 0.0)

    @property
    def means(self) -> tuple[float, float]:
        """The means until the sum that has run away furthest was at its extreme, and since."""
        rise, fall = self._up - self._low, self._high - self._down
        rises = self._settings.mode == "up" or (self._settings.mode == "both" and rise >= fall)
        count, before = self._low_at if rises else self._high_at
        since = self.width - count
        if not count or not since:
            return self._mean, self._mean
        return before, (self._mean * self.width - before * count) / since

    def update(self, value: float) -> bool:
        """Take in one value. True when the mean has changed in a direction that counts."""
        settings = self._settings
        self.width += 1
        self._mean += 1.0 / self.width * (value - self._mean)
        deviation = value - self._mean
        self._up = settings.alpha * self._up + deviation - settings.delta
        self._down = settings.alpha * self._down + deviation + settings.delta
        if self._up < self._low:
            self._low, self._low_at = self._up, (self.width, self._mean)
        if self._down > self._high:
            self._high, self._high_at = self._down, (self.width, self._mean)
        if self.width < settings.min_instances:
            return False
        rose = settings.mode != "down" and self._up - self._low > settings.threshold
        fell = settings.mode != "up" and self._high - self._down > settings.threshold
        return rose or fell

    def to_bytes(self) -> bytes:
        """The state as stored: 69 bytes.

        >>> len(PageHinkley(PageHinkleySettings()).to_bytes())
        69
        """
        sums = (self._mean, self._up, self._down, self._low, self._high)
        return _STORED.pack(FORM, self.width, *sums, *self._low_at, *self._high_at)

    @classmethod
    def from_bytes(cls, stored: bytes, settings: PageHinkleySettings) -> PageHinkley:
        """The state of stored bytes. Raises `UnreadableWindow`."""
        check_stored(stored, FORM, _STORED.size, "Page-Hinkley")
        state = cls(settings)
        _, state.width, mean, up, down, low, high, *extremes = _STORED.unpack(stored)
        state._mean, state._up, state._down, state._low, state._high = mean, up, down, low, high
        state._low_at, state._high_at = (extremes[0], extremes[1]), (extremes[2], extremes[3])
        return state
