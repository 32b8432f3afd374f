"""`headrace send`: events and items from files to Kafka, at a rate, as recorded but faster, or at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from jobs import options, settings
from jobs.backfill import BackfillRefused, begin_backfill
from jobs.bad_row import BadRow
from jobs.event_merge import merged
from jobs.event_sender import EventSender
from jobs.files import RecordFile, carries_items, open_events, open_items
from jobs.send_pace import Pace, pace_of
from jobs.send_progress import SendProgress, recorded_time
from jobs.settings import KafkaSection
from schemas.records import Event, Item

_SHOW_EVERY_S = 0.1
_LONGEST_SLEEP_S = 0.1
_INTERRUPTED = 130
_UNDELIVERED = 1


class SendSummary(msgspec.Struct, kw_only=True):
    """What a replay did. Times of events in ms; `max_lag_s` is the worst delay behind schedule.

    `dead_letters` counts rows, events and items put aside, by reason; `undelivered` the messages of any kind
    that Kafka never acknowledged. `cut_over` is set where events before it were sent as history.
    """

    events: int = 0
    items: int = 0
    dead_letters: dict[str, int] = {}
    undelivered: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0
    first_time: int | None = None
    last_time: int | None = None
    max_lag_s: float = 0.0
    interrupted: bool = False
    cut_over: int | None = None


def send(
    events: Sequence[RecordFile[Event]],
    items: Sequence[RecordFile[Item]],
    topics: KafkaSection,
    pace: Pace,
    limit: int | None = None,
    head_start: int = 0,
    shown: bool = False,
    cut_over: int | None = None,
) -> SendSummary:
    """Sends all items, then the events of all files by time. On Ctrl-C what was read is still delivered.

    The first `head_start` events go as fast as possible, as history that no latency is measured by; then the
    pace begins. Events before `cut_over` (ms) are history too, whatever the pace.

    Raises `KafkaUnreachable` when Kafka does not answer or lacks a topic.
    """
    summary = SendSummary(cut_over=cut_over)
    with closing(EventSender(topics)) as sender:
        started = time.monotonic()
        try:
            _send_items(items, sender)
            started = time.monotonic()
            with SendProgress(_total(events, limit), shown) as progress:
                _send_events(events, sender, pace, limit, head_start, cut_over or 0, summary, progress)
        except KeyboardInterrupt:
            summary.interrupted = True
        sender.flush()
        summary.seconds = round(time.monotonic() - started, 3)
        summary.events, summary.items = sender.events, sender.items
        summary.dead_letters, summary.undelivered = dict(sender.dead_letters), sender.undelivered
    summary.events_per_second = round(summary.events / max(summary.seconds, 1e-3), 1)
    summary.max_lag_s = round(summary.max_lag_s, 3)
    return summary


def _send_items(files: Sequence[RecordFile[Item]], sender: EventSender) -> None:
    for file in files:
        for item in file:
            if isinstance(item, BadRow):
                sender.put_aside(item)
            else:
                sender.send_item(item)
    sender.flush()  # so that the job may know an item before its first event


def _send_events(
    files: Sequence[RecordFile[Event]],
    sender: EventSender,
    pace: Pace,
    limit: int | None,
    head_start: int,
    cut_over: int,
    summary: SendSummary,
    progress: SendProgress,
) -> None:
    rows = sent = 0
    lag = 0.0
    began = started = time.monotonic()
    show_next = began
    for record in merged(files):
        if sent == limit:
            return
        rows += 1
        if isinstance(record, BadRow):
            sender.put_aside(record)
            continue
        if sent == head_start:
            started = time.monotonic()
        due = pace.due(sent - head_start, record.time) if sent >= head_start else None
        now = time.monotonic() if due is None else _wait_until(started + due)
        if due is not None:
            lag = max(0.0, now - started - due)
            summary.max_lag_s = max(summary.max_lag_s, lag)
        sender.send_event(record, live=sent >= head_start and record.time >= cut_over)
        sent += 1
        if summary.first_time is None:
            summary.first_time = record.time
        summary.last_time = max(record.time, summary.last_time or record.time)
        if now >= show_next:
            show_next = now + _SHOW_EVERY_S
            progress.update(rows if limit is None else sent, sent / max(now - began, 1e-3), record.time, lag)


def _wait_until(moment: float) -> float:
    while (now := time.monotonic()) < moment:
        time.sleep(min(moment - now, _LONGEST_SLEEP_S))
    return now


def _total(files: Sequence[RecordFile[Event]], limit: int | None) -> int | None:
    if limit is not None:
        return limit
    rows = [file.rows for file in files]
    return None if None in rows else sum(row for row in rows if row is not None)


def command(
    files: Annotated[list[Path], typer.Argument(help="Events: Parquet, CSV, Avro, Online Retail, sessions.")],
    items: Annotated[list[Path] | None, typer.Option(help="Items, sent first; may be given again.")] = None,
    rate: Annotated[str | None, typer.Option(help="Events a second, like 1000/s.")] = None,
    speed: Annotated[str | None, typer.Option(help="Multiple of recorded time, like 3600x.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    head_start: Annotated[int, typer.Option(min=0, help="So many at once, before the pace begins.")] = 0,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Load history in silence, then cut over.")
    ] = False,
    cut_over: Annotated[
        str | None,
        typer.Option(help="With --backfill: events before this time are history; by default, now."),
    ] = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Send events and items from files to Kafka.

    Several files are merged by time. Without --rate or --speed they go as fast as possible. Online Retail
    and session files bring their items with them. Rows that make no event go to the dead letters.

    With --backfill the job first learns when live begins; events before that change profiles and segments
    without a list or an announcement each, and when all are in, every user is brought up to date once.

    Example: headrace send data/online_retail_2010_2011.parquet --speed 3600x
    """
    pace = pace_of(rate, speed)
    if cut_over is not None and not backfill:
        raise BackfillRefused("--cut-over says where history ends: give --backfill with it")
    chosen = settings.load(config, {"kafka.brokers": brokers} if brokers else None)
    events = [open_events(file) for file in files]
    catalogue = [open_items(file) for file in items or []]
    catalogue += [open_items(file) for file in files if not items and carries_items(file)]
    for notes in (*(file.notes for file in events), *(file.notes for file in catalogue)):
        for note in notes:
            print(note, file=sys.stderr)
    shown = not as_json and sys.stderr.isatty()
    until = begin_backfill(cut_over, chosen.kafka) if backfill else None
    summary = send(events, catalogue, chosen.kafka, pace, limit, head_start, shown, until)
    if as_json:
        print(msgspec.json.encode(summary).decode())
    else:
        _tell(summary, chosen.kafka)
    if summary.undelivered:
        print(
            f"headrace: Kafka never acknowledged {summary.undelivered:,} messages; send again",
            file=sys.stderr,
        )
        raise typer.Exit(_UNDELIVERED)
    if summary.interrupted:
        raise typer.Exit(_INTERRUPTED)


def _tell(summary: SendSummary, topics: KafkaSection) -> None:
    out = Console(highlight=False, soft_wrap=True)
    stopped = "[yellow]stopped early[/]: " if summary.interrupted else ""
    out.print(
        f"{stopped}{summary.events:,} events to {topics.events} in {summary.seconds:,.1f} s"
        f" ({summary.events_per_second:,.0f}/s), {summary.items:,} items to {topics.catalog}"
    )
    if summary.first_time is not None and summary.last_time is not None:
        out.print(f"recorded {recorded_time(summary.first_time)} to {recorded_time(summary.last_time)} UTC")
    if summary.cut_over is not None:
        out.print(
            f"history until {recorded_time(summary.cut_over)} UTC: the job asks for each user once, soon"
        )
    for reason, count in sorted(summary.dead_letters.items()):
        out.print(f"{count:,} to {topics.dead_letters}: {reason}")
