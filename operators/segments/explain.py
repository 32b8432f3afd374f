"""What a rule costs and how exact it is, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from operators.segments.book import SegmentBook
from operators.segments.plan import ANY

STEP_US = 0.8
"""Processor time of one step, µs, as tests/bench/segment_rules.py measures it: a cell brought up to date, or a
condition judged."""


@dataclass(frozen=True)
class ExplainedCell:
    """One cell: what it remembers, how exact it is, its bound in bytes, and other rules that count in it."""

    text: str
    precision: str
    most_bytes: int
    shared_with: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """One rule. `types` are the event types that can change it; None: any.

    `most_bytes` is the most that it takes of a user's record, shared cells included; `steps` the most that one
    event asks of it, and `microseconds` about what that takes.
    """

    name: str
    description: str
    when: str
    version: int
    enabled: bool
    types: tuple[str, ...] | None
    evidence: tuple[str, ...]
    segments: tuple[str, ...]
    cells: tuple[ExplainedCell, ...]
    most_bytes: int
    steps: int
    microseconds: float


def explain(book: SegmentBook, name: str) -> Explained:
    """What the rule `name` of a book is about.

    >>> from operators.segments.rule import SegmentRule
    >>> book = SegmentBook.of([SegmentRule(name="high", when='count("purchase", within="30d") > 3')])
    >>> found = explain(book, "high")
    >>> found.types, found.cells[0].precision, found.steps
    (('purchase',), 'exact up to 16, and never more', 2)

    Raises `KeyError` for a rule that the book does not have.
    """
    rule, compiled = book.rules[name], book.compiled(name)
    cells = tuple(
        ExplainedCell(
            cell.text,
            cell.precision,
            cell.most_bytes,
            tuple(
                other
                for other in book.rules
                if other != name and any(each.key == cell.key for each in book.compiled(other).cells)
            ),
        )
        for cell in compiled.cells
    )
    types = {
        type for cell in compiled.cells for selection, _ in cell.sees for type in selection.types or {ANY}
    }
    types |= {ANY if type == "*" else type for reading in compiled.readings for type in reading.touched_by}
    steps = compiled.conditions + len(cells)
    return Explained(
        name=name,
        description=rule.description,
        when=rule.when.strip(),
        version=rule.version,
        enabled=rule.enabled,
        types=None if ANY in types else tuple(sorted(types)),
        evidence=tuple(each.text for each in compiled.evidence),
        segments=tuple(sorted(compiled.segments)),
        cells=cells,
        most_bytes=compiled.most_bytes(name),
        steps=steps,
        microseconds=round(steps * STEP_US, 1),
    )
