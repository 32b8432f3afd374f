"""`headrace tune`: settings that make better lists of a stream, found on its earlier part (docs/tuning.md)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from jobs import options
from jobs.settings import load
from jobs.training_events import read_training_events, split
from jobs.training_people import People
from jobs.tune_report import TuningProgress, tell
from jobs.tune_result import Change, Span, Tuning, toml_of
from jobs.tune_search import Bounds, Search
from jobs.tune_space import value_in
from jobs.tune_verdict import later_events, verdict_on
from schemas.errors import HeadraceError

JUDGED = 20_000
"""Later events that judge at most."""

OUT = Path("tuned.toml")


class CannotTune(HeadraceError):  # noqa: N818 (named like the other refusals)
    """What was asked for cannot be tuned or written; the text says why and what to do."""


def command(
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV, Avro, Online Retail, sessions.")],
    items: Annotated[
        Path | None, typer.Option(help="Items, where the file of events does not bring them.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.1, max=0.9, help="Share of the events to tune by; the later ones judge.")
    ] = 0.5,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = Bounds.trials,
    budget: Annotated[
        float, typer.Option(min=0.01, help="Minutes that the search may take at most.")
    ] = Bounds.minutes,
    sample: Annotated[
        int, typer.Option(min=50, help="Events that judge each trial; the best are judged by twice as many.")
    ] = Bounds.sample,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first so many events.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same file, unless the time ends it.")
    ] = 1,
    out: Annotated[Path, typer.Option(help="Settings file to write.")] = OUT,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Find settings that make better lists of these events, by the earlier part of the stream alone.

    The later part then judges them against the settings in force. They are recommended where the gain is more than
    chance would give. Ctrl-C ends the search and keeps the best so far.

    Example: headrace tune my.parquet --budget 20 --out tuned.toml
    """
    settings = load(config)
    if not out.resolve().parent.is_dir():
        raise CannotTune(f"--out {out}: there is no folder {out.resolve().parent}")
    data = read_training_events(file, items, settings.ingest.with_limits(), people=People.by(settings))
    if limit is not None:
        data = replace(data, events=data.events[:limit])
    [cut] = split(data.events, share)
    earlier, later_from = replace(data, events=data.events[:cut]), data.events[cut].time
    later = later_events(data, later_from, JUDGED, seed)
    shown = not as_json and sys.stderr.isatty()
    with TuningProgress(shown) as bar:
        bounds = Bounds(trials, budget, sample)
        search = Search(earlier, settings, bounds, seed, bar.searching(len(earlier.events), trials))
        found = search.run()
        verdict = None
        if found.values:
            try:
                verdict = verdict_on(found.values, settings, data, later, seed, bar.judging(len(data.events)))
            except KeyboardInterrupt:
                found.stopped = "interrupted"
    done = Tuning(
        file=file.name,
        seed=seed,
        earlier=Span.of(earlier.events),
        later=Span.of(data.events[cut:]),
        tried=found.tried,
        sampled=search.sizes[0],
        confirming=search.sizes[1],
        confirmed=found.confirmed,
        found_gain=found.gain,
        stopped=found.stopped,
        changes=[
            Change(name=name, before=value_in(settings, name), tuned=value, worth=found.worth.get(name))
            for name, value in sorted(found.values.items())
        ],
        verdict=verdict,
        recommended=verdict is not None and verdict.recommended,
    )
    if found.values:
        _write(out, toml_of(done, settings))
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        tell(done, out)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotTune(f"--out {out} cannot be written: {error.strerror}") from None
