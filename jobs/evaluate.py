"""`headrace evaluate`: how good the lists are on recorded events, beside baselines (docs/quality.md)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from jobs import options
from jobs.evaluate_report import EvaluationProgress, tell
from jobs.headrace_list import HeadraceList
from jobs.plain_stream import PlainStream
from jobs.settings import Settings, load
from jobs.training_events import TrainingEvents, read_training_events
from operators.baseline_covisitation import LastItemCovisitation
from operators.baseline_popularity import Popularity
from operators.baseline_session_knn import SessionKnn
from operators.bundle import Bundle, load_bundle
from operators.numbering import Numbering
from operators.prequential import Prequential, Recommender
from operators.prequential_score import Evaluation
from schemas.errors import HeadraceError

DEFAULTS = Settings()
HALF_LIFE_DAYS = 3.0
_DAY_MS = 86_400_000.0

BASELINES: Mapping[str, Callable[[], Recommender]] = {
    "session-knn": SessionKnn,
    "last-item": LastItemCovisitation,
    "decayed-popularity": lambda: Popularity("decayed-popularity", HALF_LIFE_DAYS * _DAY_MS),
    "popularity": Popularity,
}
"""What Headrace's list is held against, by name."""

KNOWN = (HeadraceList.name, *BASELINES)


class CannotJudge(HeadraceError):  # noqa: N818 (named like the other refusals)
    """What was asked for gives no fair figure; the text says why and what to do."""


def evaluate(
    data: TrainingEvents,
    only: Sequence[str] = KNOWN,
    bundle: Bundle | None = None,
    progress: Callable[[Prequential], Any] = lambda trial: None,
    settings: Settings = DEFAULTS,
) -> Evaluation:
    """Judge the recommenders named in `only`, side by side, over cleaned events in order of time.

    With a bundle only events later than its data count. `progress` is called after each event; `settings`
    are those of the job. Raises `CannotJudge` for an unknown name and where the bundle has seen all events.
    """
    for name in only:
        if name not in KNOWN:
            raise CannotJudge(f"no recommender is named {name!r}; known: {', '.join(KNOWN)}")
    count_from = 0 if bundle is None else _after(bundle, data)
    started = time.perf_counter()
    items = Numbering(item.item_id for item in data.items)
    recommenders: list[Recommender] = [BASELINES[name]() for name in BASELINES if name in only]
    if HeadraceList.name in only:
        recommenders.insert(0, _headrace(items, data, bundle, settings))
    trial = Prequential(recommenders, items, count_from)
    for event in data.events:
        trial.take(event)
        progress(trial)
    return trial.evaluation(
        model=None if bundle is None else bundle.name,
        unused_rows=data.unused,
        seconds=round(time.perf_counter() - started, 1),
    )


def _headrace(
    items: Numbering, data: TrainingEvents, bundle: Bundle | None, settings: Settings
) -> HeadraceList:
    stream = PlainStream(data.items, settings.step, settings.statistics, settings.shelf)
    return HeadraceList(items, stream, settings.rank, bundle)


def _after(bundle: Bundle, data: TrainingEvents) -> int:
    seen_until = bundle.manifest.data.last
    if data.events[-1].time <= seen_until:
        raise CannotJudge(
            f"bundle {bundle.name} was trained on events until {seen_until} ms, and the file ends at"
            f" {data.events[-1].time} ms: it has seen them all; train on an earlier span or judge on later"
            " events"
        )
    return seen_until + 1


def command(
    file: Annotated[Path, typer.Argument(help="Events: Parquet, CSV, Avro, Online Retail, sessions.")],
    items: Annotated[
        Path | None, typer.Option(help="Items, where the file of events does not bring them.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Rank with this bundle; judged after its data.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(KNOWN)}; may be given again.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first so many events.")] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Judge Headrace's lists on recorded events, beside baselines.

    Every event is predicted before it is learned from: HR@20 and MRR@20 over the events at which a known user
    takes an item for the first time; 'strict' over those of them that are later than the user's last event.

    Example: headrace evaluate data/online_retail_2010_2011.parquet
    """
    bundle = None if model is None else load_bundle(model)
    shown = not as_json and sys.stderr.isatty()
    settings = load(config)
    data = read_training_events(file, items, settings.ingest.with_limits())
    if limit is not None:
        data = replace(data, events=data.events[:limit])
    with EvaluationProgress(len(data.events), shown) as bar:
        done = evaluate(data, tuple(only or KNOWN), bundle, bar.update, settings)
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        tell(done)
