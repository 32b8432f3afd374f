"""Values of a checked rule as closures."""

from __future__ import annotations

from collections.abc import Callable

from operators.feature import FeatureValue
from operators.segments.cell import NEVER, Cell, NumberCell
from operators.segments.check_value import calculate
from operators.segments.compiled import Cells, Number, Read
from operators.segments.newest_keys import MOST_KEYS, NewestKeys
from operators.segments.reading import Reading
from operators.segments.total import Latest, Total
from operators.segments.tree import Aggregate, Arithmetic, Constant, Elapsed, Known, Value
from operators.segments.window import Window
from schemas.state import UserState

NextChange = Callable[[Cells, UserState, int], int]
"""(cells, user, now) → when a value could next change without an event."""


def cell_of(aggregate: Aggregate) -> NumberCell:
    """The cell that holds the number of an aggregate, whatever it is compared with."""
    function, selection, within, of = aggregate.function, aggregate.selection, aggregate.within, aggregate.of
    if function == "distinct":
        return NewestKeys(selection, within, MOST_KEYS, of)
    if function == "last" or (function == "first" and within is None):
        return Latest(selection, first=function == "first")
    if within is None:
        return Total(function, selection, of)
    return Window(function, selection, within, of)


def cells_in(value: Value) -> list[tuple[Aggregate, NumberCell]]:
    """The aggregates in a value, each with its cell."""
    if isinstance(value, Aggregate):
        return [(value, cell_of(value))]
    if isinstance(value, Arithmetic):
        return cells_in(value.left) + cells_in(value.right)
    return []


def readings_in(value: Value) -> list[Known]:
    """What a value reads of the user record."""
    if isinstance(value, Known):
        return [value]
    if isinstance(value, Arithmetic):
        return readings_in(value.left) + readings_in(value.right)
    return []


def compile_value(value: Value) -> Read:
    """What gives the value."""
    if isinstance(value, Constant):
        constant = value.value
        return lambda cells, user, now: constant
    if isinstance(value, Known):
        read = value.reading.value
        return lambda cells, user, now: read(user, now)
    if isinstance(value, Arithmetic):
        return _arithmetic(value)
    if isinstance(value, Aggregate):
        return number_of(value, cell_of(value))
    raise AssertionError("an elapsed time is compared by itself")  # the checker refuses all else


def number_of(aggregate: Aggregate, cell: NumberCell) -> Number:
    """What gives the number of an aggregate."""
    key, read = cell.key, cell.value
    within = aggregate.within
    if aggregate.function == "last" and within is not None:

        def last(cells: Cells, user: UserState, now: int) -> float | None:
            time = read(cells.get(key, b""), now)
            return None if time is None or time <= now - within else time

        return last
    return lambda cells, user, now: read(cells.get(key, b""), now)


def time_of(elapsed: Elapsed) -> tuple[Number, tuple[Cell, ...]]:
    """What gives the time that an elapsed time is counted from, and the cells for it."""
    selection = elapsed.selection
    if selection is None:
        return _born, ()
    if elapsed.function == "since_last" and not selection.types and not selection.filters:
        return _last, ()
    cell = Latest(selection, first=elapsed.function == "since_first")
    key, read = cell.key, cell.value
    return lambda cells, user, now: read(cells.get(key, b""), now), (cell,)


def next_change(values: tuple[Value, ...]) -> NextChange | None:
    """When one of the values could next change; None where none of them can without an event."""
    changes: list[NextChange] = []
    for value in values:
        changes += [_of_aggregate(*found) for found in cells_in(value) if found[0].within is not None]
        changes += [_of_reading(known.reading) for known in readings_in(value) if known.reading.moves]
    if not changes:
        return None
    if len(changes) == 1:
        return changes[0]
    return lambda cells, user, now: min(change(cells, user, now) for change in changes)


def _of_aggregate(aggregate: Aggregate, cell: NumberCell) -> NextChange:
    key = cell.key
    if aggregate.function == "last":
        read, within = cell.value, aggregate.within or 0

        def leaves(cells: Cells, user: UserState, now: int) -> int:
            time = read(cells.get(key, b""), now)
            return NEVER if time is None or time + within <= now else int(time) + within

        return leaves
    change = cell.next_change

    def changes(cells: Cells, user: UserState, now: int) -> int:
        held = cells.get(key)
        return NEVER if held is None else change(held, now)

    return changes


def _of_reading(reading: Reading) -> NextChange:
    def changes(cells: Cells, user: UserState, now: int) -> int:
        at = reading.next_change(user, now)
        return NEVER if at is None else at

    return changes


def _born(cells: Cells, user: UserState, now: int) -> float:
    return user.born


def _last(cells: Cells, user: UserState, now: int) -> float:
    return user.last


def _arithmetic(node: Arithmetic) -> Read:
    left, right = compile_value(node.left), compile_value(node.right)
    operator = node.operator

    def result(cells: Cells, user: UserState, now: int) -> FeatureValue:
        a = left(cells, user, now)
        b = right(cells, user, now)
        return None if a is None or b is None else calculate(operator, float(a), float(b))

    return result
