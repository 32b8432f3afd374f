"""`headrace dead-letters`: see what could not be used, and put it back once its cause is gone."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jobs import options, settings
from jobs.dead_letter_replay import Replay
from jobs.dead_letter_topic import DeadLetterTopic, TimeSpan
from jobs.event_sender import EventSender
from jobs.send_progress import recorded_time
from jobs.settings import KafkaSection
from operators.attributes import attribute_of
from operators.preload import Preload
from schemas.errors import HeadraceError
from schemas.reason import Reason

_SHOW_EVERY_S = 0.1
_MOST_REASONS = 1_000
_MOST_ATTRIBUTES = 100
_OTHERS = "others"
_UNDELIVERED = 1
_INTERRUPTED = 130

app = typer.Typer(help="See what could not be used, and put it back.", no_args_is_help=True)

Since = Annotated[
    str | None, typer.Option("--since", help="Messages of this time or later: ISO 8601, or ms since 1970.")
]
Until = Annotated[str | None, typer.Option("--until", help="Messages of this time or earlier.")]


class UnknownReason(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A reason that no message is refused for."""


class ReasonCount(msgspec.Struct, kw_only=True):
    """The letters of one reason: how many, the times of the first and the last message (ms), and one detail.

    Of bad attributes, how many letters name each `attributes`.
    """

    letters: int = 0
    first: int
    last: int
    detail: str
    attributes: dict[str, int] | msgspec.UnsetType = msgspec.UNSET

    def name(self, attribute: str) -> None:
        """Count an attribute; beyond `_MOST_ATTRIBUTES` names they are counted as others."""
        counted = self.attributes or {}
        known = attribute in counted or len(counted) < _MOST_ATTRIBUTES
        key = attribute if known else _OTHERS
        self.attributes = counted | {key: counted.get(key, 0) + 1}


class ListSummary(msgspec.Struct, kw_only=True):
    """What the topic of dead letters holds; `unreadable` counts records that are no dead letters."""

    topic: str
    letters: int = 0
    unreadable: int = 0
    reasons: dict[str, ReasonCount] = {}


class ReplaySummary(msgspec.Struct, kw_only=True):
    """What a replay did: letters `chosen` of all `read`, `sent` back by topic, and why others `stay`.

    `refused` are messages that Kafka refused, which are dead letters again; `undelivered` those that it never
    acknowledged.
    """

    read: int
    chosen: int
    sent: dict[str, int]
    stay: dict[str, int]
    refused: int
    undelivered: int
    interrupted: bool


