"""When a user's behaviour stops fitting their profile: ADWIN on the affinity model's prediction errors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from operators.adwin import Adwin, AdwinSettings, UnreadableWindow
from schemas.state import Affinity

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DriftSettings:
    """ADWIN for short histories; chosen by `tests/bench/drift_simulation.py`.

    Errors are fed after every `feed_every` labelled events of a user. A detection is a drift when the error
    rose by at least `least_rise`: an error that falls only means that the model has learned.
    Raises `ValueError` for a value out of its range.
    """

    feed_every: int = 8
    delta: float = 0.3
    clock: int = 8
    min_window_length: int = 1
    grace_period: int = 16
    max_buckets: int = 5
    least_rise: float = 0.05

    def __post_init__(self) -> None:
        if self.feed_every < 1:
            raise ValueError(f"feed_every is {self.feed_every}; it must be at least 1")
        self.adwin()

    def adwin(self) -> AdwinSettings:
        """The settings of the window itself.

        >>> DriftSettings().adwin().clock
        8
        """
        return AdwinSettings(
            delta=self.delta,
            clock=self.clock,
            max_buckets=self.max_buckets,
            min_window_length=self.min_window_length,
            grace_period=self.grace_period,
        )


@dataclass(frozen=True)
class Detection:
    """A drift: the mean prediction errors, in [0, 1], before and after its likeliest place."""

    error_before: float
    error_after: float


class DriftDetector:
    """Feeds prediction errors to a user's stored ADWIN window. Holds nothing of any user itself.

    >>> detector = DriftDetector(DriftSettings())
    >>> stored, detection = None, None
    >>> for errors in [[0.2] * 8] * 6 + [[0.7] * 8] * 2:
    ...     stored, found = detector.feed(stored, errors)
    ...     detection = detection or found
    >>> detection.error_before < 0.3 < 0.6 < detection.error_after
    True
    """

    name = "ADWIN"

    def __init__(self, settings: DriftSettings) -> None:
        self._settings = settings
        self._adwin = settings.adwin()
        self.rebuilt = 0
        """How many stored windows could not be read, and were begun anew."""

    def classes(self) -> list[str]:
        """The river class whose detections are in use, with its settings, for the profile.

        >>> DriftDetector(DriftSettings()).classes()[0].startswith("river.drift.ADWIN(clock=8")
        True
        """
        s = self._settings
        return [
            f"river.drift.ADWIN(clock={s.clock}, delta={s.delta:g}, grace_period={s.grace_period},"
            f" min_window_length={s.min_window_length})"
        ]

    def due(self, affinity: Affinity) -> bool:
        """Are there enough errors that were not fed yet?

        >>> DriftDetector(DriftSettings()).due(Affinity(errors=[0.1] * 8))
        True
        """
        return len(affinity.errors) >= self._settings.feed_every

    def feed(self, stored: bytes | None, errors: Sequence[float]) -> tuple[bytes | None, Detection | None]:
        """Take in errors, oldest first. Returns the window's new bytes, and the drift if there was one.

        With None, or with bytes that cannot be read (which is logged and counted in `rebuilt`), the window
        begins anew. The bytes are None when the window is empty: after a drift nothing of it is kept, since
        the errors of a discounted model say nothing about those before.
        """
        window = self._window(stored)
        detection: Detection | None = None
        for error in errors:
            if not window.update(error):
                continue
            before, after = window.means
            if after - before >= self._settings.least_rise:
                detection = Detection(error_before=before, error_after=after)
                window = Adwin(self._adwin)
        return (window.to_bytes() if window.width else None), detection

    def _window(self, stored: bytes | None) -> Adwin:
        if not stored:
            return Adwin(self._adwin)
        try:
            return Adwin.from_bytes(stored, self._adwin)
        except UnreadableWindow as cause:
            self.rebuilt += 1
            logger.warning("drift detection of one user begins anew: %s", cause)
            return Adwin(self._adwin)
