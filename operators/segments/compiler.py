"""From a checked rule to closures that judge it for one user."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import ceil, floor
from typing import Any

from operators.segments import conditions
from operators.segments.cell import Cell, KeptCell
from operators.segments.compile_value import (
    cell_of,
    cells_in,
    compile_value,
    next_change,
    number_of,
    readings_in,
    time_of,
)
from operators.segments.compiled import Cells, Compiled, Evidence, Judge, Number, Read
from operators.segments.direction import settled
from operators.segments.errors import RuleError
from operators.segments.newest import MOST_TIMES, Newest
from operators.segments.newest_keys import MOST_KEYS, NewestKeys
from operators.segments.reading import LATEST_EVENT, Reading
from operators.segments.steps_cell import StepsCell
from operators.segments.total import Latest
from operators.segments.tree import (
    Aggregate,
    Among,
    Both,
    Compared,
    Condition,
    Constant,
    Elapsed,
    Followed,
    InSegment,
    IsTrue,
    Kind,
    Known,
    Not,
    Value,
)
from schemas.state import UserState

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compile_rule(condition: Condition) -> Compiled:
    """The rule ready to run. Raises `RuleError` where it asks for more than a cell can tell."""
    compiler = _Compiler()
    judge = compiler.judge(condition)
    return Compiled(
        judge,
        tuple(compiler.evidence.values()),
        tuple(compiler.cells.values()),
        tuple(compiler.readings.values()),
        frozenset(compiler.segments),
        compiler.conditions,
    )


class _Compiler:
    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        self.readings: dict[str, Reading] = {}
        self.segments: set[str] = set()
        self.evidence: dict[str, Evidence] = {}
        self.conditions = 0

    def judge(self, condition: Condition) -> Judge:
        if isinstance(condition, Both):
            return conditions.joined(tuple(self.judge(part) for part in condition.parts), condition.every)
        if isinstance(condition, Not):
            return conditions.denied(self.judge(condition.part))
        self.conditions += 1
        if isinstance(condition, Compared):
            return self._compared(condition)
        if isinstance(condition, Followed):
            return self._followed(condition)
        if isinstance(condition, InSegment):
            self.segments.add(condition.segment)
            return conditions.in_segment(condition.segment)
        if isinstance(condition, Among):
            value = condition.value
            read = self._value(value)
            return conditions.among(
                read, frozenset(condition.constants), not condition.negated, next_change((value,))
            )
        return self._is_true(condition)

    def _compared(self, node: Compared) -> Judge:
        op, left, right = node.operator, node.left, node.right
        if isinstance(left, Constant):
            op, left, right = _TURNED[op], right, left
        if isinstance(left, Elapsed) and isinstance(right, Constant):
            return self._elapsed(op, left, int(right.value))
        if isinstance(left, Aggregate) and isinstance(right, Constant):
            counted = self._counted(op, left, float(right.value))
            if counted is not None:
                return counted
            if left.function != "last":
                self._value(left)
                return conditions.against(
                    _OPERATORS[op],
                    cell_of(left),
                    right.value,
                    left.within is not None,
                    settled(op, left, right),
                )
        read = self._value(left), self._value(right)
        return conditions.compared(
            _OPERATORS[op], *read, next_change((left, right)), settled(op, left, right)
        )

    def _elapsed(self, op: str, left: Elapsed, ms: int) -> Judge:
        time, cells = time_of(left)
        self._keep(*cells)
        if not cells and left.selection is not None:
            self.readings[LATEST_EVENT.name] = LATEST_EVENT

        def seconds(cells: Cells, user: UserState, now: int) -> float | None:
            at = time(cells, user, now)
            return None if at is None else (now - at) / 1000

        self._prove(left.text, seconds)
        return conditions.elapsed(op, time, ms)

    def _counted(self, op: str, left: Aggregate, bound: float) -> Judge | None:
        """A count compared with a constant, where so many times decide it; None where a sum must."""
        above = floor(bound) + 1
        least = ceil(bound)
        most = above if op in ("==", "!=", ">", "<=") else least
        if left.function == "distinct":
            if most > MOST_KEYS:
                raise RuleError(f"{left.text} counts to {MOST_KEYS}; compare it with less", left.at)
        elif left.function != "count" or left.of or left.within is None or most > MOST_TIMES:
            return None
        if op in (">", ">="):
            return self._at_least(left, most)
        if op in ("<", "<="):
            return conditions.denied(self._at_least(left, most))
        if least != bound or bound < 0:
            return conditions.always(conditions.ALWAYS_TRUE if op == "!=" else conditions.ALWAYS_FALSE)
        exactly = conditions.joined(
            (self._at_least(left, least), conditions.denied(self._at_least(left, above))), every=True
        )
        return exactly if op == "==" else conditions.denied(exactly)

    def _at_least(self, left: Aggregate, n: int) -> Judge:
        if n <= 0:
            return conditions.always(conditions.ALWAYS_TRUE)
        cell: KeptCell
        if left.function == "distinct":
            cell = NewestKeys(left.selection, left.within, n, left.of)
        elif left.within is not None:
            cell = Newest(left.selection, left.within, n)
        else:
            raise AssertionError("a count without a window is a total")
        self._keep(cell)
        self._prove(left.text, number_of(left, cell))
        return conditions.at_least(cell, n)

    def _followed(self, node: Followed) -> Judge:
        if not node.negated:
            cell = StepsCell(node.first, node.second)
            self._keep(cell)

            def apart(cells: Cells, user: UserState, now: int) -> float | None:
                ms = cell.apart(cells.get(cell.key, b""))
                return None if ms is None else ms / 1000

            self._prove(node.text, apart)
            return conditions.followed(cell, node.within)
        first, second = Latest(node.first), Latest(node.second)
        self._keep(first, second)

        def since(cells: Cells, user: UserState, now: int) -> float | None:
            begun = first.value(cells.get(first.key, b""), now)
            return None if begun is None else (now - begun) / 1000

        self._prove(node.text, since)
        return conditions.unfinished(first, second, node.within)

    def _is_true(self, node: IsTrue) -> Judge:
        read = self._value(node.value)
        return conditions.compared(
            operator.eq, read, lambda cells, user, now: True, next_change((node.value,)), None
        )

    def _value(self, value: Value) -> Read:
        for aggregate, cell in cells_in(value):
            self._keep(cell)
            scale = 1 if aggregate.kind is Kind.NUMBER else 1000
            self._prove(aggregate.text, _scaled(number_of(aggregate, cell), scale))
        for known in readings_in(value):
            self.readings[known.reading.name] = known.reading
            self._prove(known.text, _evidence_of(known))
        return compile_value(value)

    def _keep(self, *cells: Cell) -> None:
        for cell in cells:
            self.cells.setdefault(cell.text, cell)

    def _prove(self, text: str, read: Number) -> None:
        self.evidence.setdefault(text, Evidence(text, read))


def _scaled(read: Number, scale: int) -> Number:
    if scale == 1:
        return read

    def scaled(cells: Cells, user: UserState, now: int) -> float | None:
        number = read(cells, user, now)
        return None if number is None else number / scale

    return scaled


def _evidence_of(known: Known) -> Number:
    """The number that a value is; of what is no number, whether it is known (1) and true (0 where false)."""
    read = known.reading.value
    scale = 1000 if known.kind is Kind.DURATION else 1

    def number(cells: Cells, user: UserState, now: int) -> float | None:
        value = read(user, now)
        if value is None:
            return None
        return 1.0 if isinstance(value, str) else float(value) / scale

    return number
