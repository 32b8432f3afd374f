"""What a person sees of `evaluate --drift`: tables in Markdown, as they stand in docs/drift.md."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.evaluate_drift_figures import WITHIN, Change, DriftEvaluation, Gain

_NONE = "–"


def tell(done: DriftEvaluation) -> None:
    """Print all tables."""
    print(f"Detector: {done.detector}; {done.seconds:,.0f} s")
    _table(
        f"Changes: found within {WITHIN} labelled events",
        ("data", "change", "at event", "histories (users)", "found", "median delay",
         "found where nothing was changed", "false per 1,000 before"),
        (
            (c.data, c.kind, str(c.at), f"{c.histories} ({c.users})", f"{c.detected:.3f}",
             _NONE if c.delay is None else f"{c.delay:.0f}",
             f"{c.unchanged:.3f}", f"{c.before:.2f}")
            for c in done.changes
        ),
    )  # fmt: skip
    _table(
        f"Gain of recalibration over the {WITHIN} events after the change",
        ("data", "change", "at event", "gain in HR@20 (95 %)", "HR@20 where a drift was found: never → recalibrated",
         "gain in categories (95 %)", "categories where a drift was found: never → recalibrated"),
        (_gains(change) for change in done.changes),
    )  # fmt: skip
    _table(
        "Users whose detector can fire at all",
        ("data", "labelled events needed", "users", "of them reached", "share", "share of events"),
        (
            (r.data, str(r.least_events), f"{r.users:,}", f"{r.reached:,}", f"{r.share:.3f}",
             f"{r.share_of_events:.3f}")
            for r in done.reach
        ),
    )  # fmt: skip
    _table(
        "False alarms where nothing changes",
        ("stream", "users", "errors", "alarms", "per 1,000 (95 %)", "promised at most"),
        (
            (f.stream, str(f.users), f"{f.errors:,}", str(f.alarms),
             f"{f.per_thousand:.2f} ({f.low:.2f} to {f.high:.2f})",
             _NONE if f.promised is None else f"{f.promised:.2f}")
            for f in done.false_alarms
        ),
    )  # fmt: skip
    for note in done.notes:
        print(f"\nNot judged: {note}")


def _gains(change: Change) -> tuple[str, ...]:
    items, categories = change.items, change.categories
    return (
        change.data,
        change.kind,
        str(change.at),
        _sure(items, 4),
        _levels(items, 4),
        _sure(categories, 3),
        _levels(categories, 3),
    )


def _sure(gain: Gain, places: int) -> str:
    return f"{gain.gain:+.{places}f} ({gain.low:+.{places}f} to {gain.high:+.{places}f})"


def _levels(gain: Gain, places: int) -> str:
    if gain.never is None or gain.recalibrated is None:
        return _NONE
    return f"{gain.never:.{places}f} → {gain.recalibrated:.{places}f} ({gain.ranked:,})"


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
