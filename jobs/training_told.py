"""What `headrace train` prints of a training, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jobs.ranker_cost import MOST_MICROSECONDS
from jobs.training_report import CategoryFigures, TrainingReport, TriedReport
from jobs.training_splits import SplitFigures, names_of


def print_report(report: TrainingReport, console: Console) -> None:
    """The table of quality against cost, and what was chosen by which rule."""
    table = Table(title=f"{report.validation:,} later events ({report.validation_strict:,} strict)")
    bought = any(tried.mrr_bought for tried in report.tried)
    shown = ("bought MRR",) if bought else ()
    for heading in ("ranker", "HR@20", "MRR@20", "strict HR", "strict MRR", *shown, "µs per user", ""):
        table.add_column(heading, justify="left" if heading in ("ranker", "") else "right")
    for tried in report.tried:
        of_bought = (tried.mrr_bought,) if bought else ()
        figures = (tried.hr, tried.mrr, tried.hr_strict, tried.mrr_strict, *of_bought)
        cost = f"{tried.microseconds:.0f}" if tried.microseconds else "–"
        mark = "chosen" if tried.chosen else why_not(tried, report.tried)
        table.add_row(tried.ranker, *(f"{figure:.3f}" for figure in figures), cost, mark)
    console.print(table)
    console.print(
        f"{report.recall:.1%} of these events had their item among the candidates"
        f" ({report.candidates:.0f} a user): no ranker can do better."
    )
    console.print(
        f"Rule: of those that cost at most {MOST_MICROSECONDS:.0f} µs per user and beat the blend of sources by more"
        " than two standard errors, the cheapest whose MRR@20 is within one of the best."
    )
    if report.left_out:
        console.print(f"{report.left_out[:1].upper()}{report.left_out[1:]}.")
    for found in report.searched:
        console.print(
            f"Searched {found.ranker}: {found.trials} tried, MRR@20 {found.mrr:.4f} on the later lists to train on, by"
            f" {', '.join(f'{name} {value}' for name, value in found.settings.items())}."
        )
    if report.ranker == "blend":
        console.print("No ranker did, so the bundle carries item factors only, and lists go by the blend.")
    if report.categories:
        print_categories(report.categories, console)
    if report.splits:
        print_splits(report.splits, console)
    spent = ", ".join(
        f"{stage} {seconds:.0f} s" for stage, seconds in report.seconds.items() if seconds > 0.0
    )
    console.print(f"Bundle {report.name} in {report.bundle} ({spent}).", highlight=False)


def why_not(tried: TriedReport, among: Sequence[TriedReport]) -> str:
    """Why a ranker was not chosen; nothing where it might have been, but for a cheaper or a better one.

    Beside a blend with an MRR@20 of .2 a ranker that has .1 is below it, one of .201 not safely above:

    >>> def tried(ranker: str, mrr: float) -> TriedReport:
    ...     return TriedReport(
    ...         ranker=ranker, hr=0.4, mrr=mrr, hr_strict=0.4, mrr_strict=mrr,
    ...         microseconds=9.0, beats_blend=False, chosen=False, seconds=1.0,
    ...     )
    >>> among = [tried("blend", 0.2), tried("alone", 0.1), tried("trees", 0.201)]
    >>> [why_not(each, among) for each in among]
    ['', 'below the blend', 'within noise']
    """
    if tried.ranker == "blend" or (tried.beats_blend and tried.microseconds <= MOST_MICROSECONDS):
        return ""
    if tried.beats_blend:
        return "too slow"
    blend = next((each.mrr for each in among if each.ranker == "blend"), 0.0)
    return "below the blend" if tried.mrr < blend else "within noise"


def print_categories(figures: Sequence[CategoryFigures], console: Console) -> None:
    """A row per set of categories and whatever said how likely they are."""
    table = Table(title="The category of the next event: how far probabilities can be taken at their word")
    for heading in ("asked for", "said by", "pairs", "log loss", "Brier score", "calibration error"):
        table.add_column(heading, justify="left" if heading in ("asked for", "said by") else "right")
    asked = ""
    for each in figures:
        first = "" if each.asked == asked else each.asked
        told = (f"{figure:.4f}" for figure in (each.log_loss, each.brier, each.error))
        table.add_row(first, each.said, f"{each.pairs:,}", *told)
        asked = each.asked
    console.print(table)


def print_splits(splits: Sequence[SplitFigures], console: Console) -> None:
    """A row per split and recommender of those that were judged on every split."""
    table = Table(title="The bundle by split")
    for heading in ("split", "judged", "lists", "HR@20", "MRR@20"):
        table.add_column(heading, justify="left" if heading in ("split", "lists") else "right")
    for split in splits:
        for place, name in enumerate(names_of(splits)):
            first = (split.split, f"{split.judged:,}") if place == 0 else ("", "")
            table.add_row(*first, name, _figure(split.hr[name]), _figure(split.mrr[name]))
    console.print(table)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
