"""`headrace bench`: what the job can do on this machine, measured by running it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.status import Status

from jobs import bench_report, options, settings
from jobs.bench_events import LIST_CHANGING, Traffic, items_of
from jobs.bench_extent import QUICK, Extent
from jobs.bench_latency import measure_latency
from jobs.bench_machine import this_machine
from jobs.bench_models import measure_models
from jobs.bench_pipeline import drain
from jobs.bench_plain import PlainSettings, measure_batches, measure_plain, measure_scale
from jobs.bench_size import fifty_each, measure_size, recorded
from jobs.bench_sources import measure_sources
from jobs.settings import Settings
from schemas.errors import HeadraceError

RETAIL = Path(__file__).parent.parent / "data" / "online_retail_2010_2011.parquet"
ALWAYS_ON = (
    "duplicates", "sessions", "habits", "decayed counters", "affinities", "drift detection", "recent items",
    "co-visitation in SQL", "popularity in SQL", "session-kNN", "profiles", "recommendation log",
    "checkpoints", "append-only file",
)  # fmt: skip


class Part(StrEnum):
    """What to measure."""

    PLAIN = "plain"
    RANK = "rank"
    PIPELINE = "pipeline"
    LATENCY = "latency"
    SIZE = "size"
    GARBAGE = "garbage"
    ALL = "all"


class MissingData(HeadraceError):  # noqa: N818 (named like the other refusals)
    """The recorded data that sizes are measured on is not there."""


def command(
    part: Annotated[Part, typer.Argument(help="What to measure.")] = Part.ALL,
    config: options.Config = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model bundle to rank with.")] = None,
    events: Annotated[
        int | None, typer.Option("--events", min=1_000, help="Events of the pipeline's topic.")
    ] = None,
    users: Annotated[int | None, typer.Option("--users", min=10, help="Distinct users.")] = None,
    task_managers: Annotated[
        list[int] | None, typer.Option("--task-managers", min=1, help="How many; may be given twice.")
    ] = None,
    rate: Annotated[list[float] | None, typer.Option("--rate", min=1, help="Events/s of latency.")] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="Of latency, a rate.")] = None,
    warm_up: Annotated[float | None, typer.Option("--warm-up", min=0, help="Seconds not counted.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Half a minute of everything, to see it run.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure speed, latency and size on this machine. Kafka, Redis and Flink are started for it and ended.

    Example: headrace bench pipeline --task-managers 2 --json
    """
    told = settings.load(config, {} if model is None else {"model.bundle": model})
    chosen = {
        "pipeline_events": events,
        "garbage_events": events,
        "users": users,
        "task_managers": None if not task_managers else tuple(task_managers),
        "rates": None if not rate else tuple(rate),
        "seconds": seconds,
        "warm_up": warm_up,
    }
    extent = msgspec.structs.replace(
        QUICK if quick else Extent(), **{name: value for name, value in chosen.items() if value is not None}
    )
    variables = {}
    if config is not None:
        variables["HEADRACE_CONFIG"] = str(config.resolve())
    if model is not None:
        variables["HEADRACE_MODEL__BUNDLE"] = str(model.resolve())
    logging.getLogger("udfs.rank_worker").setLevel(logging.ERROR)  # the report names the model
    report: dict[str, Any] = {"machine": this_machine(), "settings": _settings(told, extent, quick)}
    out = Console(highlight=False, soft_wrap=True, file=sys.stderr if as_json else sys.stdout)
    bench_report.tell_machine(report["machine"], report["settings"], out)
    for name, measure in (
        (Part.PLAIN, _plain), (Part.RANK, _rank), (Part.SIZE, _size), (Part.PIPELINE, _pipeline),
        (Part.GARBAGE, _garbage), (Part.LATENCY, _latency),
    ):  # fmt: skip
        if part in (name, Part.ALL):
            for what, figures in measure(told, extent, variables):
                report.setdefault(what, []).append(figures)
                bench_report.tell(what, figures, out)
    if {"plain", "pipeline"} <= report.keys():
        plain = report["plain"][0]
        report["ratio_to_plain"] = {
            each.task_managers: each.events_per_s / plain.at_share(each.refreshed)
            for each in report["pipeline"]
        }
        bench_report.tell_ratios(report["ratio_to_plain"], out)
    if as_json:
        print(msgspec.json.encode(report).decode())


def plain_settings(told: Settings) -> PlainSettings:
    """What the plain loop is told: what the job is told."""
    from jobs.plan import worker_settings  # which takes seconds to import

    return PlainSettings(
        step=told.step,
        ingest=told.ingest.with_limits(),
        refresh=told.refresh,
        statistics=told.statistics,
        worker=worker_settings(told),
    )