class _Walk:
    """A progress bar over a walk, on standard error."""

    def __init__(self, letters: DeadLetterTopic, shown: bool) -> None:
        self._letters = letters
        self._shown_at = 0.0
        self.bar = Progress(
            TextColumn("dead letters"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not shown,
        )  # fmt: skip
        self._task = self.bar.add_task("", total=letters.total)

    def step(self) -> None:
        """Show how far the walk is, ten times a second."""
        if (now := time.monotonic()) - self._shown_at >= _SHOW_EVERY_S:
            self._shown_at = now
            self.bar.update(self._task, completed=self._letters.read)


@app.command("list")
def show(
    since: Since = None,
    until: Until = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Count the dead letters by reason. Of each reason one detail is shown, never the message itself.

    Example: headrace dead-letters list --since 2026-03-01
    """
    span = TimeSpan.of(since, until)
    kafka = settings.load(config, {"kafka.brokers": brokers} if brokers else None).kafka
    with closing(DeadLetterTopic(kafka)) as letters:
        summary = count(letters, span, kafka.dead_letters, shown=_shown(as_json))
    if as_json:
        print(msgspec.json.encode(summary).decode())
        return
    out = Console(highlight=False, soft_wrap=True)
    if summary.reasons:
        table = Table("reason", "letters", "first", "last", "such as", box=None, header_style="bold")
        for reason, found in sorted(summary.reasons.items(), key=lambda each: -each[1].letters):
            first, last = recorded_time(found.first), recorded_time(found.last)
            table.add_row(reason, f"{found.letters:,}", first, last, escape(found.detail))
        out.print(table)
    for reason, found in summary.reasons.items():
        if found.attributes:
            named = sorted(found.attributes.items(), key=lambda each: (-each[1], each[0]))
            names = ", ".join(f"{name} {times:,}" for name, times in named)
            out.print(escape(f"{reason}: {names}"))
    out.print(f"{summary.letters:,} dead letters on {summary.topic}")
    if summary.unreadable:
        out.print(f"{summary.unreadable:,} records there are no dead letters")


def count(letters: DeadLetterTopic, span: TimeSpan, topic: str, *, shown: bool) -> ListSummary:
    """The letters of a time span by reason; beyond `_MOST_REASONS` reasons they are counted as others."""
    summary = ListSummary(topic=topic)
    reasons = summary.reasons
    walk = _Walk(letters, shown)
    with walk.bar:
        for letter in letters:
            walk.step()
            if letter.time not in span:
                continue
            summary.letters += 1
            known = letter.reason in reasons or len(reasons) < _MOST_REASONS
            reason = letter.reason if known else _OTHERS
            found = reasons.setdefault(
                reason, ReasonCount(first=letter.time, last=letter.time, detail=letter.detail)
            )
            found.letters += 1
            if letter.reason == Reason.BAD_ATTRIBUTES:
                found.name(attribute_of(letter.detail))
            found.first, found.last = min(found.first, letter.time), max(found.last, letter.time)
    summary.unreadable = letters.unreadable
    return summary


@app.command()
def replay(
    reason: Annotated[
        list[str] | None, typer.Option(help="Why they were refused; may be given again. [unknown_schema]")
    ] = None,
    since: Since = None,
    until: Until = None,
    brokers: options.Brokers = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Put the messages of dead letters back on the topic they came from, with their key and time.

    A message that still cannot be decoded stays. The letters themselves stay in any case; an event that was
    accepted before is known by its id, and changes nothing.

    Example: headrace dead-letters replay --reason unknown_schema --reason registry_unavailable
    """
    reasons = _reasons(reason)
    span = TimeSpan.of(since, until)
    kafka = settings.load(config, {"kafka.brokers": brokers} if brokers else None).kafka
    summary = put_back(kafka, reasons, span, shown=_shown(as_json))
    if as_json:
        print(msgspec.json.encode(summary).decode())
    else:
        _tell(summary, reasons)
    if summary.undelivered:
        print(
            f"headrace: Kafka never acknowledged {summary.undelivered:,} messages; replay again",
            file=sys.stderr,
        )
        raise typer.Exit(_UNDELIVERED)
    if summary.interrupted:
        raise typer.Exit(_INTERRUPTED)


def put_back(kafka: KafkaSection, reasons: frozenset[str], span: TimeSpan, *, shown: bool) -> ReplaySummary:
    """Replay the letters of these reasons and times. On Ctrl-C what was put back by then is still delivered.

    Raises `KafkaUnreachable` when Kafka does not answer or lacks a topic.
    """
    interrupted = False
    with closing(EventSender(kafka)) as sender, closing(DeadLetterTopic(kafka)) as letters:
        book = Preload(kafka.access(), kafka.control, registry=kafka.registry).schemas()
        going = Replay(kafka, reasons, span, book, sender)
        walk = _Walk(letters, shown)
        try:
            with walk.bar:
                for letter in letters:
                    walk.step()
                    going.take(letter)
        except KeyboardInterrupt:
            interrupted = True
        sender.flush()
        return ReplaySummary(
            read=letters.read,
            chosen=going.chosen,
            sent=dict(going.sent),
            stay=dict(going.stay),
            refused=sum(sender.dead_letters.values()),
            undelivered=sender.undelivered,
            interrupted=interrupted,
        )


def _reasons(given: list[str] | None) -> frozenset[str]:
    reasons = frozenset(given or [Reason.UNKNOWN_SCHEMA.value])
    known = [each.value for each in Reason]
    if unknown := sorted(reasons - set(known)):
        raise UnknownReason(
            f"--reason {unknown[0]}: no message is refused for that; known: {', '.join(known)}"
        )
    return reasons


def _tell(summary: ReplaySummary, reasons: frozenset[str]) -> None:
    out = Console(highlight=False, soft_wrap=True)
    stopped = "[yellow]stopped early[/]: " if summary.interrupted else ""
    out.print(
        f"{stopped}{summary.chosen:,} of {summary.read:,} dead letters are {', '.join(sorted(reasons))}"
    )
    for topic, sent in sorted(summary.sent.items()):
        out.print(f"{sent:,} put back on {topic}")
    for why, stay in sorted(summary.stay.items()):
        out.print(f"{stay:,} stay: {why}")
    if summary.refused:
        out.print(f"{summary.refused:,} refused by Kafka, and dead letters again")


def _shown(as_json: bool) -> bool:
    return not as_json and sys.stderr.isatty()
