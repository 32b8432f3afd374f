"""What a person sees of an evaluation: a bar while it runs, a table at the end."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from operators.prequential import Prequential
from operators.prequential_score import Evaluation

_SHOW_EVERY: Final = 500
_NONE: Final = "–"


class EvaluationProgress:
    """A progress bar on standard error, or nothing where `shown` is False."""

    def __init__(self, events: int, shown: bool) -> None:
        self._shown = shown
        self._started = time.monotonic()
        self._bar = Progress(
            TextColumn("events"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>7,.0f}/s"),
            TextColumn("[cyan]{task.fields[counting]:,} judged"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._bar.add_task("events", total=events, rate=0.0, counting=0)

    def __enter__(self) -> EvaluationProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, trial: Prequential) -> None:
        """Show how far the run is, now and then."""
        if self._shown and trial.events % _SHOW_EVERY == 0:
            rate = trial.events / max(time.monotonic() - self._started, 1e-3)
            self._bar.update(self._task, completed=trial.events, rate=rate, counting=trial.counting)


def tell(done: Evaluation, out: Console | None = None) -> None:
    """Print the figures for people."""
    out = out or Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("HR@20", "MRR@20", "strict HR@20", "strict MRR@20", "coverage"):
        table.add_column(heading, justify="right")
    for score in done.recommenders:
        figures = (score.hit_rate, score.mrr, score.strict_hit_rate, score.strict_mrr, score.coverage)
        table.add_row(score.name, *(_NONE if figure is None else f"{figure:.3f}" for figure in figures))
    out.print(table)
    out.print(
        f"{done.counting:,} of {done.events:,} events counted, {done.strict:,} of them strict;"
        f" {done.users:,} users, {done.items:,} items touched; {done.seconds:,.0f} s"
    )
    if done.model is not None:
        out.print(f"ranked with {done.model}; events of its own data were learned from and not counted")
    if done.unused_rows:
        out.print(f"{done.unused_rows:,} rows of the file make no usable event")
    if not done.counting:
        out.print("[yellow]no event counted[/]: no user took a second item for the first time")
