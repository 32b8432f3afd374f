"""A progress bar on standard error that lasts as long as a `with` block."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn


class ProgressBar:
    """One bar of these columns, or nothing where `shown` is False. `fields` begin what the columns tell.

    >>> from rich.progress import TextColumn
    >>> with ProgressBar("events", TextColumn("{task.completed}"), total=3, shown=False) as bar:
    ...     bar.show(completed=2)
    """

    def __init__(
        self, text: str, *columns: ProgressColumn, total: int | None, shown: bool, **fields: Any
    ) -> None:
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._task = self._bar.add_task(text, total=total, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, **told: Any) -> None:
        """Change what is told: `completed`, `total`, `description` and fields of the columns."""
        self._bar.update(self._task, **told)
