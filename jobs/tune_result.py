"""What came of `headrace tune`, and the settings file made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from jobs.settings import Settings
from jobs.settings_page import written
from jobs.tune_space import DIALS, value_in
from jobs.tune_verdict import Verdict
from operators.list_figures import Gain
from schemas.records import Event

_DEFAULTS = Settings()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A changed setting: its value before, the tuned one, and its `worth` beside the other changes, as a share of
    the objective; None where the search ended before that was known."""

    name: str
    before: float
    tuned: float
    worth: float | None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a part of the stream, and the times (ms) of its first and last one."""

    events: int
    first: int
    last: int

    @classmethod
    def of(cls, events: Sequence[Event]) -> Span:
        """The span of events in order of time."""
        return cls(events=len(events), first=events[0].time, last=events[-1].time)


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """A tuning that is over.

    `earlier` chose by `sampled` events and, where `confirmed`, by `confirming` others; `found_gain` is what these
    say. `later` judged: `verdict`, None where nothing was found or the judgement was broken off. `stopped` says why
    the search ended early; empty: it did not.
    """

    file: str
    seed: int
    earlier: Span
    later: Span
    tried: int
    sampled: int
    confirming: int
    confirmed: bool
    found_gain: float
    stopped: str
    changes: list[Change]
    verdict: Verdict | None
    recommended: bool


def percent(share: float) -> str:
    """A gain for people.

    >>> percent(0.0234)
    '+2.3 %'
    """
    return f"{100.0 * share:+.1f} %"


def interval(gain: Gain) -> str:
    """A gain with its confidence interval, for people."""
    return f"{percent(gain.by)} ({percent(gain.low)} to {percent(gain.high)})"


def toml_of(done: Tuning, settings: Settings) -> str:
    """A settings file of the changes, and of what can be tuned and is not at its default in `settings`: so the file
    of a second tuning, laid over that of the first, stands alone. Tables of weights are replaced whole, so they are
    written whole.
    """
    tuned = {change.name: change for change in done.changes}
    before = {dial.name: value_in(settings, dial.name) for dial in DIALS}
    kept = {name: value for name, value in before.items() if value != value_in(_DEFAULTS, name)}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in (kept | {change.name: change.tuned for change in done.changes}).items():
        table, _, key = name.rpartition(".")
        held = value_in(settings, table)
        weights = isinstance(held, Mapping)
        written_to = tables.setdefault(table, dict(held) if weights else {})
        if name in tuned or not weights:
            written_to[key] = value
    lines = [f"# {line}" for line in _about(done)]
    for table in sorted(tables):
        lines += ["", f"[{table}]"]
        for key, value in tables[table].items():
            said = tuned.get(f"{table}.{key}")
            lines.append(f"{key} = {written(value)}" + ("" if said is None else f"  # {_said(said)}"))
    return "\n".join(lines) + "\n"


def _said(change: Change) -> str:
    brings = "" if change.worth is None else f"; brings {percent(change.worth)}"
    return f"was {written(change.before)}{brings}"


def _about(done: Tuning) -> Iterator[str]:
    yield f"Settings for lists, found by `headrace tune` on {_plain(done.file)} with seed {done.seed}."
    yield f"Tuned by {_span(done.earlier)}: {done.tried} settings tried."
    yield "Objective: the mean of HR@20, MRR@20, strict HR@20 and strict MRR@20, each by what the settings before"
    yield "the tuning give for the same events."
    if done.stopped:
        yield f"The search ended early: {done.stopped}."
    if done.verdict is None:
        yield "NOT JUDGED: the judgement by later events was broken off."
        return
    verdict = done.verdict
    yield f"Judged by {verdict.judged} of {_span(done.later)}, which chose nothing:"
    yield f"gain {interval(verdict.gain)}, 95 % confidence."
    if not done.recommended:
        chance = "a gain like this may be chance" if verdict.gain.by > 0.0 else "later lists are no better"
        yield f"NOT RECOMMENDED: {chance}."


def _span(span: Span) -> str:
    return f"{span.events} events from {_day(span.first)} to {_day(span.last)}"


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d")


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
