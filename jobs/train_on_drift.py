"""`headrace train --on-drift` and `--every 7d`: wait for a request or the time, train, validate, offer."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from lightgbm.basic import LightGBMError

from infra.s3 import in_s3
from jobs.bad_row import FileRefused
from jobs.control_topic import publish
from jobs.model_readings import with_model_in_force
from jobs.options import AsJson, Brokers, Config
from jobs.replay_clock import KafkaUnreachable
from jobs.retrain_requests import RetrainRequests
from jobs.retraining import Retrainer, Retraining, offer
from jobs.settings import KafkaSection, Settings, load
from jobs.train import Bars, Items, Lists, Validation
from jobs.training_queue import awaited
from jobs.training_schedule import SCHEDULE, TrainingSchedule
from jobs.training_settings import TrainingSettings
from operators.retrain_policy import RetrainRequest
from operators.segments.literals import DAY, MINUTE, duration
from schemas.errors import HeadraceError
from schemas.records import Control

logger = logging.getLogger(__name__)

NOT_OFFERED = 1
"""Exit code with --once: the new bundle was worse than the one in force."""

RETRY_S = 10.0


class BadPeriod(HeadraceError):  # noqa: N818 (named like the other refusals)
    """What `--every` says is no time between two trainings."""


FAILURES = (HeadraceError, LightGBMError, ValueError, OSError, MemoryError)
"""What a training may fail of without ending the wait: data, disk, memory."""


def command(
    file: Annotated[
        Path | None,
        typer.Argument(help="The lake's folder, or a file of events; default: lake.folder.", metavar="LAKE"),
    ] = None,
    items: Items = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the bundle's versions; default: where model.bundle lies, else models/ranker.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End after one request; exit code 1 where the bundle was worse.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option("--every", help="Train too when the newest bundle is so old, like 7d or 12h."),
    ] = None,
    weekly: Annotated[bool, typer.Option("--weekly", help="The same as --every 7d.")] = False,
    lists: Lists = 40_000,
    validation: Validation = 20_000,
    brokers: Brokers = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Wait until drift asks for a retraining; train, validate against the bundle in force, offer the new bundle.

    A request on the control topic that is newer than the newest bundle counts at once. Which bundle is in force
    is asked of Redis at each request; where none was put it is that of the settings.

    With --every, a bundle is also trained when the newest is so old, by its manifest; where there is none, at once.

    Example: headrace train --on-drift lake --items items.parquet --out models/shop --every 7d
    """
    period = period_of(every, weekly)
    loaded = partial(load, config, {"kafka.brokers": brokers} if brokers else None)
    settings = loaded()

    def told() -> Settings:
        return with_model_in_force(loaded(), _now())

    retrainer = Retrainer(
        source=file if file is not None else lake_folder(settings),
        items=items,
        models=out if out is not None else models_of(settings),
        settings=told,
        sizes=TrainingSettings(lists=lists, validation=validation),
    )
    say = _silent if as_json else _say
    name = settings.retrain.model
    schedule = None if period is None else TrainingSchedule(period, retrainer.models, _now)
    with closing(RetrainRequests(settings.kafka, name)) as requests:
        if not in_s3(retrainer.source) and not retrainer.source.exists():
            say(f"{retrainer.source} is not there yet")
        say(f"Waiting for a request to retrain {name} on {settings.kafka.control}; Ctrl-C ends it.")
        if schedule is not None:
            say(f"By schedule, the next training is due {_shown(schedule.due_at())}.")
        for request in awaited(requests, schedule):
            say(_asked(request))
            why_not = retrainer.why_not(request)
            if why_not is not None:
                say(f"Left alone: {why_not}.")
                continue
            done = attempt(retrainer, request, as_json, fail=once)
            if schedule is not None:
                if done is None:
                    schedule.failed()
                else:
                    schedule.judged()
                say(f"By schedule, the next training is due {_shown(schedule.due_at())}.")
            if done is not None:
                if done.reference is not None:
                    put(offer(done.reference, _now()), settings.kafka)
                tell(done, as_json)
            if once:
                raise typer.Exit(0 if done is not None and done.accepted else NOT_OFFERED)


