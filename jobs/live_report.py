"""What a person sees of a judgement of the live job."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from jobs.live_figures import Group, LiveEvaluation, Ratio

_NONE = "–"
_KINDS = {
    "current": "list is current",
    "stale": "list is stale",
    "none": "no list yet",
}


def tell_live(done: LiveEvaluation, out: Console | None = None) -> None:
    """Print the figures for people."""
    out = out or Console(highlight=False, soft_wrap=True)
    table = _table("", "HR@20", "MRR@20", "strict HR@20", "strict MRR@20")
    for score in done.scores:
        table.add_row(
            score.name, *map(_figure, (score.hit_rate, score.mrr, score.strict_hit_rate, score.strict_mrr))
        )
    ratios = (done.hit_rate, done.mrr, done.strict_hit_rate, done.strict_mrr)
    table.add_row("live job : evaluate", *map(_ratio, ratios))
    out.print(table)
    out.print()
    out.print(_groups(done.groups, [score.name for score in done.scores], done.counting))
    out.print()
    out.print(
        f"{done.history:,} events of history, then {done.live:,} live at {done.pace}; {done.counting:,} counted,"
        f" {done.strict:,} of them strict; {done.seconds:,.0f} s, load averages {done.load}"
    )
    for name, figures in (
        ("age of a list when the next event came", done.age),
        ("from an event to the list that covers it", done.delay),
        ("between two events of a user", done.gap),
    ):
        if figures:
            out.print(f"{name}: {' / '.join(f'{figure:,.0f}' for figure in figures)} ms (p50 / p90 / p99)")
    out.print(
        f"{done.rapid:.1%} of events came sooner after the user's last than lists may follow each other"
    )
    if done.without:
        out.print(f"[yellow]{done.without:,} users' last events are in no list[/]")
    if done.amiss:
        out.print(f"[yellow]of {done.amiss:,} users Redis holds another list than the log's newest[/]")
    if done.behind_s > 0.5:
        out.print(f"[yellow]the sender was up to {done.behind_s:.1f} s behind its pace[/]")


def _groups(groups: list[Group], names: list[str], counting: int) -> Table:
    table = _table("HR@20 / MRR@20", "events", *names)
    for group in groups:
        marked = f" ({group.marked:,} of bots)" if group.marked else ""
        table.add_row(
            _KINDS[group.name],
            f"{group.events:,} ({group.events / max(counting, 1):.1%}){marked}",
            *(f"{_figure(group.hit_rate[name])} / {_figure(group.mrr[name])}" for name in names),
        )
    return table


def _table(first: str, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _figure(figure: float | None) -> str:
    return _NONE if figure is None else f"{figure:.3f}"


def _ratio(ratio: Ratio | None) -> str:
    return _NONE if ratio is None else f"{ratio.value:.3f} ± {ratio.error:.3f}"
