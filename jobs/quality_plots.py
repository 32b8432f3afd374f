"""Which charts a report has, and of what."""

from __future__ import annotations

from typing import NamedTuple

from jobs.quality_charts import Line, lines, whiskers
from jobs.quality_report import GROUP_FIGURES, LEAST_USERS, Grouping, QualityReport, StrategyFigures
from jobs.quality_tables import HEADS
from operators.user_bootstrap import Interval

MOST_BESIDE = 4
"""So many strategies, the best, stand beside the first where there is a row for each group."""


class Plot(NamedTuple):
    """A chart: `name` of its file, what it shows, the SVG, and the strategies in it by number and name."""

    name: str
    caption: str
    svg: str
    shown: list[tuple[int, str]]


def overall(report: QualityReport) -> list[Plot]:
    """A row a strategy."""
    return [
        Plot(
            f"strategies_{figure.partition('@')[0]}",
            f"{HEADS[figure]}, with bounds of 95 %",
            whiskers(
                HEADS[figure],
                [
                    (
                        "",
                        [
                            (n, Line(each.name, [each.by_event[figure]]))
                            for n, each in enumerate(report.strategies)
                        ],
                    )
                ],
            ),
            [],
        )
        for figure in GROUP_FIGURES
    ]


def over_time(report: QualityReport) -> list[Plot]:
    """A line a strategy."""
    parts, names = report.over_time.groups, [each.name for each in report.strategies]
    return [
        Plot(
            f"over_time_{figure.partition('@')[0]}",
            f"{HEADS[figure]} over time",
            lines(
                f"{HEADS[figure]} over time",
                [part.name for part in parts],
                [Line(name, [part.figures[name][figure] for part in parts]) for name in names],
            ),
            list(enumerate(names)),
        )
        for figure in GROUP_FIGURES
    ]


def by_group(report: QualityReport, grouping: Grouping) -> list[Plot]:
    """A row for each group and strategy, the first strategy and the best of the others."""
    shown = _foremost(report)
    file = "".join(
        letter for letter in grouping.title.lower().replace(" ", "_") if letter.isalnum() or letter == "_"
    )
    return [
        Plot(
            f"{file}_{figure.partition('@')[0]}",
            f"{grouping.title}: {HEADS[figure]}",
            whiskers(
                f"{grouping.title}: {HEADS[figure]}",
                [
                    (group.name, [(n, Line(name, [group.figures[name][figure]])) for n, name in shown])
                    for group in grouping.groups
                    if group.users >= LEAST_USERS
                ],
            ),
            shown,
        )
        for figure in GROUP_FIGURES
    ]


def by_place(report: QualityReport) -> Plot:
    """The share of judgements whose item stood at each place, and so the worth of each place."""
    count = len(report.strategies[0].places)
    return Plot(
        "places",
        "Share of judgements whose item stood at each place of the list",
        lines(
            "Hits by place",
            [f"place {k + 1}" if k in (0, count - 1) else str(k + 1) for k in range(count)],
            [Line(each.name, [Interval(at, at, at) for at in each.places]) for each in report.strategies],
        ),
        [(n, each.name) for n, each in enumerate(report.strategies)],
    )


def _foremost(report: QualityReport) -> list[tuple[int, str]]:
    def hit_rate(numbered: tuple[int, StrategyFigures]) -> float:
        found = numbered[1].by_event["hr@20"]
        return 0.0 if found is None else found.value

    numbered = list(enumerate(report.strategies))
    best = sorted(numbered[1:], key=hit_rate, reverse=True)[:MOST_BESIDE]
    return [(n, each.name) for n, each in sorted([numbered[0], *best], key=lambda each: each[0])]
