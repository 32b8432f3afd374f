"""A report on the quality of lists as one HTML page. It loads nothing, and reads on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jobs import quality_plots as plots
from jobs import quality_tables as tables
from jobs.quality_charts import STYLE as CHART_STYLE
from jobs.quality_charts import legend
from jobs.quality_report import CUTOFFS, GROUP_FIGURES, Grouping, QualityReport
from jobs.quality_tables import Words
from jobs.quality_words import BASKET_NOTE, MEANINGS, bootstrap_note
from jobs.report_page import paragraphs, table

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #57606a; --rule: #d5d9de; --mark: #eef4fa;
  --link: #0b62c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7eb; --paper: #14171b; --faint: #9aa4ae; --rule: #333a42;
  --mark: #1b2735; --link: #6cb0ff; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.6rem; line-height: 1.25; margin-bottom: .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .3rem; } p { margin: .3rem 0; max-width: 46rem; }
.faint { color: var(--faint); } nav { margin: 1rem 0; } nav a { margin-right: .9rem; } a { color: var(--link); }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--rule); vertical-align: top;
  font-weight: 400; }
thead th { vertical-align: bottom; font-size: .87rem; color: var(--faint); }
td:first-child { position: sticky; left: 0; background: var(--paper); min-width: 6rem; }
.number { text-align: right; white-space: nowrap; }
.number small { display: block; color: var(--faint); font-size: .76rem; }
.chosen td { background: var(--mark); } .scroll { overflow-x: auto; }
.again td { overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 0 2rem; }
figure { margin: .6rem 0; width: 460px; max-width: 100%; }
figcaption, .legend { font-size: .87rem; color: var(--faint); }
.legend span { margin-right: .9rem; white-space: nowrap; display: inline-block; }
figure svg { max-width: 100%; height: auto; }
details { margin: .3rem 0; } summary { cursor: pointer; color: var(--link); }
dt { font-weight: 600; margin-top: .5rem; } dd { margin: 0 0 0 1rem; max-width: 46rem; }
@media (max-width: 40rem) { body { margin: 1rem auto; } td:first-child { max-width: 8rem; } }
"""


def page(report: QualityReport) -> str:
    """The page."""
    title = escape(report.title)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>{title}</title><style>{_STYLE}{CHART_STYLE}</style>",
        f"<h1>{title}</h1><p class=faint>{escape(tables.span(report))}</p>",
        paragraphs(tables.summary(report)),
    ]
    if report.judgements:
        parts += _figures(report)
    parts += [
        "<h2 id=meaning>What the figures mean</h2>",
        paragraphs([*report.protocol, bootstrap_note(report.draws)]),
        "<dl>" + "".join(f"<dt>{escape(name)}<dd>{escape(text)}" for name, text in MEANINGS) + "</dl>",
        "<h2 id=again>To make this report again</h2>",
        "<div class=again>" + table(*tables.again(report)) + "</div>",
    ]
    return "\n".join(parts) + "\n"


def _figures(report: QualityReport) -> list[str]:
    anchors = [("found", "Found"), ("ahead", "Ahead"), ("like", "Lists"), ("time", "Over time")]
    anchors += [(f"by{n}", each.title) for n, each in enumerate(report.groupings)]
    anchors += [("places", "Places"), ("meaning", "Meaning"), ("again", "Again")]
    first = [True] + [False] * (len(report.strategies) - 1)
    parts = [
        "<nav>" + "".join(f"<a href='#{name}'>{escape(text)}</a>" for name, text in anchors) + "</nav>",
        "<h2 id=found>What was found</h2>",
        _plots(plots.overall(report)),
    ]
    parts += _by_cutoff([(k, tables.accuracy(report, k)) for k in reversed(CUTOFFS)], first)
    if report.strategies[0].by_basket:
        parts.append(f"<h2>Basket by basket</h2><p>{report.baskets:,} baskets. {escape(BASKET_NOTE)}</p>")
        parts += _by_cutoff(
            [(k, tables.accuracy(report, k, by_basket=True)) for k in reversed(CUTOFFS)], first
        )
    parts += ["<h2 id=ahead>Ahead of the others</h2>", table(*tables.ahead(report, 20))]
    parts.append("<h2 id=like>What the lists are like</h2>")
    parts += _by_cutoff([(k, tables.character(report, k)) for k in reversed(CUTOFFS)], first)
    parts.append("<h2 id=time>Over time</h2>" + paragraphs([report.over_time.note]))
    parts.append(_plots(plots.over_time(report)) + _tables_of(report.over_time))
    for number, grouping in enumerate(report.groupings):
        parts.append(f"<h2 id=by{number}>{escape(grouping.title)}</h2>" + paragraphs([grouping.note]))
        parts.append(_plots(plots.by_group(report, grouping)) + _tables_of(grouping))
    parts.append("<h2 id=places>By place of the list</h2>" + _plots([plots.by_place(report)]))
    parts.append(_folded("Table", [tables.places(report)]))
    return parts


def _plots(drawn: Sequence[plots.Plot]) -> str:
    figures = "".join(
        f"<figure><figcaption>{escape(plot.caption)}</figcaption>{plot.svg}</figure>" for plot in drawn
    )
    return f"<div class=figures>{figures}</div>" + (legend(drawn[0].shown) if drawn[0].shown else "")


def _by_cutoff(cuts: Sequence[tuple[int, Words]], chosen: Sequence[bool]) -> list[str]:
    """The table of the longest cut-off, the others folded away."""
    (_, foremost), *others = cuts
    return [table(*foremost, chosen), *(_folded(f"The same at {k}", [words]) for k, words in others)]


def _tables_of(grouping: Grouping) -> str:
    return _folded("Tables", [tables.groups(grouping, figure) for figure in GROUP_FIGURES])


def _folded(summary: str, words: Sequence[Words]) -> str:
    return (
        f"<details><summary>{escape(summary)}</summary>"
        + "".join(table(*each) for each in words)
        + "</details>"
    )