def _plain(told: Settings, extent: Extent, _: dict[str, str]) -> Iterator[tuple[str, Any]]:
    plain = plain_settings(told)
    traffic = Traffic(events=extent.plain_events, users=extent.users, items=extent.items)
    with _busy("plain loop"):
        yield "plain", measure_plain(traffic, plain)
    with _busy("rank stage by batch"):
        yield "batches", measure_batches(traffic, plain)
    with _busy("cost by users and items"):
        yield "scale", measure_scale(plain, extent.state_users, extent.catalogue, extent.scale_events)
    with _busy("learners and models"):
        yield "models", measure_models(extent.model_examples)


def _rank(told: Settings, extent: Extent, _: dict[str, str]) -> Iterator[tuple[str, Any]]:
    traffic = Traffic(events=extent.plain_events, users=extent.users, items=extent.items)
    with _busy("sources of candidates"):
        yield "sources", measure_sources(traffic, plain_settings(told))


def _size(told: Settings, extent: Extent, _: dict[str, str]) -> Iterator[tuple[str, Any]]:
    plain = plain_settings(told)
    traffic, events = fifty_each(extent.sized_users, extent.items)
    with _busy("size of generated users"):
        yield "size", {"generated, 50 events each": measure_size(items_of(traffic), events, plain)}
    if extent.sized_users >= QUICK.sized_users * 2:
        if not RETAIL.exists():
            raise MissingData(f"{RETAIL} is missing: run from a clone, whose data folder holds it")
        items, bought = recorded(RETAIL)
        with _busy("size of recorded users"):
            yield "size", {"Online Retail": measure_size(items, bought, plain)}


def _pipeline(told: Settings, extent: Extent, variables: dict[str, str]) -> Iterator[tuple[str, Any]]:
    traffic = Traffic(events=extent.pipeline_events, users=extent.users, items=extent.items, everyone=True)
    for task_managers in extent.task_managers:
        with _busy(f"pipeline, {task_managers} TaskManagers") as status:
            yield (
                "pipeline",
                drain(
                    told,
                    traffic,
                    task_managers,
                    variables,
                    lambda what, done: status.update(f"{what} {done:,} of {traffic.events:,}"),
                ),
            )


def _garbage(told: Settings, extent: Extent, variables: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The good events/s among as much garbage, as a share of those of the good ones alone; and the processor time."""
    traffic = Traffic(events=extent.garbage_events, users=extent.users, items=extent.items)
    with _busy("the good half alone"):
        alone = drain(told, traffic, 1, variables)
    with _busy("half the messages garbage"):
        mixed = drain(told, traffic, 1, variables, half_garbage=True)
    yield (
        "garbage",
        {
            "alone": alone.events_per_s,
            "with garbage": mixed.events_per_s,
            "share": mixed.events_per_s / alone.events_per_s,
            "alone µs": alone.task_us,
            "with garbage µs": mixed.task_us,
            "share of processor time": alone.task_us / mixed.task_us,
        },
    )


def _latency(told: Settings, extent: Extent, variables: dict[str, str]) -> Iterator[tuple[str, Any]]:
    traffic = Traffic(events=0, users=extent.users, items=extent.items)
    with _busy("latency") as status:
        for figures in measure_latency(
            told,
            traffic,
            extent.rates,
            extent.seconds,
            extent.warm_up,
            max(extent.task_managers),
            variables,
            lambda what, done: status.update(f"latency at {what}: {done:,} events read"),
        ):
            yield "latency", figures


def parts_on(told: Settings) -> tuple[str, ...]:
    """What of the job is at work under these settings.

    >>> "8 segments" in parts_on(Settings())
    True
    """
    chosen = {
        f"{len(told.segments.in_force())} segments": bool(told.segments.in_force()),
        "detection of bots": told.traffic.enabled,
        "models of the stream": told.models.rate > 0,
        "data lake": told.lake.folder is not None,
        "ranking model": told.model.bundle is not None,
    }
    return (*ALWAYS_ON, *(part for part, is_on in chosen.items() if is_on))


def _settings(told: Settings, extent: Extent, quick: bool) -> dict[str, Any]:
    return {
        "quick": quick,
        "extent": extent,
        "on": parts_on(told),
        "model": str(told.model.bundle) if told.model.bundle else "none: lists are blended from the sources",
        "list_changing": LIST_CHANGING,
        "refresh": told.refresh,
        "checkpoint_seconds": told.flink.checkpoint_seconds,
    }


@contextmanager
def _busy(what: str) -> Iterator[Status]:
    with Console(stderr=True).status(f"measuring: {what}") as status:
        yield status
