"""`headrace evaluate --cold`: lists for new items and new users, beside the baselines (docs/quality.md)."""

from __future__ import annotations

import msgspec
from rich.console import Console

from jobs.figure_table import figure, figure_table
from operators.cold_start import ColdGroup, ColdStart
from schemas.records import Event


class ColdEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Of `events`, those from `split` (ms) on were judged; `new_items` and `new_users` came with them."""

    events: int
    split: int
    new_items: int
    new_users: int
    model: str | None
    seconds: float
    groups: list[ColdGroup]


def split_of(events: list[Event]) -> int:
    """The time (ms) of the middle event: what is earlier is history, what comes from then on is judged.

    >>> split_of([Event(event_id=str(n), user_id="ann", type="view", time=n) for n in range(4)])
    2
    """
    return events[len(events) // 2].time


def cold_evaluation(
    cold: ColdStart, events: int, split: int, model: str | None, seconds: float
) -> ColdEvaluation:
    """The figures of a run that is over."""
    return ColdEvaluation(
        events=events,
        split=split,
        new_items=cold.new_items,
        new_users=cold.new_users,
        model=model,
        seconds=seconds,
        groups=cold.groups(),
    )


def tell_cold(done: ColdEvaluation, out: Console | None = None) -> None:
    """Print the figures for people: a row per group and recommender."""
    out = out or Console(highlight=False, soft_wrap=True)
    names = [score.name for score in done.groups[0].recommenders]
    for field, heading in (("hit_rate", "HR@20"), ("mrr", "MRR@20")):
        table = figure_table(heading, ("events", *names))
        for group in done.groups:
            values = [figure(getattr(score, field)) for score in group.recommenders]
            table.add_row(group.group, f"{group.counting:,}", *values)
        out.print(table)
        out.print()
    out.print(
        f"{done.new_items:,} new items and {done.new_users:,} new users in the later half of"
        f" {done.events:,} events; {done.seconds:,.0f} s"
    )
