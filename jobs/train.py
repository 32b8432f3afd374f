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

from jobs.autoencoder_settings import AutoencoderSettings
from jobs.boosted_settings import BoostedSettings
from jobs.bundle_writer import next_version, refuse_existing
from jobs.deep import require_torch
from jobs.deep_recipes import DEEP
from jobs.list_files import refuse_place
from jobs.options import AsJson, Config
from jobs.quality_files import PAGE
from jobs.ranker_recipes import COMBINED, DEFAULT, SINGLE, RankerSettings, refuse_unknown_rankers
from jobs.report_origin import origin_of
from jobs.sequence_settings import SequenceSettings
from jobs.settings import Settings, load
from jobs.training import Training
from jobs.training_people import People
from jobs.training_quality import FOLDER, write_quality
from jobs.training_settings import TrainingSettings
from jobs.training_splits import split_figures
from jobs.training_told import print_report
from operators.features import FEATURES
from operators.held_out import ONE_IN

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
    boosted: Annotated[
        bool,
        typer.Option(
            "--boosted", help="Try a boosted model of the user's next category too (docs/ranking.md)."
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and file give the same model.")] = 7,
    all_users: Annotated[
        bool,
        typer.Option(
            "--all-users",
            help=f"Learn from every user; else one in {ONE_IN} is left out, for the report to judge by.",
        ),
    ] = False,
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
        boosted=BoostedSettings(seed=seed) if boosted else None,
        rankers=RankerSettings(rankers=names),
        search_minutes=search,
        keep_lists=keep_lists,
        leaves_users_out=report and not all_users,
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
            quality = write_quality(
                folder,
                data,
                settings,
                origin,
                lambda events: bars.progress("report", events, len(data.events)),
            )
            done = msgspec.structs.replace(done, splits=split_figures(quality))
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
        at_session_end=settings.refresh.at_session_end,
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
