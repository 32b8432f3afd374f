"""What a person sees while a replay runs: a bar, the rate, the recorded time, the lag behind schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from jobs.progress_bar import ProgressBar

_MS: Final = 1000


class SendProgress(ProgressBar):
    """A progress bar on standard error, or nothing where `shown` is False."""

    def __init__(self, total: int | None, shown: bool) -> None:
        super().__init__(
            "events",
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>7,.0f}/s"),
            TextColumn("[cyan]{task.fields[recorded]}"),
            TextColumn("lag {task.fields[lag]:.1f} s"),
            TimeRemainingColumn(),
            total=total,
            shown=shown,
            rate=0.0,
            recorded="",
            lag=0.0,
        )

    def update(self, done: int, rate: float, time: int, lag: float) -> None:
        """`done` rows so far, events a second, the recorded time (ms), seconds behind schedule."""
        self.show(completed=done, rate=rate, recorded=recorded_time(time), lag=lag)


def recorded_time(ms: int) -> str:
    """A time for people, UTC.

    >>> recorded_time(1_323_435_000_000)
    '2011-12-09 12:50'
    """
    try:
        return datetime.fromtimestamp(ms / _MS, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
