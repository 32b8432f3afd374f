"""What a person sees of `headrace tune`: a bar while it runs, the figures at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from jobs.progress_bar import ProgressBar
from jobs.settings_page import written
from jobs.tune_result import Tuning, interval, percent
from jobs.tune_search import Stand

_NONE = "–"


class TuningProgress(ProgressBar):
    """A bar per pass on standard error, or nothing where `shown` is False."""

    def __init__(self, shown: bool) -> None:
        super().__init__(
            "",
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} % of a pass"),
            TextColumn("[cyan]{task.fields[said]}"),
            TimeElapsedColumn(),
            total=1,
            shown=shown,
            said="",
        )

    def searching(self, events: int, trials: int) -> Callable[[Stand], None]:
        """What to tell of a search by passes over so many events."""

        def update(stand: Stand) -> None:
            said = f"{stand.tried} of {trials} tried, best {percent(stand.gain)}"
            self.show(description=stand.stage, completed=stand.taken, total=events, said=said)

        return update

    def judging(self, events: int) -> Callable[[int], None]:
        """What to tell of the judgement by later events."""

        def update(taken: int) -> None:
            self.show(description="judged by later events", completed=taken, total=events, said="")

        return update


def tell(done: Tuning, out: Path, console: Console | None = None) -> None:
    """Print the figures for people; `out` is the settings file."""
    console = console or Console(highlight=False, soft_wrap=True)
    if done.stopped:
        console.print(f"[yellow]the search ended early[/]: {done.stopped}")
    if not done.changes:
        console.print(
            f"{done.tried} settings tried on {done.earlier.events:,} events: none makes better lists than those in"
            f" force. {out} was not written"
        )
        return
    _tell_changes(done, console)
    if done.verdict is None:
        console.print(f"{out} was written, and [yellow]not judged[/]: the judgement was broken off")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("later events", "in force", "tuned", "gain, 95 % confidence"):
        table.add_column(heading, justify="left" if heading == "later events" else "right")
    for figure in done.verdict.figures:
        values = [_NONE if value is None else f"{value:.4f}" for value in (figure.default, figure.tuned)]
        table.add_row(figure.name, *values, _NONE if figure.gain is None else interval(figure.gain))
    table.add_row("objective", "", "", interval(done.verdict.gain))
    console.print(table)
    console.print(
        f"judged by {done.verdict.judged:,} later events of {done.verdict.users:,} users, none of which chose"
        f" anything; {done.verdict.strict:,} of them strict"
    )
    if done.recommended:
        console.print(f"[green]recommended[/]: put {out} into your settings file, or give it as --config")
    else:
        why = "the gain may be chance" if done.verdict.gain.by > 0.0 else "later lists are no better"
        console.print(f"[yellow]not recommended[/]: {why}. {out} was written to look at")


def _tell_changes(done: Tuning, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "in force", "tuned", "brings"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for change in done.changes:
        worth = _NONE if change.worth is None else percent(change.worth)
        table.add_row(change.name, written(change.before), written(change.tuned), worth)
    console.print(table)
    console.print(
        f"{done.tried} settings tried on {done.earlier.events:,} events; best"
        f" {percent(done.found_gain)} {'by other events than those that found it' if done.confirmed else ''}".rstrip()
    )
    console.print()
