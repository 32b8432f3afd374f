"""Writing a report on the quality of lists into a folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from jobs.quality_charts import file_of
from jobs.quality_html import page
from jobs.quality_markdown import all_plots, text
from jobs.quality_report import QualityReport
from schemas.errors import HeadraceError

PAGE = "report.html"
"""The page of a report, in its folder."""


class ReportRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A report cannot be written where it was asked for."""


def refuse_file(folder: Path) -> None:
    """Raise `ReportRefused` where `folder` is a file: better before a long run than after it."""
    if folder.exists() and not folder.is_dir():
        raise ReportRefused(f"--report {folder}: a file is there; name a folder")


def write_report(report: QualityReport, folder: Path) -> None:
    """Write report.html, report.md with its charts, and report.json; an earlier report there is replaced."""
    refuse_file(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page(report), encoding="utf-8")
    (folder / "report.md").write_text(text(report), encoding="utf-8")
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    for plot in all_plots(report):
        (folder / f"{plot.name}.svg").write_text(file_of(plot.svg, plot.shown), encoding="utf-8")
