"""The tables of a report on the quality of lists, as words, for HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from jobs.figure_table import NONE
from jobs.quality_report import ACCURACY_NAMES, CHARACTER_NAMES, LEAST_USERS, Grouping, QualityReport
from operators.user_bootstrap import Interval

DIGITS = {
    "novelty": 2,
    "coverage": 3,
    "gini": 3,
    "variety_category": 3,
    "variety_text": 3,
    "variety_audience": 3,
}
"""Decimals of a figure; 4 of others."""

HEADS = {"hr@20": "HR@20", "mrr@20": "MRR@20"}


class Words(NamedTuple):
    """A table in words."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def interval(found: Interval | None, digits: int = 4, signed: bool = False) -> str:
    """A figure and its bounds.

    >>> interval(Interval(0.17934, 0.176, 0.1825)), interval(None)
    ('0.1793 (0.1760–0.1825)', '–')
    >>> interval(Interval(-0.01, -0.02, 0.001), 3, signed=True)
    '−0.010 (−0.020 to +0.001)'
    """
    if found is None:
        return NONE
    bounds = (found.value, found.low, found.high)
    if signed:
        value, low, high = (_signed(each, digits) for each in bounds)
        return f"{value} ({low} to {high})"
    value, low, high = (f"{each:.{digits}f}" for each in bounds)
    return f"{value} ({low}–{high})"


def accuracy(report: QualityReport, k: int, by_basket: bool = False) -> Words:
    """A row a strategy: what was wanted, at a cut-off."""
    rows = []
    for each in report.strategies:
        figures = each.by_basket if by_basket else each.by_event
        rows.append([each.name, *(interval(figures[f"{figure}@{k}"]) for figure in ACCURACY_NAMES)])
    return Words(["", *(f"{name}@{k}" for name in ACCURACY_NAMES.values())], rows)


def character(report: QualityReport, k: int) -> Words:
    """A row a strategy: what the lists are like, at a cut-off. Figures that the data do not allow are left out."""
    first = report.strategies[0]
    told = [name for name in CHARACTER_NAMES if {f"{name}@{k}"} & {*first.by_event, *first.of_lists}]
    rows = []
    for each in report.strategies:
        row = [each.name]
        for name in told:
            key, digits = f"{name}@{k}", DIGITS.get(name, 4)
            if key in each.by_event:
                row.append(interval(each.by_event[key], digits))
            else:
                value = each.of_lists[key]
                row.append(NONE if value is None else f"{value:.{digits}f}")
        rows.append(row)
    return Words(["", *(CHARACTER_NAMES[name] for name in told)], rows)


def ahead(report: QualityReport, k: int) -> Words:
    """By how much the first strategy is ahead of each other one."""
    rows = [
        [each.name, *(interval(each.ahead[f"{figure}@{k}"], signed=True) for figure in ("hr", "ndcg", "mrr"))]
        for each in report.strategies[1:]
    ]
    return Words([f"{report.strategies[0].name} against", f"HR@{k}", f"NDCG@{k}", f"MRR@{k}"], rows)


def groups(grouping: Grouping, figure: str) -> Words:
    """A row a group, a column a strategy."""
    names = list(grouping.groups[0].figures) if grouping.groups else []
    rows = [
        [
            group.name.strip(),
            f"{group.judgements:,}",
            f"{group.users:,}",
            *(_of_group(group.figures[name][figure], group.users) for name in names),
        ]
        for group in grouping.groups
    ]
    return Words([HEADS[figure], "judged", "users", *names], rows)


def places(report: QualityReport) -> Words:
    """A row a place of the list: the share of judgements whose item stood there."""
    names = [each.name for each in report.strategies]
    count = max((len(each.places) for each in report.strategies), default=0)
    rows = [[str(k + 1), *(f"{each.places[k]:.4f}" for each in report.strategies)] for k in range(count)]
    return Words(["place", *names], rows)


def summary(report: QualityReport) -> list[str]:
    """What the report finds, in sentences."""
    lead, others = report.strategies[0], report.strategies[1:]
    hr = lead.by_event["hr@20"]
    if hr is None:
        return ["Nothing was judged: no user took a second item for the first time."]
    told = [
        f"{lead.name}: the wanted item was among the 20 listed in {_share(hr)} of {report.judgements:,} judgements of"
        f" {report.judged_users:,} users."
    ]
    against: dict[str, list[str]] = {}
    for each in others:
        found = each.ahead["hr@20"]
        if found is not None:
            against.setdefault(_standing(found), []).append(f"{each.name} ({_signed(found.value, 4)})")
    return told + [f"By HR@20 it {words} {', '.join(names)}." for words, names in against.items()]


def span(report: QualityReport) -> str:
    """What the data are."""
    return (
        f"{report.events:,} events of {report.users:,} users and {report.items:,} items, {_when(report.first)} to"
        f" {_when(report.last)} UTC"
        + (f"; {report.unused_rows:,} rows not used" if report.unused_rows else "")
        + "."
    )


def again(report: QualityReport) -> Words:
    """What one needs to make the report again."""
    origin = report.origin
    rows = [["command", origin.command]] if origin.command else []
    for file, digest in zip(origin.files, origin.sha256, strict=True):
        rows.append(["file", f"{file}, SHA-256 {digest}" if digest else file])
    rows += [["model", f"{name}: {model}"] for name, model in report.models.items()]
    rows.append(["versions", ", ".join(f"{name} {number}" for name, number in origin.versions.items())])
    rows.append(["made", f"{origin.made}, in {report.seconds:,.0f} s"])
    return Words(["", ""], rows)


def _of_group(found: Interval | None, users: int) -> str:
    return f"{found.value:.3f}" if found is not None and users < LEAST_USERS else interval(found, 3)


def _share(found: Interval) -> str:
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _standing(ahead: Interval) -> str:
    """What a difference says, as far as its bounds go."""
    if ahead.low > 0.0:
        return "is ahead of"
    return "is behind" if ahead.high < 0.0 else "cannot be told from"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _when(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M")
