"""Telling the running job that history is about to come, and where live begins."""

from __future__ import annotations

import sys
import time
from typing import Final

import msgspec

from jobs import cells
from jobs.control_topic import publish_and_hear
from jobs.settings import KafkaSection
from operators.backfill import CutOver
from schemas.errors import HeadraceError
from schemas.records import Control

KIND: Final = "backfill"
NAME: Final = "history"
PATIENCE_S: Final = 15.0


class BackfillRefused(HeadraceError):  # noqa: N818 (named like the other refusals)
    """A backfill that cannot be begun."""


def begin_backfill(cut_over: str | None, topics: KafkaSection, patience_s: float = PATIENCE_S) -> int:
    """Tell the job that events before `cut_over` (a time as files have it; None: now) are history.

    Returns the cut-over in ms. Where no job answers within `patience_s`, a line on stderr says so: a job that
    is started later reads it before its first event.

    Raises `BackfillRefused` for a time that is none or a job that refuses it, `KafkaUnreachable` without Kafka.
    """
    now = time.time_ns() // 1_000_000
    control = cut_over_control(now if cut_over is None else _time(cut_over), now)
    status = publish_and_hear(control, topics, patience_s)
    if status is not None and not status.applied:
        raise BackfillRefused(f"the job refuses the backfill: {status.reason}")
    if status is None:
        print(
            f"no job answered on {topics.control_status} within {patience_s:.0f} s:"
            " one that is started later takes the cut-over from the control topic",
            file=sys.stderr,
        )
    return msgspec.json.decode(control.body, type=CutOver).until


def cut_over_control(until: int, now: int) -> Control:
    """The control message of a cut-over at `until` (ms of event time), declared at `now`; a later one replaces it.

    >>> cut_over_control(5, 9).body
    '{"until":5,"declared":9}'
    """
    body = msgspec.json.encode(CutOver(until, now)).decode()
    return Control(kind=KIND, name=NAME, version=now, body=body)


def _time(told: str) -> int:
    try:
        return cells.time_ms(told)
    except ValueError as error:
        raise BackfillRefused(f"--cut-over: {error}") from None
