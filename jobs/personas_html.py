"""The report of a training of personas as one HTML page: tables, and charts as inline SVG. It loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from jobs.personas_charts import by_clusters, scatter
from jobs.personas_report import (
    PERSONA_HEADINGS,
    RULE,
    STEADINESS_HEADINGS,
    TRIED_HEADINGS,
    PersonasReport,
    history,
    identity,
    persona_rows,
    steadiness_rows,
    steady,
    tried_rows,
    variance,
)
from jobs.report_page import paragraphs, table
from operators.persona_arithmetic import Floats
from operators.persona_vector import DIMENSIONS

_LEAST_SHOWN = 0.1
"""Standard deviations: a dimension in which no persona is further off the average is left out."""
_FULL_COLOUR = 2.0
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24;
  background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; } p { margin: .3rem 0; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d5d9de; vertical-align: top; }
thead th { vertical-align: bottom; border-bottom-color: #8a929b; font-size: .87rem; }
.number { text-align: right; } .heat { font-size: .87rem; }
.heat th { font-weight: 400; }
.heat td, .heat thead th { padding: .25rem .3rem; text-align: center; min-width: 2.6rem; }
.heat td, .heat tbody th { vertical-align: middle; } .heat tbody th + th { min-width: 8.5rem; }
.chosen { font-weight: 600; background: #eef4fa; } .scroll { overflow-x: auto; }
figure { display: inline-block; margin: .5rem 1rem 1rem 0; vertical-align: top; max-width: 100%; }
figcaption { font-size: .87rem; color: #57606a; } svg { max-width: 100%; height: auto; }
"""


def page(report: PersonasReport, points: Floats, persona: Sequence[int], means: Floats) -> str:
    """The page. `points` [n, 2 or more] are users by principal component, `persona` [n] the number of each user's
    persona, and `means` [c, d] the personas' mean standardised vectors."""
    name = escape(report.name)
    steadiness = report.steadiness
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Personas {name}</title><style>{_STYLE}</style>",
        f"<h1>Personas {name}</h1>",
        paragraphs([history(report), *identity(report)]),
        table(PERSONA_HEADINGS, persona_rows(report.personas, report.marked)),
        "<h2>How they differ</h2><p>Means in standard deviations from the average user.</p>",
        _heat(report, means),
        "<h2>Where they lie</h2>",
        paragraphs([f"{len(persona):,} users by the first two of {variance(report)}"]),
        f"<figure>{scatter(points, persona, [f'{p.id}  {p.name}' for p in report.personas])}</figure>",
        "<h2>How they were chosen</h2>",
        paragraphs([RULE]),
        by_clusters(report.tried, "silhouette", "Silhouette (greater is better)"),
        by_clusters(report.tried, "davies_bouldin", "Davies-Bouldin (less is better)"),
        table(TRIED_HEADINGS, tried_rows(report.tried), [line.chosen for line in report.tried]),
        "<h2>How steady they are</h2>",
        paragraphs([steady(report)]),
        table(STEADINESS_HEADINGS, steadiness_rows(steadiness), [line.chosen for line in steadiness]),
    ]
    return "\n".join(parts) + "\n"


def _heat(report: PersonasReport, means: Floats) -> str:
    """Personas by dimension, those dimensions left out in which no persona differs."""
    shown = [place for place in range(means.shape[1]) if np.abs(means[:, place]).max() >= _LEAST_SHOWN]
    head = "".join(f"<th>{escape(DIMENSIONS[place].name.replace('_', ' '))}" for place in shown)
    lines = [f"<thead><tr><th><th>{head}<tbody>"]
    for persona, mean in zip(report.personas, means[:, shown].tolist(), strict=True):
        lines.append(
            f"<tr><th>{escape(persona.id)}<th>{escape(persona.name)}" + "".join(map(_heat_cell, mean))
        )
    return "<div class=scroll><table class=heat>" + "\n".join(lines) + "</table></div>"


def _heat_cell(mean: float) -> str:
    if abs(mean) < 0.05:
        return "<td>0"
    strength = min(abs(mean) / _FULL_COLOUR, 1.0) * 0.75
    colour = f"rgba(217,95,2,{strength:.2f})" if mean > 0 else f"rgba(31,119,180,{strength:.2f})"
    shown = f"{mean:+.1f}".replace("-", "−")
    return f"<td style='background:{colour}'>{shown}"
