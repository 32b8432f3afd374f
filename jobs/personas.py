"""`headrace train personas`: groups of alike users, from a file of events."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from jobs.bundle_writer import next_version
from jobs.options import AsJson, Config
from jobs.personas_clusters import ALGORITHMS, ClusterSettings
from jobs.personas_report import (
    PERSONA_HEADINGS,
    SHORT_HEADINGS,
    STEADINESS_HEADINGS,
    PersonasReport,
    facts,
    persona_rows,
    short_rows,
    steadiness_rows,
)
from jobs.personas_training import PersonaTraining, PersonaTrainingSettings
from jobs.personas_writer import REPORTS
from jobs.settings import load
from jobs.train import Bars
from jobs.training_people import People


def command(
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV or Avro.", metavar="EVENTS")],
    items: Annotated[Path | None, typer.Option("--items", help="Catalogue: Parquet, CSV or Avro.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New folder of the bundle, NAME/VERSION; default models/personas/1, 2, …"),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            "--previous", help="Bundle whose personas keep id and name; default: the version before."
        ),
    ] = None,
    fewest: Annotated[int, typer.Option("--fewest", min=2, max=64, help="Fewest personas.")] = 3,
    most: Annotated[int, typer.Option("--most", min=2, max=64, help="Most personas.")] = 10,
    algorithm: Annotated[
        list[str] | None,
        typer.Option("--algorithm", help=f"Only this one, may be given again: {', '.join(ALGORITHMS)}."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and file give the same personas.")] = 7,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Find personas, groups of users who behave alike, and write them as a bundle that the job can use.

    Example: headrace train personas events.parquet --items items.parquet --out models/personas/1
    """
    settings = load(config)
    try:
        clusters = ClusterSettings(
            algorithms=tuple(algorithm) if algorithm else ALGORITHMS, fewest=fewest, most=most, seed=seed
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    folder = out if out is not None else next_version(Path("models") / "personas")
    training = PersonaTraining(
        PersonaTrainingSettings(clusters=clusters),
        personas=settings.personas,
        step=settings.step,
        ingest=settings.ingest.with_limits(),
        people=People.by(settings),
    )
    with Bars(shown=not as_json) as bars:
        report = training.run(file, items, folder, previous or version_before(folder), bars.progress)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        print_report(report, Console())


def version_before(folder: Path) -> Path | None:
    """The folder of the version before that of a bundle NAME/VERSION with a number; None where there is none."""
    if not folder.name.isdecimal():
        return None
    earlier = [
        path
        for path in folder.parent.glob("*")
        if path.name.isdecimal() and int(path.name) < int(folder.name)
    ]
    return max(earlier, key=lambda path: int(path.name), default=None)


def print_report(report: PersonasReport, console: Console) -> None:
    """What was tried, the personas, and how to put them in force."""
    _print(console, f"{report.data.vectors:,} users", SHORT_HEADINGS, short_rows(report.tried))
    _print(console, f"Personas {report.name}", PERSONA_HEADINGS, persona_rows(report.personas, report.marked))
    _print(console, "How steady", STEADINESS_HEADINGS, steadiness_rows(report.steadiness))
    for sentence in facts(report):
        console.print(sentence, highlight=False)
    spent = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in report.seconds.items())
    console.print(f"Bundle {report.bundle}, with {' and '.join(REPORTS)} ({spent}).", highlight=False)
    if report.reference is not None:
        console.print(
            f"To put it in force: headrace personas put {report.bundle}", highlight=False, soft_wrap=True
        )


def _print(console: Console, title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*headings, title=title, title_justify="left", box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
