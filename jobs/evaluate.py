"""`headrace evaluate`: how good the lists are on recorded events, beside baselines (docs/quality.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from jobs import options
from jobs.evaluate_calibration import report_calibration
from jobs.evaluate_cold import tell_cold
from jobs.evaluate_drift import DriftTrial
from jobs.evaluate_drift_report import tell as tell_drift
from jobs.evaluate_live_command import LiveOptions, judge_live
from jobs.evaluate_next import evaluate_next, evaluate_next_fully, sessions_of
from jobs.evaluate_next_report import tell_next
from jobs.evaluate_report import EvaluationProgress, tell
from jobs.evaluate_stream import Split, evaluate, evaluate_cold, evaluate_fully
from jobs.quality_files import PAGE, refuse_file, write_report
from jobs.quality_report import QualityReport
from jobs.recommenders import KNOWN, NAMES, CannotJudge
from jobs.report_origin import origin_of
from jobs.settings import load
from jobs.training_events import read_training_events
from jobs.training_people import EVERYBODY, People
from operators.bundle import load_bundle
from operators.feature_plan import known_features
from operators.next_item import Current
from operators.segments.rules_file import ready_rules

DRIFT_HISTORIES = 500


def command(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Events: Parquet, CSV, Avro, Online Retail, sessions.")
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Instead of FILE: events to learn from, then predict --test.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Events of sessions whose next items are predicted, never learned.")
    ] = None,
    current: Annotated[
        list[Current] | None,
        typer.Option(
            help="With --test: lists drop the session's current item (as Serenade does; the default) or keep"
            " it (as session-rec does); may be given again."
        ),
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="Items, where the file of events does not bring them.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Rank with this bundle; judged after its data.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(KNOWN)}; may be given again.")
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(help=f"What is compared, as A,B,…: {NAMES} (docs/evaluation.md).")
    ] = None,
    split: Annotated[
        Split | None,
        typer.Option(help="Judge all events in order of time (default), users held out, or what is new."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html, report.md and report.json into this folder.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With --json: print every figure that a report has.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first so many events.")] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Judge the detection of changed tastes instead (docs/drift.md).")
    ] = False,
    pairs: Annotated[
        int, typer.Option(min=2, help="With --drift: histories of each experiment.")
    ] = DRIFT_HISTORIES,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="Judge the probabilities of affinities (docs/learning.md).")
    ] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Judge lists for new items and new users (docs/quality.md).")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Judge the lists of a running job beside these (docs/quality.md).")
    ] = False,
    speed: Annotated[
        str | None, typer.Option(help="With --live: multiple of recorded time; 10x by default.")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="With --live, instead: events a second, like 4/s.")] = None,
    history: Annotated[
        int | None, typer.Option(min=0, help="With --live: events sent first, unjudged; by default 80 %.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.1, help="With --live: how long events are sent live.")
    ] = 5.0,
    brokers: options.Brokers = None,
    redis: options.Redis = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Judge Headrace's lists on recorded events, beside baselines.

    Every event is predicted before it is learned from: HR@20 and MRR@20 over the events at which a known user
    takes an item for the first time; 'strict' over those of them that are later than the user's last event.

    With --train and --test: learn from all of the one, then predict the next item of each session of the other.
    With --report: every figure with its bounds, by segment, for cold and warm users and items, over time.

    With --live: start Kafka, Redis and the job, replay the end of the file, and judge the lists that the job made.

    Example: headrace evaluate data/online_retail_2010_2011.parquet
    """
    if (drift or calibration) and (model is not None or only or strategies or split or report or full):
        raise CannotJudge(
            "--drift and --calibration judge the profile alone: leave out --model, --only, --strategies, --split,"
            " --report and --full"
        )
    if full and not as_json:
        raise CannotJudge("--full goes with --json; for people, name a folder with --report")
    if cold and split not in (None, Split.COLD):
        raise CannotJudge(f"--cold is --split cold: leave out one of --cold and --split {split}")
    if only and strategies:
        raise CannotJudge("--only and --strategies both say what is compared: give one of them")
    if report is not None:
        refuse_file(report)
    shown = not as_json and sys.stderr.isatty()
    replay = LiveOptions(rate, speed, history, minutes, brokers, redis)
    if replay.asked and not live:
        raise CannotJudge("--speed, --rate, --history, --brokers and --redis are of --live: give that too")
    settings = load(config, {"kafka.brokers": brokers, "redis.url": redis})
    ingest = settings.ingest.with_limits()
    bundle = None if model is None else load_bundle(model, known_features(settings.step))
    compared = strategies.split(",") if strategies else tuple(only or KNOWN)
    told = report is not None or full
    made: QualityReport | None = None
    if train is not None or test is not None or current:
        if train is None or test is None:
            raise CannotJudge("--train, --test and --current go together: give both files")
        if file is not None or limit is not None or drift or calibration or cold or split:
            raise CannotJudge(
                "with --train and --test leave out FILE, --limit, --drift, --calibration, --cold and --split"
            )
        people = People.by(settings)
        learned = read_training_events(train, items, ingest, people=people)
        tested = read_training_events(test, None, ingest, people=people)
        sessions = sessions_of(tested.events, settings.step.session_gap)
        ways = tuple(dict.fromkeys(current or [Current.DROP]))
        if told and len(ways) > 1:
            raise CannotJudge("a report is of one way to treat the current item: give --current once")
        with EvaluationProgress(len(learned.events) + len(tested.events), shown) as bar:
            if told:
                rules, origin = ready_rules(), origin_of(context, [train, test])
                title = f"Next items of {test.name}, after {train.name}"
                judged_next, made = evaluate_next_fully(
                    learned,
                    sessions,
                    ways[0],
                    compared,
                    bundle,
                    bar.update,
                    settings,
                    tested.unused,
                    rules,
                    origin,
                    title,
                )
            else:
                judged_next = evaluate_next(
                    learned, sessions, ways, compared, bundle, bar.update, settings, tested.unused
                )
        _end(made, report, full, as_json, judged_next, partial(tell_next, judged_next))
        return
    if file is None:
        raise CannotJudge("name a FILE of events, or --train and --test")
    data = read_training_events(file, items, ingest, people=EVERYBODY if live else People.by(settings))
    if limit is not None:
        data = replace(data, events=data.events[:limit])
    if live:
        if drift or calibration or cold or only or told or strategies or split:
            raise CannotJudge(
                "--live is a trial of its own: leave out --drift, --calibration, --cold, --only, --strategies,"
                " --split, --report and --full"
            )
        judge_live(data, replay, settings, config, model, bundle, as_json=as_json)
        return
    if calibration:
        report_calibration(data, settings, as_json)
        return
    if drift and cold:
        raise CannotJudge("--drift and --cold are two different trials: give one of them")
    if drift:
        judged = DriftTrial(data, file.name, settings.step, pairs, _tell_begun if shown else _silent).run()
        _end(None, None, False, as_json, judged, partial(tell_drift, judged))
        return
    split = Split.COLD if cold else split or Split.TIME
    with EvaluationProgress(len(data.events), shown) as bar:
        if told:
            rules, origin = ready_rules(), origin_of(context, [file] if items is None else [file, items])
            title = f"Quality of the lists on {file.name}"
            done, made = evaluate_fully(
                data, compared, bundle, bar.update, settings, split, rules, origin, title
            )
        elif split is Split.COLD:
            judged_cold = evaluate_cold(data, compared, bundle, bar.update, settings)
            _end(None, None, False, as_json, judged_cold, partial(tell_cold, judged_cold))
            return
        else:
            done = evaluate(data, compared, bundle, bar.update, settings, split)
    _end(made, report, full, as_json, done, partial(tell, done))


def _end(
    made: QualityReport | None,
    folder: Path | None,
    full: bool,
    as_json: bool,
    done: Any,
    tell_people: Callable[[], None],
) -> None:
    """Write the report where one was asked for, and print the figures, for machines or for people."""
    if made is not None and folder is not None:
        write_report(made, folder)
    if as_json:
        print(msgspec.json.encode(made if full else done).decode())
        return
    tell_people()
    if made is not None and folder is not None:
        Console(highlight=False, soft_wrap=True).print(f"report: {folder / PAGE}", markup=False)


def _tell_begun(what: str) -> None:
    print(what, file=sys.stderr)


def _silent(_what: str) -> None:
    pass
