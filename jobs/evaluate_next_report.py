"""What a person sees of an evaluation by next items: a table for each way to treat the current item."""

from __future__ import annotations

from rich.console import Console

from jobs.figure_table import figure, figure_table
from operators.next_item import Current
from operators.next_item_score import NextItemEvaluation

_WAYS = {
    Current.DROP: "lists without the session's current item (as Serenade)",
    Current.KEEP: "lists that may hold the session's current item (as session-rec)",
}


def tell_next(done: NextItemEvaluation, out: Console | None = None) -> None:
    """Print the figures for people."""
    out = out or Console(highlight=False, soft_wrap=True)
    for way in dict.fromkeys(score.current for score in done.scores):
        out.print(_WAYS[Current(way)])
        table = figure_table("", ("HR@20", "MRR@20", "NDCG@20"))
        for score in done.scores:
            if score.current == way:
                table.add_row(score.name, *(figure(f, 4) for f in (score.hit_rate, score.mrr, score.ndcg)))
        out.print(table)
    out.print(
        f"{done.predictions:,} predictions in {done.sessions:,} sessions, after {done.learned:,} events of"
        f" {done.items:,} items; {done.seconds:,.0f} s"
    )
    if done.model is not None:
        out.print(f"ranked with {done.model}")
    if done.left_out:
        out.print(f"{done.left_out:,} test events are of items that the train events do not show: left out")
    if done.unused_rows:
        out.print(f"{done.unused_rows:,} rows of the files make no usable event")
    if not done.predictions:
        out.print("[yellow]nothing was predicted[/]: no test session has two events of known items")
