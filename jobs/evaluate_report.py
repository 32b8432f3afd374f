"""What a person sees of an evaluation: a bar while it runs, a table at the end."""

from __future__ import annotations

import time
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from jobs.figure_table import figure, figure_table
from jobs.progress_bar import ProgressBar
from operators.prequential_score import Evaluation

_SHOW_EVERY: Final = 500


class Trial(Protocol):
    """What is told of while it runs: `events` were taken in, of which `counting` were judged."""

    @property
    def events(self) -> int: ...

    @property
    def counting(self) -> int: ...


class EvaluationProgress(ProgressBar):
    """A progress bar on standard error, or nothing where `shown` is False."""

    def __init__(self, events: int, shown: bool) -> None:
        self._shown = shown
        self._started = time.monotonic()
        super().__init__(
            "events",
            TextColumn("events"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>7,.0f}/s"),
            TextColumn("[cyan]{task.fields[counting]:,} judged"),
            TimeRemainingColumn(),
            total=events,
            shown=shown,
            rate=0.0,
            counting=0,
        )

    def update(self, trial: Trial) -> None:
        """Show how far the run is, now and then."""
        if self._shown and trial.events % _SHOW_EVERY == 0:
            rate = trial.events / max(time.monotonic() - self._started, 1e-3)
            self.show(completed=trial.events, rate=rate, counting=trial.counting)


def tell(done: Evaluation, out: Console | None = None) -> None:
    """Print the figures for people."""
    out = out or Console(highlight=False, soft_wrap=True)
    table = figure_table("", ("HR@20", "MRR@20", "strict HR@20", "strict MRR@20", "coverage"))
    for score in done.recommenders:
        figures = (score.hit_rate, score.mrr, score.strict_hit_rate, score.strict_mrr, score.coverage)
        table.add_row(score.name, *map(figure, figures))
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
