"""A report on the quality of lists as Markdown, its charts as SVG files beside it."""

from __future__ import annotations

from collections.abc import Sequence

from jobs import quality_plots as plots
from jobs import quality_tables as tables
from jobs.quality_report import CUTOFFS, GROUP_FIGURES, Grouping, QualityReport
from jobs.quality_tables import Words
from jobs.quality_words import BASKET_NOTE, MEANINGS, bootstrap_note


def text(report: QualityReport) -> str:
    """The whole text."""
    parts = [f"# {report.title}", tables.span(report), *tables.summary(report)]
    if report.judgements:
        parts += _figures(report)
    parts += ["## What the figures mean", *report.protocol, bootstrap_note(report.draws)]
    parts.append("\n".join(f"- **{name}**: {meaning}" for name, meaning in MEANINGS))
    parts += [
        "## To make this report again",
        *(f"**{what}**: `{how}`" for what, how in tables.again(report).rows),
    ]
    return "\n\n".join(parts) + "\n"


def all_plots(report: QualityReport) -> list[plots.Plot]:
    """The charts that the text shows, which are files of their own."""
    if not report.judgements:
        return []
    grouped = [plot for grouping in report.groupings for plot in plots.by_group(report, grouping)]
    return [*plots.overall(report), *plots.over_time(report), *grouped, plots.by_place(report)]


def _figures(report: QualityReport) -> list[str]:
    parts = ["## What was found", *_images(plots.overall(report))]
    parts += [_table(tables.accuracy(report, k)) for k in reversed(CUTOFFS)]
    if report.strategies[0].by_basket:
        parts += ["## Basket by basket", f"{report.baskets:,} baskets. {BASKET_NOTE}"]
        parts += [_table(tables.accuracy(report, k, by_basket=True)) for k in reversed(CUTOFFS)]
    parts += ["## Ahead of the others", _table(tables.ahead(report, 20)), "## What the lists are like"]
    for k in reversed(CUTOFFS):
        parts += [f"Of the first {k} places:", _table(tables.character(report, k))]
    parts += _grouping(report.over_time, plots.over_time(report))
    for grouping in report.groupings:
        parts += _grouping(grouping, plots.by_group(report, grouping))
    place = plots.by_place(report)
    return [*parts, "## By place of the list", *_images([place]), _table(tables.places(report))]


def _grouping(grouping: Grouping, drawn: Sequence[plots.Plot]) -> list[str]:
    words = [_table(tables.groups(grouping, figure)) for figure in GROUP_FIGURES]
    return [f"## {grouping.title}", grouping.note, *_images(drawn), *words]


def _images(drawn: Sequence[plots.Plot]) -> list[str]:
    return [f"![{plot.caption}]({plot.name}.svg)" for plot in drawn]


def _table(words: Words) -> str:
    """A table, figures to the right.

    >>> print(_table(Words(["", "HR"], [["a|b", "0.1"]])))
    |  | HR |
    |---|---:|
    | a\\|b | 0.1 |
    """
    rule = "|---|" + "---:|" * (len(words.headings) - 1)
    return "\n".join([_row(words.headings), rule, *map(_row, words.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
