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

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.bundle_writer import next_version, refuse_existing
from jobs.deep import require_torch
from jobs.deep_recipes import DEEP
from jobs.list_files import refuse_place
from jobs.options import AsJson, Config
from jobs.quality_files import PAGE
from jobs.ranker_cost import MOST_MICROSECONDS
from jobs.ranker_recipes import COMBINED, DEFAULT, SINGLE, RankerSettings, refuse_unknown_rankers
from jobs.report_origin import origin_of
from jobs.sequence_settings import SequenceSettings
from jobs.settings import Settings, load
from jobs.training import Training, TrainingSettings
from jobs.training_people import People
from jobs.training_quality import FOLDER, write_quality
from jobs.training_report import TrainingReport, TriedReport
from operators.features import FEATURES

Lists = Annotated[int, typer.Option("--lists", min=100, help="Events sampled to train on.")]
Validation = Annotated[int, typer.Option("--validation", min=100, help="Events sampled to validate on.")]
Items = Annotated[Path | None, typer.Option("--items", help="Catalogue: Parquet, CSV or Avro.")]


def command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV or Avro.", metavar="FILE")],
    items: Items = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New folder of the bundle, NAME/VERSION; default models/FILE/1, 2, …"),
    ] = None,
    lists: Lists = 40_000,
    validation: Validation = 20_000,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Learn from events before this time alone (UTC).")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also", help="Rank by this feature too: profile.NAME and others, as docs/ranking.md lists them."
        ),
    ] = None,
    rankers: Annotated[
        str,
        typer.Option(
            "--rankers", help=f"What to try, with commas: {', '.join((*SINGLE, *DEEP, *COMBINED))}."
        ),
    ] = ",".join(DEFAULT),
    search: Annotated[
        float, typer.Option("--search", min=0.0, help="Minutes to spend on settings of trees and networks.")
    ] = 0.0,
    keep_lists: Annotated[
        Path | None,
        typer.Option("--keep-lists", help="Write the lists to this .npz file, for models made elsewhere."),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help=f"Try models of the extra deep too, and {' and '.join(DEEP)} (docs/deep.md)."
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and file give the same model.")] = 7,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Judge the bundle, into the folder report of its own."),
    ] = True,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Train a model bundle from event files.

    Example: headrace train events.parquet --items items.parquet --out models/shop/1
    """
    if deep:
        require_torch()
    asked = [name.strip() for name in rankers.split(",") if name.strip()]
    names = tuple(dict.fromkeys([*asked, *(DEEP if deep else ())]))
    refuse_unknown_rankers(names)
    if keep_lists is not None:
        refuse_place(keep_lists)
    sizes = TrainingSettings(
        lists=lists,
        validation=validation,
        seed=seed,
        features=tuple(dict.fromkeys([*FEATURES, *(also or [])])),
        sequence=SequenceSettings(seed=seed) if deep else None,
        autoencoder=AutoencoderSettings(seed=seed) if deep else None,
        rankers=RankerSettings(rankers=names),
        search_minutes=search,
        keep_lists=keep_lists,
    )
    settings = load(config)
    training = training_by(settings, sizes)
    folder = out if out is not None else next_version(Path("models") / file.name.split(".")[0])
    before = None if until is None else int(until.replace(tzinfo=UTC).timestamp() * 1000)
    with Bars(shown=not as_json) as bars:
        refuse_existing(folder)
        data = training.read(file, items, bars.progress, before)
        done = training.learn(data, folder, bars.progress)
        if report:
            origin = origin_of(context, [file] if items is None else [file, items])
            write_quality(
                folder,
                data,
                settings,
                origin,
                lambda events: bars.progress("report", events, len(data.events)),
            )
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
        return
    print_report(done, Console())
    if report:
        Console(highlight=False, soft_wrap=True).print(f"Quality: {folder / FOLDER / PAGE}", markup=False)


def training_by(settings: Settings, sizes: TrainingSettings) -> Training:
    """A training by the settings of the job."""
    return Training(
        sizes,
        step=settings.step,
        statistics=settings.statistics,
        rank=settings.rank,
        shelf=settings.shelf,
        ingest=settings.ingest.with_limits(),
        people=People.by(settings),
        models=settings.models,
    )


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


def print_report(report: TrainingReport, console: Console) -> None:
    """The table of quality against cost, and what was chosen by which rule."""
    table = Table(title=f"{report.validation:,} later events ({report.validation_strict:,} strict)")
    bought = any(tried.mrr_bought for tried in report.tried)
    shown = ("bought MRR",) if bought else ()
    for heading in ("ranker", "HR@20", "MRR@20", "strict HR", "strict MRR", *shown, "µs per user", ""):
        table.add_column(heading, justify="left" if heading in ("ranker", "") else "right")
    for tried in report.tried:
        figures = (
            tried.hr,
            tried.mrr,
            tried.hr_strict,
            tried.mrr_strict,
            *((tried.mrr_bought,) if bought else ()),
        )
        cost = f"{tried.microseconds:.0f}" if tried.microseconds else "–"
        mark = "chosen" if tried.chosen else _why_not(tried)
        table.add_row(tried.ranker, *(f"{figure:.3f}" for figure in figures), cost, mark)
    console.print(table)
    console.print(
        f"{report.recall:.1%} of these events had their item among the candidates"
        f" ({report.candidates:.0f} a user): no ranker can do better."
    )
    console.print(
        f"Rule: of those that cost at most {MOST_MICROSECONDS:.0f} µs per user and beat the blend of sources by more"
        " than two standard errors, the cheapest whose MRR@20 is within one of the best."
    )
    if report.left_out:
        console.print(f"{report.left_out[:1].upper()}{report.left_out[1:]}.")
    for found in report.searched:
        console.print(
            f"Searched {found.ranker}: {found.trials} tried, MRR@20 {found.mrr:.4f} on the later lists to train on, by"
            f" {', '.join(f'{name} {value}' for name, value in found.settings.items())}."
        )
    if report.ranker == "blend":
        console.print("No ranker did, so the bundle carries item factors only, and lists go by the blend.")
    spent = ", ".join(
        f"{stage} {seconds:.0f} s" for stage, seconds in report.seconds.items() if seconds > 0.0
    )
    console.print(f"Bundle {report.name} in {report.bundle} ({spent}).", highlight=False)


def _why_not(tried: TriedReport) -> str:
    if tried.ranker == "blend" or (tried.beats_blend and tried.microseconds <= MOST_MICROSECONDS):
        return ""
    return "too slow" if tried.beats_blend else "within noise"
