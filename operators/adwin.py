"""ADWIN: a window of the recent past that drops its older part when the two no longer have the same mean.

Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing" (SDM 2007), with the buckets,
the variance bookkeeping and the test of river's `drift.ADWIN`, whose detections it shares
(`tests/unit/test_adwin_river.py`). Written out because river's object can only be stored as a pickle of 900
to 1,900 bytes per user, and read and written at 50 to 140 µs.

What is stored is rounded: buckets to float32, one part in 17 million. A detection could differ from river's
only where the difference of two means is that close to the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from struct import Struct, error, unpack_from

from operators.change_detector import OtherDetector, UnreadableWindow

STORED_VERSION = 1
"""First stored byte: ADWIN, version 1."""
_HEAD = Struct("<BBIddB")


@dataclass(frozen=True)
class AdwinSettings:
    """As in river: `delta` is the confidence, `clock` the number of values between two tests, a part of the
    window counts from `min_window_length` values, and nothing is tested up to `grace_period` values.

    Raises `ValueError` for a value out of its range; `clock` and `max_buckets` are stored in a byte.

    >>> AdwinSettings(clock=0)
    Traceback (most recent call last):
    ValueError: clock is 0; it must be from 1 to 255
    """

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: int = 5
    grace_period: int = 10

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"delta is {self.delta}; it must lie between 0 and 1")
        ranges = {"clock": (1, 255), "max_buckets": (2, 254), "min_window_length": (1, 1000)}
        for name, (least, most) in (ranges | {"grace_period": (1, 100_000)}).items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from {least} to {most}")


class Adwin:
    """The adaptive window over a stream of numbers.

    After a detection the window holds what came after the change. river's `drift.ADWIN` instead starts an
    empty window with the update after a detection; to have the same, make a new `Adwin` there.

    >>> window = Adwin(AdwinSettings(clock=8))
    >>> next(k for k in range(200) if window.update(float(k >= 100)))
    119
    >>> window.means
    (0.0, 1.0)
    """

    __slots__ = ("_rows", "_settings", "_tick", "means", "total", "variance", "width")

    def __init__(self, settings: AdwinSettings) -> None:
        self._settings = settings
        self.width = 0
        self.total = 0.0
        self.variance = 0.0
        self.means = (0.0, 0.0)
        """Of the last detection: the means before and after the likeliest place of the change."""
        self._tick = 0
        # Row r holds buckets of 2^r values, oldest first: their totals, and their sums of squared deviations.
        self._rows: list[tuple[list[float], list[float]]] = [([], [])]

    @property
    def mean(self) -> float:
        """The mean of the window, 0 when it is empty."""
        return self.total / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        """Take in one value. True when the mean has changed, and the older part of the window was dropped."""
        self._insert(value)
        settings = self._settings
        self._tick = (self._tick + 1) % settings.clock
        if self._tick or self.width <= settings.grace_period:
            return False
        if not self._is_cut():
            return False
        self.means = self._means_around_the_change()
        self._drop_oldest()
        while self._is_cut():
            self._drop_oldest()
        return True

    def _insert(self, value: float) -> None:
        before = self.width
        self.width = before + 1
        if before:
            deviation = value - self.total / before
            self.variance += before * deviation * deviation / self.width
        self.total += value
        totals, variances = self._rows[0]
        totals.append(value)
        variances.append(0.0)
        if len(totals) > self._settings.max_buckets:
            self._merge()

    def _merge(self) -> None:
        """Where a row is overfull, make its two oldest buckets one of the next row."""
        rows = self._rows
        size = 1.0
        row = 0
        while len(rows[row][0]) > self._settings.max_buckets:
            if row + 1 == len(rows):
                rows.append(([], []))
            totals, variances = rows[row]
            apart = totals[0] / size - totals[1] / size
            variance = variances[0] + variances[1] + size * size * apart * apart / (size + size)
            rows[row + 1][0].append(totals[0] + totals[1])
            rows[row + 1][1].append(variance)
            del totals[:2], variances[:2]
            row += 1
            size *= 2.0

    def _is_cut(self) -> bool:
        """Is there a place where the means before and after differ by more than chance allows?"""
        settings = self._settings
        least = settings.min_window_length
        width = self.width
        if width < 2:
            return False
        confidence = log(2.0 * log(width) / settings.delta)
        spread = 2.0 * (max(self.variance, 0.0) / width) * confidence
        slack = 2.0 / 3.0 * confidence
        older, newer = 0, width
        older_total, newer_total = 0.0, self.total
        for row in range(len(self._rows) - 1, -1, -1):
            size = 1 << row
            for total in self._rows[row][0]:
                older += size
                newer -= size
                older_total += total
                newer_total -= total
                if older < least:
                    continue
                if newer < least or not newer:
                    return False
                m = 1.0 / (older - least + 1.0) + 1.0 / (newer - least + 1.0)
                apart = older_total / older - newer_total / newer
                if abs(apart) > sqrt(spread * m) + slack * m:
                    return True
        return False

    def _means_around_the_change(self) -> tuple[float, float]:
        """Where the two sides explain most of the variance: there a step in the mean is likeliest."""
        older, older_total, most = 0, 0.0, -1.0
        means = (self.mean, self.mean)
        for row in range(len(self._rows) - 1, -1, -1):
            for total in self._rows[row][0]:
                older += 1 << row
                older_total += total
                newer = self.width - older
                if not newer:
                    return means
                before, after = older_total / older, (self.total - older_total) / newer
                explained = older * newer * (before - after) ** 2
                if explained > most:
                    most, means = explained, (before, after)
        return means

    def _drop_oldest(self) -> None:
        totals, variances = self._rows[-1]
        size = float(1 << (len(self._rows) - 1))
        total, variance = totals.pop(0), variances.pop(0)
        self.width -= int(size)
        self.total -= total
        apart = total / size - self.total / self.width
        self.variance -= variance + size * self.width * apart * apart / (size + self.width)
        if not totals:
            self._rows.pop()

    def to_bytes(self) -> bytes:
        """The window as stored: 23 bytes, one more a row, and its buckets in float32.

        >>> window = Adwin(AdwinSettings())
        >>> for k in range(1000):
        ...     _ = window.update(k % 2)
        >>> len(window.to_bytes()) <= 400
        True
        """
        counts = bytes(len(totals) for totals, _ in self._rows)
        numbers = list(self._rows[0][0])  # a bucket of one value has no deviations: none are stored
        for totals, variances in self._rows[1:]:
            numbers += totals
            numbers += variances
        head = _HEAD.pack(STORED_VERSION, self._tick, self.width, self.total, self.variance, len(counts))
        return head + counts + Struct(f"<{len(numbers)}f").pack(*numbers)

    @classmethod
    def from_bytes(cls, stored: bytes, settings: AdwinSettings) -> Adwin:
        """The window of stored bytes.

        Raises `OtherDetector` when they are of another detector or version, `UnreadableWindow` when they do
        not parse.
        """
        if not stored or stored[0] != STORED_VERSION:
            version = stored[0] if stored else "none"
            raise OtherDetector(f"a stored change detector has form {version}; ADWIN reads {STORED_VERSION}")
        window = cls(settings)
        try:
            _, window._tick, window.width, window.total, window.variance, rows = _HEAD.unpack_from(stored)
            counts = stored[_HEAD.size : _HEAD.size + rows]
            body = _HEAD.size + rows
            numbers = list(unpack_from(f"<{(len(stored) - body) // 4}f", stored, body))
        except error as cause:
            raise UnreadableWindow(f"a stored ADWIN window of {len(stored)} bytes is cut short") from cause
        if len(counts) != rows or not rows or len(numbers) != counts[0] + 2 * sum(counts[1:]):
            raise UnreadableWindow(f"a stored ADWIN window of {len(stored)} bytes does not parse")
        at = counts[0]
        window._rows = [(numbers[:at], [0.0] * at)]
        for count in counts[1:]:
            window._rows.append((numbers[at : at + count], numbers[at + count : at + 2 * count]))
            at += 2 * count
        if window.width != sum(count << row for row, count in enumerate(counts)):
            raise UnreadableWindow(f"a stored ADWIN window of width {window.width} holds other buckets")
        return window
