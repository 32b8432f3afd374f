"""Drift of the whole stream: of rates by ADWIN on batches, of distributions by two-sample tests on periods."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from operators.change_detector import UnreadableWindow
from operators.rate_watch import RateWatch, RateWatchSettings
from operators.stream_summary import StreamSummary
from operators.two_sample import Difference, chi_squared, kolmogorov_smirnov
from schemas.records import STREAM, DriftAlert

logger = logging.getLogger(__name__)

STORED_VERSION = 1

ALONE = 10_000
"""So many rejected records, with no batch between them in which anything was accepted, are a rate of their own."""

DAY = 86_400_000

TWO_SIDED = frozenset({"price_level"})
"""Signals whose fall is as much a change as their rise; of the others a fall is good news."""


@dataclass(frozen=True)
class StreamDriftSettings:
    """How the whole stream is watched. Raises `ValueError` for a value out of its range."""

    batch_events: int = 500
    """Events that a subtask sums up before it sends them to be judged."""
    least_asked: int = 200
    """A rate is judged on at least so many events: fewer wait for the next batch."""
    rates: RateWatchSettings = RateWatchSettings()
    least_change: float = 0.02
    """A rate's change is told only if it is as great as this."""
    least_changes: Mapping[str, float] = field(default_factory=lambda: {"user_drifts": 0.005})
    """The same for single signals."""
    period: int = DAY
    """Distributions are compared by periods of this length: event time, in ms. Whole days hide the hours."""
    periods: int = 7
    """A period is compared with so many before it, taken together."""
    least_events: int = 1000
    """A distribution of fewer events is not compared."""
    alpha: float = 0.001
    """How unlikely a difference must be by chance."""
    least_distance: float = 0.1
    """And how great, 0 to 1: of many events the least difference is significant."""

    def __post_init__(self) -> None:
        ranges = {
            "batch_events": (1, 1_000_000),
            "least_asked": (2, 1_000_000),
            "least_change": (0.0, 1.0),
            "period": (1, 366 * DAY),
            "periods": (1, 60),
            "least_events": (1, 10**9),
            "alpha": (1e-12, 0.5),
            "least_distance": (0.0, 1.0),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from {least} to {most}")


class _Stored(msgspec.Struct, array_like=True):
    """What is kept between two batches."""

    watches: dict[str, bytes] = msgspec.field(default_factory=dict)
    waiting: StreamSummary = msgspec.field(default_factory=StreamSummary)
    current: StreamSummary = msgspec.field(default_factory=StreamSummary)
    past: list[StreamSummary] = msgspec.field(default_factory=list)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


class StreamDrift:
    """Watches summaries of the stream. Its memory is bounded by the number of signals and of periods.

    >>> drift = StreamDrift(StreamDriftSettings())
    >>> found = []
    >>> for k in range(200):
    ...     shown = {"unknown_items": 60.0 if k >= 100 else 2.0 + k % 3}
    ...     found += drift.take(StreamSummary(events=200, first=k, last=k, asked={"unknown_items": 200}, shown=shown))
    >>> [(alert.signal, alert.detector, round(alert.error_before, 3), alert.error_after) for alert in found]
    [('unknown_items', 'ADWIN', 0.015, 0.3)]
    """

    def __init__(self, settings: StreamDriftSettings) -> None:
        self._settings = settings
        self._watches: dict[str, RateWatch] = {}
        self._waiting = StreamSummary()
        self._current = StreamSummary()
        self._past: list[StreamSummary] = []

    def take(self, summary: StreamSummary) -> list[DriftAlert]:
        """Take in a batch; the alerts that it gives rise to."""
        alerts = self._rates(summary)
        closing = self._current.events and summary.last - self._current.first >= self._settings.period
        if closing:
            alerts += self._distributions(summary.last)
        self._current.merge(StreamSummary(
            events=summary.events, first=summary.first, last=summary.last, names=summary.names, bins=summary.bins
        ))  # fmt: skip
        return alerts

    def _rates(self, summary: StreamSummary) -> list[DriftAlert]:
        settings, waiting = self._settings, self._waiting
        waiting.merge(
            StreamSummary(
                events=summary.events,
                first=summary.first,
                last=summary.last,
                asked=summary.asked,
                shown=summary.shown,
            )
        )
        if summary.is_rejected and waiting.asked["rejected"] < ALONE:
            # Whoever turned these away accepts nothing: the rate is that among what others accept meanwhile.
            return []
        alerts = []
        for signal in [name for name, asked in waiting.asked.items() if asked >= settings.least_asked]:
            asked = waiting.asked.pop(signal)
            rate = waiting.shown.pop(signal) / asked
            watch = self._watches.get(signal)
            if watch is None:
                watch = self._watches[signal] = RateWatch(settings.rates)
            if not watch.update(rate, asked):
                continue
            rise = rate - watch.before
            least = settings.least_changes.get(signal, settings.least_change)
            if (abs(rise) if signal in TWO_SIDED else rise) >= least:
                alerts.append(self._rate_alert(signal, watch.before, rate, asked, summary.last))
            # What comes now is the new normal, whether it was told or not.
            self._watches[signal] = RateWatch(settings.rates)
        return alerts

    def _distributions(self, now: int) -> list[DriftAlert]:
        settings, current = self._settings, self._current
        reference = StreamSummary()
        for period in self._past:
            reference.merge(period)
        alerts = []
        for what, counts in current.names.items():
            before = reference.names.get(what, {})
            alerts += self._compared(
                what,
                chi_squared(before, counts),
                "chi-squared",
                sum(before.values()),
                sum(counts.values()),
                now,
            )
        for what, counted in current.bins.items():
            bins = reference.bins.get(what, [0] * len(counted))
            alerts += self._compared(
                what, kolmogorov_smirnov(bins, counted), "KS", sum(bins), sum(counted), now
            )
        # After a change the past is no longer what is to be expected.
        self._past = [current] if alerts else [*self._past, current][-settings.periods :]
        self._current = StreamSummary()
        return alerts

    def _compared(
        self, what: str, difference: Difference, test: str, before: int, after: int, now: int
    ) -> list[DriftAlert]:
        settings = self._settings
        if min(before, after) < settings.least_events:
            return []
        if difference.p > settings.alpha or difference.distance < settings.least_distance:
            return []
        alert = DriftAlert(
            uid="",
            detector=test,
            at=now,
            labelled=after,
            error_before=0.0,
            error_after=difference.distance,
            scope=STREAM,
            signal=f"distribution/{what}",
            reason=f"the distribution of {what} lies {difference.distance:.2f} from that of the"
            f" {len(self._past)} periods before (p {difference.p:.1g}, {after} events against {before})",
        )
        return [alert]

    def _rate_alert(self, signal: str, before: float, after: float, asked: int, now: int) -> DriftAlert:
        verb = "rose" if after > before else "fell"
        return DriftAlert(
            uid="",
            detector="ADWIN",
            at=now,
            labelled=asked,
            error_before=before,
            error_after=after,
            scope=STREAM,
            signal=signal,
            reason=f"{signal} {verb} from {before:.3f} to {after:.3f} of the last {asked} events that could show it",
        )

    def to_bytes(self) -> bytes:
        """All that is remembered: a version byte and MessagePack."""
        watches = {signal: watch.to_bytes() for signal, watch in self._watches.items()}
        return bytes([STORED_VERSION]) + _encode(_Stored(watches, self._waiting, self._current, self._past))

    @classmethod
    def from_bytes(cls, stored: bytes | None, settings: StreamDriftSettings) -> StreamDrift:
        """What those bytes remember. With None, or with bytes that cannot be read (which is logged), it begins
        anew; a single rate that cannot be read begins anew by itself.

        >>> drift = StreamDrift(StreamDriftSettings())
        >>> StreamDrift.from_bytes(drift.to_bytes(), StreamDriftSettings()).to_bytes() == drift.to_bytes()
        True
        """
        drift = cls(settings)
        if not stored:
            return drift
        if stored[0] != STORED_VERSION:
            logger.warning("stream drift begins anew: stored version %d is not %d", stored[0], STORED_VERSION)
            return drift
        try:
            kept = _decode(memoryview(stored)[1:])
        except msgspec.MsgspecError as error:
            logger.warning("stream drift begins anew: what is stored does not parse: %s", error)
            return drift
        drift._waiting, drift._current, drift._past = kept.waiting, kept.current, kept.past
        for signal, watch in kept.watches.items():
            try:
                drift._watches[signal] = RateWatch.from_bytes(watch, settings.rates)
            except UnreadableWindow as error:
                logger.warning("stream drift of %s begins anew: %s", signal, error)
        return drift
