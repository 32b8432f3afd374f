"""Which cells and rules an event of a type can touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from operators.segments.cell import Adding, Cell
from operators.segments.compiled import Compiled
from operators.segments.selection import Matcher, Selection

ANY = ""
"""The plan of a type that no rule names."""


@dataclass(frozen=True)
class Touch:
    """The cells that take in events of one selection, and the rules that read one of them, by number."""

    matches: Matcher | None
    adds: tuple[tuple[int, Adding], ...]
    rules: frozenset[int]


@dataclass(frozen=True)
class TypePlan:
    """What an event of one type touches: cells by selection, and the rules that are judged in any case.

    `order` are all rules that it can touch, in the order in which they are judged.
    """

    touches: tuple[Touch, ...]
    rules: frozenset[int]
    order: tuple[int, ...]


def plans(rules: Sequence[Compiled]) -> dict[str, TypePlan]:
    """The plan of each type that the rules name, and of all others under `ANY`."""
    readers: dict[str, set[int]] = {}
    cells: dict[str, Cell] = {}
    for number, rule in enumerate(rules):
        for cell in rule.cells:
            cells[cell.text] = cell
            readers.setdefault(cell.text, set()).add(number)
    types = {type for cell in cells.values() for selection, _ in cell.sees for type in selection.types}
    types |= {type for rule in rules for reading in rule.readings for type in reading.touched_by} - {"*"}
    return {type: _plan(type, rules, cells.values(), readers) for type in (ANY, *types)}


def _plan(
    type: str, rules: Sequence[Compiled], cells: Iterable[Cell], readers: dict[str, set[int]]
) -> TypePlan:
    adds: dict[Selection, list[tuple[int, Adding]]] = {}
    touched: dict[Selection, set[int]] = {}
    for cell in cells:
        for selection, add in cell.sees:
            if not selection.types or type in selection.types:
                adds.setdefault(selection, []).append((cell.key, add))
                touched.setdefault(selection, set()).update(readers[cell.text])
    touches = tuple(
        Touch(selection.matcher(), tuple(found), frozenset(touched[selection]))
        for selection, found in adds.items()
    )
    always = frozenset(
        number
        for number, rule in enumerate(rules)
        if any("*" in reading.touched_by or type in reading.touched_by for reading in rule.readings)
    )
    order = sorted(always.union(*(touch.rules for touch in touches)))
    return TypePlan(touches, always, tuple(order))