def period_of(every: str | None, weekly: bool) -> int | None:
    """The ms between two trainings of a schedule, None where there is none. Raises `BadPeriod` for what is no
    duration, or less than a minute.

    >>> period_of("12h", weekly=False), period_of(None, weekly=True), period_of(None, weekly=False)
    (43200000, 604800000, None)
    """
    if every is None:
        return 7 * DAY if weekly else None
    if weekly:
        raise BadPeriod("--weekly is --every 7d: give one of them")
    try:
        period = duration(every)
    except ValueError as error:
        raise BadPeriod(f"--every: {error}") from None
    if period < MINUTE:
        raise BadPeriod(f"--every {every}: it must be at least 1m")
    return period


def _asked(request: RetrainRequest) -> str:
    if request.scope == SCHEDULE:
        return f"Due by schedule: {request.reason}"
    return f"Asked at {request.at} by {request.detector} on {request.signal}: {request.reason}"


def _shown(at: int) -> str:
    if at <= _now():
        return "now"
    return f"at {datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _now() -> int:
    return time.time_ns() // 1_000_000


def attempt(retrainer: Retrainer, request: RetrainRequest, as_json: bool, fail: bool) -> Retraining | None:
    """Answer a request. A training that fails is told, and None; it is raised with `fail`."""
    try:
        with Bars(shown=not as_json) as bars:
            return retrainer.answer(request, bars.progress)
    except FAILURES as error:
        if fail and isinstance(error, HeadraceError):
            raise
        print(f"headrace: no bundle came of this request: {error}", file=sys.stderr)
        if not isinstance(error, HeadraceError):
            logger.warning("what failed", exc_info=error)
        return None


def put(control: Control, topics: KafkaSection) -> None:
    """Offer a bundle, and try again until Kafka takes it: the bundle is there, and nobody else would offer it."""
    while True:
        try:
            publish(control, topics)
            return
        except KafkaUnreachable as away:
            print(f"headrace: {away}; the offer waits, next try in {RETRY_S:.0f} s", file=sys.stderr)
            time.sleep(RETRY_S)


def models_of(settings: Settings) -> Path:
    """Where versions of the bundle in force lie, else `models/` and the name that requests ask for."""
    bundle = settings.model.bundle
    return Path("models") / settings.retrain.model if bundle is None else bundle.parent


def lake_folder(settings: Settings) -> Path:
    """The lake of the settings, on this machine or in S3. Raises `FileRefused` where it lies elsewhere."""
    folder = settings.lake.folder
    if folder is None:
        raise FileRefused("nothing to train from: give the lake's folder or a file, or set lake.folder")
    path = folder.removeprefix("file://")
    if "://" in path and not in_s3(path):
        raise FileRefused(
            f"lake.folder {folder} is neither a folder of this machine nor in S3; give a copy of it, or mount it"
        )
    return Path(path)


def tell(done: Retraining, as_json: bool) -> None:
    """Say what came of a request: both figures, the rule, and what was offered."""
    if as_json:
        print(msgspec.json.encode(done).decode(), flush=True)
        return
    _say(
        f"HR@20 over {done.lists:,} events that neither learned from: {done.hr:.4f} new,"
        f" {done.hr_in_force:.4f} {done.in_force} (in force)."
    )
    _say("Rule: a bundle is offered where its HR@20 there is at least that of the one in force.")
    if done.accepted:
        _say(
            f"Offered: {done.bundle}. The running job ranks with it; `headrace model rollback` takes it back."
        )
    else:
        _say("Not offered, and not kept: it is worse.")


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(_line: str) -> None:
    pass
