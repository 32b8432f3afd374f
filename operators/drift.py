"""When a user's behaviour stops fitting their profile: a change detector on the affinity model's errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from operators.adwin import Adwin, AdwinSettings
from operators.change_detector import ChangeDetector, OtherDetector, UnreadableWindow
from operators.ddm import Ddm, DdmSettings
from operators.page_hinkley import PageHinkley, PageHinkleySettings
from schemas.state import Affinity

logger = logging.getLogger(__name__)

DetectorKind = Literal["adwin", "ddm", "page_hinkley"]

NAMES: dict[str, str] = {"adwin": "ADWIN", "ddm": "DDM", "page_hinkley": "Page-Hinkley"}
"""What alerts call the detectors, by their name in the settings."""


@dataclass(frozen=True)
class DriftSettings:
    """Detectors for short histories; chosen by `tests/bench/drift_simulation.py`.

    Errors are fed after every `feed_every` labelled events of a user. A detection is a drift when the error
    rose by at least `least_rise`: an error that falls only means that the model has learned.
    `delta` to `max_buckets` are ADWIN's. Raises `ValueError` for a value out of its range.
    """

    feed_every: int = 8
    delta: float = 0.3
    clock: int = 8
    min_window_length: int = 1
    grace_period: int = 16
    max_buckets: int = 5
    least_rise: float = 0.05
    familiar: float = 0.25
    """What an error counts at an item that the user had touched before, 0 to 1: coming back fits a profile."""
    detector: DetectorKind = "adwin"
    """Which detector each user has: `adwin`, `ddm` or `page_hinkley`. Changing it begins all of them anew."""
    ddm: DdmSettings = DdmSettings(warm_start=16, drift_threshold=3.0, wrong_from=0.7)
    page_hinkley: PageHinkleySettings = PageHinkleySettings(
        min_instances=16, delta=0.1, threshold=3.0, alpha=1.0, mode="up"
    )

    def __post_init__(self) -> None:
        if self.feed_every < 1:
            raise ValueError(f"feed_every is {self.feed_every}; it must be at least 1")
        if not 0.0 <= self.familiar <= 1.0:
            raise ValueError(f"familiar is {self.familiar}; it must be from 0 to 1")
        if self.detector not in NAMES:
            raise ValueError(f"detector is {self.detector!r}; it must be one of {', '.join(NAMES)}")
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
    """Feeds prediction errors to a user's stored detector. Holds nothing of any user itself.

    >>> detector = DriftDetector(DriftSettings())
    >>> stored, detection = None, None
    >>> for errors in [[0.2] * 8] * 6 + [[0.7] * 8] * 2:
    ...     stored, found = detector.feed(stored, errors)
    ...     detection = detection or found
    >>> detection.error_before < 0.3 < 0.6 < detection.error_after
    True
    """

    def __init__(self, settings: DriftSettings) -> None:
        self._settings = settings
        self._new, self._read = _forms(settings)
        self.name = NAMES[settings.detector]
        self.rebuilt = 0
        """How many stored detectors could not be read, and were begun anew."""

    def classes(self) -> list[str]:
        """The river class whose detections are in use, with its settings, for the profile.

        >>> DriftDetector(DriftSettings()).classes()[0].startswith("river.drift.ADWIN(clock=8")
        True
        """
        s = self._settings
        if s.detector == "ddm":
            ddm = s.ddm
            return [
                f"river.drift.binary.DDM(drift_threshold={ddm.drift_threshold:g}, warm_start={ddm.warm_start})"
            ]
        if s.detector == "page_hinkley":
            ph = s.page_hinkley
            return [
                f"river.drift.PageHinkley(alpha={ph.alpha:g}, delta={ph.delta:g},"
                f" min_instances={ph.min_instances}, mode={ph.mode!r}, threshold={ph.threshold:g})"
            ]
        return [
            f"river.drift.ADWIN(clock={s.clock}, delta={s.delta:g}, grace_period={s.grace_period},"
            f" min_window_length={s.min_window_length})"
        ]

    def soften(self, affinity: Affinity) -> None:
        """The event just learned from was at an item that the user had touched before.

        >>> user = Affinity(errors=[0.5, 0.8])
        >>> DriftDetector(DriftSettings()).soften(user)
        >>> user.errors
        [0.5, 0.2]
        """
        if affinity.errors:
            affinity.errors[-1] *= self._settings.familiar

    def due(self, affinity: Affinity) -> bool:
        """Are there enough errors that were not fed yet?

        >>> DriftDetector(DriftSettings()).due(Affinity(errors=[0.1] * 8))
        True
        """
        return len(affinity.errors) >= self._settings.feed_every

    def feed(self, stored: bytes | None, errors: Sequence[float]) -> tuple[bytes | None, Detection | None]:
        """Take in errors, oldest first. Returns the detector's new bytes, and the drift if there was one.

        With None, or with bytes that cannot be read (which is counted in `rebuilt`, and logged unless they
        are another detector's), the detector begins anew. The bytes are None when it knows nothing: after a
        drift nothing of it is kept, since the errors of a discounted model say nothing about those before.
        """
        window = self._window(stored)
        detection: Detection | None = None
        for error in errors:
            if not window.update(error):
                continue
            before, after = window.means
            if after - before >= self._settings.least_rise:
                detection = Detection(error_before=before, error_after=after)
                window = self._new()
            elif self._settings.detector != "adwin":  # ADWIN drops its older part by itself
                window = self._new()
        return (window.to_bytes() if window.width else None), detection

    def _window(self, stored: bytes | None) -> ChangeDetector:
        if not stored:
            return self._new()
        try:
            return self._read(stored)
        except UnreadableWindow as cause:
            self.rebuilt += 1
            if not isinstance(cause, OtherDetector):
                logger.warning("drift detection of one user begins anew: %s", cause)
            return self._new()


def _forms(
    settings: DriftSettings,
) -> tuple[Callable[[], ChangeDetector], Callable[[bytes], ChangeDetector]]:
    """How the chosen detector begins, and how it is read from its stored bytes."""
    if settings.detector == "ddm":
        ddm = settings.ddm
        return lambda: Ddm(ddm), lambda stored: Ddm.from_bytes(stored, ddm)
    if settings.detector == "page_hinkley":
        hinkley = settings.page_hinkley
        return lambda: PageHinkley(hinkley), lambda stored: PageHinkley.from_bytes(stored, hinkley)
    adwin = settings.adwin()
    return lambda: Adwin(adwin), lambda stored: Adwin.from_bytes(stored, adwin)
