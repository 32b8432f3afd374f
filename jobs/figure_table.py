"""Tables of figures for the terminal: names to the left, figures to the right, a dash for what there is not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

NONE = "–"


def figure(value: float | None, digits: int = 3) -> str:
    """A figure in words.

    >>> figure(0.12345), figure(None)
    ('0.123', '–')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def figure_table(first: str, headings: Sequence[str]) -> Table:
    """An empty table whose first column, headed `first`, holds names; the others hold figures."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
