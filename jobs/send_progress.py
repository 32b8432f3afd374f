"""What a person sees while a replay runs: a bar, the rate, the recorded time, the lag behind schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_MS: Final = 1000


class SendProgress:
    """A progress bar on standard error, or nothing where `shown` is False."""

    def __init__(self, total: int | None, shown: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>7,.0f}/s"),
            TextColumn("[cyan]{task.fields[recorded]}"),
            TextColumn("lag {task.fields[lag]:.1f} s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._bar.add_task("events", total=total, rate=0.0, recorded="", lag=0.0)

    def __enter__(self) -> SendProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, done: int, rate: float, time: int, lag: float) -> None:
        """`done` rows so far, events a second, the recorded time (ms), seconds behind schedule."""
        self._bar.update(self._task, completed=done, rate=rate, recorded=recorded_time(time), lag=lag)


def recorded_time(ms: int) -> str:
    """A time for people, UTC.

    >>> recorded_time(1_323_435_000_000)
    '2011-12-09 12:50'
    """
    try:
        return datetime.fromtimestamp(ms / _MS, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
