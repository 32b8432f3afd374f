"""`headrace train`: a model bundle from a file of events."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from jobs.options import AsJson, Config
from jobs.settings import load
from jobs.train_ranker import MOST_MICROSECONDS
from jobs.training import Training, TrainingSettings
from jobs.training_report import TrainingReport, TriedReport


def command(
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV or Avro.", metavar="FILE")],
    items: Annotated[Path | None, typer.Option("--items", help="Catalogue: Parquet, CSV or Avro.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New folder of the bundle, NAME/VERSION; default models/FILE/1, 2, …"),
    ] = None,
    lists: Annotated[int, typer.Option("--lists", min=100, help="Events sampled to train on.")] = 40_000,
    validation: Annotated[
        int, typer.Option("--validation", min=100, help="Events sampled to validate on.")
    ] = 20_000,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Learn from events before this time alone (UTC).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and file give the same model.")] = 7,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Train a model bundle from event files.

    Example: headrace train events.parquet --items items.parquet --out models/shop/1
    """
    settings = load(config)
    training = Training(
        TrainingSettings(lists=lists, validation=validation, seed=seed),
        step=settings.step,
        statistics=settings.statistics,
        rank=settings.rank,
        ingest=settings.ingest.with_limits(),
    )
    folder = out if out is not None else next_version(Path("models") / file.name.split(".")[0])
    before = None if until is None else int(until.replace(tzinfo=UTC).timestamp() * 1000)
    with Bars(shown=not as_json) as bars:
        report = training.run(file, items, folder, bars.progress, before)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        print_report(report, Console())


class Bars:
    """A progress bar per stage, on the terminal's error output; nothing where there is no terminal."""

    def __init__(self, shown: bool) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console, disable=not (shown and console.is_terminal))
        self._stages: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def progress(self, stage: str, done: int, of: int | None) -> None:
        """Show how far a stage is; a new stage begins its bar and ends that of the one before."""
        if stage not in self._stages:
            for earlier in self._stages.values():
                self._bars.stop_task(earlier)
            self._stages[stage] = self._bars.add_task(stage, total=of)
        self._bars.update(self._stages[stage], completed=done, total=of)


def next_version(name: Path) -> Path:
    """The folder of the version after the last in a bundle's folder: numbers from 1."""
    taken = [int(path.name) for path in name.glob("*") if path.name.isdecimal()]
    return name / str(max(taken, default=0) + 1)


def print_report(report: TrainingReport, console: Console) -> None:
    """The table of quality against cost, and what was chosen by which rule."""
    table = Table(title=f"{report.validation:,} later events ({report.validation_strict:,} strict)")
    for heading in ("ranker", "HR@20", "MRR@20", "strict HR", "strict MRR", "µs per user", ""):
        table.add_column(heading, justify="left" if heading in ("ranker", "") else "right")
    for tried in report.tried:
        figures = (tried.hr, tried.mrr, tried.hr_strict, tried.mrr_strict)
        cost = f"{tried.microseconds:.0f}" if tried.microseconds else "–"
        mark = "chosen" if tried.chosen else _why_not(tried)
        table.add_row(tried.ranker, *(f"{figure:.3f}" for figure in figures), cost, mark)
    console.print(table)
    console.print(
        f"{report.recall:.1%} of these events had their item among the candidates"
        f" ({report.candidates:.0f} a user): no ranker can do better."
    )
    console.print(
        f"Rule: the best MRR@20 of those that cost at most {MOST_MICROSECONDS:.0f} µs per user and beat the"
        " blend of sources by more than two standard errors."
    )
    if report.ranker == "blend":
        console.print("No ranker did, so the bundle carries item factors only, and lists go by the blend.")
    spent = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in report.seconds.items())
    console.print(f"Bundle {report.name} in {report.bundle} ({spent}).", highlight=False)


def _why_not(tried: TriedReport) -> str:
    if tried.ranker == "blend" or (tried.beats_blend and tried.microseconds <= MOST_MICROSECONDS):
        return ""
    return "too slow" if tried.beats_blend else "within noise"
